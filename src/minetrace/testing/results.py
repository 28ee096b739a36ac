"""What of a run must be equal, as plain values: decoded pixels, and rows with their geometry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rasterio
import shapely

from minetrace.store.files import PART
from minetrace.store.outlines import read_table


def pixels(run: Path, kind: str) -> dict[str, np.ndarray]:
    """By period: every pixel that is not nodata, by the place of its centre."""
    found: dict[str, np.ndarray] = {}
    for folder in sorted((run / kind).iterdir()):
        parts = []
        for path in sorted(folder.glob("*.tif")):
            with rasterio.open(path) as source:
                values = source.read()
                row, col = np.nonzero(values[0] != source.nodata)
                x, y = (
                    source.transform.c + (col + 0.5) * source.transform.a,
                    source.transform.f + (row + 0.5) * source.transform.e,
                )
                epsg = np.full(len(row), float(source.crs.to_epsg() or 0))
                parts.append(np.column_stack([epsg, x, y, values[:, row, col].T.astype(float)]))
        table = np.concatenate(parts) if parts else np.empty((0, 3))
        found[folder.name] = table[np.lexsort(table[:, :3].T)]
    return found


def rows(path: Path) -> list[tuple[Any, ...]]:
    """Rows of a GeoParquet file, geometry as normalised WKB, sorted."""
    table = read_table(path)
    wkb = [None if g is None else shapely.normalize(g).wkb_hex for g in table.geometry]
    plain = pd.DataFrame(table.drop(columns="geometry")).astype(str)
    return sorted((*map(str, row), str(g)) for row, g in zip(plain.to_numpy(), wkb, strict=True))


def assert_equal(one: Path, other: Path) -> None:
    """Two runs agree in every decoded pixel and in every row."""
    assert (one / "decoded").is_dir() == (other / "decoded").is_dir()
    for kind in ("composites", "scores", *(["decoded"] if (one / "decoded").is_dir() else [])):
        left, right = pixels(one, kind), pixels(other, kind)
        assert left.keys() == right.keys()
        for period in left:
            assert np.array_equal(left[period], right[period]), f"{kind}/{period} differs"
    for path in sorted((one / "footprints").glob("*.parquet")):
        assert rows(path) == rows(other / "footprints" / path.name), f"{path.name} differs"
    assert rows(one / "panel.parquet") == rows(other / "panel.parquet")


def leftovers(run: Path) -> list[Path]:
    """Files that are neither an artefact nor its sidecar."""
    return [p for p in run.rglob("*") if p.name.startswith(PART) or p.suffix in (".part", ".tmp")
            or p.name.endswith("-journal")]  # fmt: skip
