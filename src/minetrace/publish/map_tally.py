"""A tally inside the map: a table of territories that leads to each, and their borders.

It lies in a script of its own beside the map, so that counting does not write the map anew. Where
nothing was counted, the script says so; a page opened from disk cannot ask whether a file is there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely.geometry import mapping

from minetrace.core.region import project
from minetrace.publish.parts import put
from minetrace.publish.tally_page import Frame, told_of

TALLIES = "tallies.js"
EQUAL_AREA, LONLAT = "EPSG:6933", "EPSG:4326"
BORDER_VERTICES = 60_000  # about 1.2 MB
_FINEST_M = 10.0
_DIGITS = 5  # about a metre
_FARTHEST_DEG = 85.0  # what a web map can show


class Borders(Protocol):
    """What a layer of territories has to tell."""

    @property
    def unit(self) -> NDArray[np.object_]: ...
    @property
    def shapes(self) -> NDArray[np.object_]: ...


def put_nothing_counted(folder: Path) -> None:
    """Tell the map in a folder that there is no tally."""
    put(folder / TALLIES, b"window.minetraceTallies=null;\n")


def put_tally(
    folder: Path, table: pd.DataFrame, title: str, borders: Borders, frames: dict[str, Frame]
) -> Path:
    """Tell the map in a folder what was counted.

    Args:
        folder: of the map.
        table: what ``minetrace.panel.tally`` counted and ``say_searched`` added to.
        title: of the table.
        borders: the territories, EPSG:6933.
        frames: west, south, east and north of each territory, in degrees.

    Returns:
        The script.
    """
    told = {**told_of(table, title), "boxes": frames, **_drawn(borders)}
    text = json.dumps(told, separators=(",", ":"), allow_nan=False)
    put(folder / TALLIES, f"window.minetraceTallies={text};\n".encode("ascii"))
    return folder / TALLIES


def _drawn(borders: Borders) -> dict[str, Any]:
    """The borders as GeoJSON features, and to how many metres they were simplified."""
    shapes, within_m = _simplified(np.asarray(borders.shapes, dtype=object))
    lonlat = shapely.transform(
        project(shapes, EQUAL_AREA, LONLAT),
        lambda xy: np.clip(xy, (-180, -_FARTHEST_DEG), (180, _FARTHEST_DEG)).round(_DIGITS),
    )
    features = [
        {"type": "Feature", "properties": {"unit": str(unit)}, "geometry": dict(mapping(shape))}
        for unit, shape in zip(borders.unit, lonlat, strict=True)
    ]
    return {"borders": {"type": "FeatureCollection", "features": features}, "within": within_m}


def _simplified(shapes: NDArray[np.object_]) -> tuple[NDArray[np.object_], float]:
    """Lines that a browser can hold, and how far they may lie from the border."""
    within_m, found = 0.0, shapes
    while int(shapely.get_num_coordinates(found).sum()) > BORDER_VERTICES:
        within_m = max(2 * within_m, _FINEST_M)
        found = np.asarray(shapely.simplify(shapes, within_m), dtype=object)
        if within_m > 1e6:  # more territories than vertices
            break
    return found, within_m
