"""How sure an alert is, what its pictures show, and how many alerts are likely false."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import rasterio
import rasterio.errors
import rasterio.features
import shapely
from numpy.typing import NDArray

from minetrace.core.region import project
from minetrace.core.scores import NOT_LOOKED, SCALE
from minetrace.flow.estimated import kept
from minetrace.flow.run_views import RunViews
from minetrace.publish.figures.frame import LONLAT, Frame
from minetrace.publish.picture import webp
from minetrace.store.run_folder import RunFolder
from minetrace.store.stored import stored_tiles

CLASSES = {"high": 0.9, "medium": 0.7, "low": 0.0}
"""Least probability of each class of confidence."""
UNRATED = "unrated"
LOOKED_BACK = 4  # periods before, for a picture
SIDE_M, SHARE, WIDE_MM, DPI = 600.0, 0.5, 40.0, 200  # of a picture


@dataclass(frozen=True)
class Sight:
    """A picture and the outline in it.

    Attributes:
        label: of the period.
        uri: the picture as ``data:`` address; None where there is none.
        rings: the outline, (x, y) from 0 to 1 of the picture's sides, from the top left.
    """

    label: str
    uri: str | None
    rings: tuple[tuple[tuple[float, float], ...], ...]


def confidence(probability: float | None) -> str:
    """The class of a probability; ``unrated`` where nothing was decoded."""
    if probability is None or not np.isfinite(probability):
        return UNRATED
    return next(name for name, least in CLASSES.items() if probability >= least)


def probabilities(
    run: RunFolder, label: str, ground: NDArray[np.object_]
) -> NDArray[np.float64]:  # fmt: skip
    """(n,) mean decoded probability of being mined over ground, NaN where nothing was decoded.

    Args:
        run: the run.
        label: of the period.
        ground: (n,) polygons, EPSG:4326.
    """
    total, count = np.zeros(len(ground)), np.zeros(len(ground))
    for key in stored_tiles(run, "decoded", label):
        with rasterio.open(run.path(key)) as tile:
            shapes = np.asarray(project(ground, LONLAT, tile.crs.to_string()), dtype=object)
            for at in np.flatnonzero(shapely.intersects(shapes, shapely.box(*tile.bounds))):
                values = _under(tile, shapes[at])
                total[at] += values.sum(dtype=np.float64) / SCALE
                count[at] += len(values)
    mean: NDArray[np.float64] = np.full(len(ground), np.nan)
    return np.divide(total, count, out=mean, where=count > 0)


def _under(tile: Any, shape: Any) -> NDArray[np.uint16]:
    """Known values of the first band under an outline: by centre, or else all that it touches."""
    try:
        window = rasterio.features.geometry_window(tile, [shape])
    except rasterio.errors.WindowError:
        return np.empty(0, np.uint16)
    values, found = tile.read(1, window=window), np.empty(0, np.uint16)
    for touched in (False, True):
        inside = rasterio.features.rasterize(
            [shape], out_shape=values.shape, transform=tile.window_transform(window),
            all_touched=touched, dtype=np.uint8,
        )  # fmt: skip
        found = values[(inside == 1) & (values != NOT_LOOKED)]
        if len(found):
            break
    return np.asarray(found, dtype=np.uint16)


def before_and_after(views: RunViews, site: str, outline: Any, label: str) -> list[Sight]:
    """One square of ground around an outline: in the last period that saw it before, and now."""
    crs = views.crs or Frame.around(outline).crs
    frame = Frame.square(outline, crs, least_m=SIDE_M, share=SHARE)
    earlier = [period.label for period in views.periods[: views.place[label]]][::-1]
    past = [_sight(views, site, frame, name) for name in earlier[:LOOKED_BACK]]
    before = next((sight for sight in past if sight.uri), past[0]) if past else None
    return [*([before] if before else []), _sight(views, site, frame, label)]


def _sight(views: RunViews, site: str, frame: Frame, label: str) -> Sight:
    rows = views.outlined
    rows = rows[(rows["period"] == label) & (rows["site_id"] == site)]
    backdrop = views.view(label, frame, width_mm=WIDE_MM, dpi=DPI).backdrop
    uri = None
    if backdrop is not None and backdrop.pixels[..., 3].any():
        rgba = np.moveaxis(backdrop.pixels, -1, 0)
        code = base64.b64encode(webp(rgba[:3], rgba[3] > 0)).decode("ascii")
        uri = f"data:image/webp;base64,{code}"
    shown = frame.bounds if backdrop is None else backdrop.bounds
    return Sight(label, uri, _rings(rows.geometry.to_numpy(), frame.crs, shown))


def _rings(
    shapes: NDArray[np.object_], crs: str, bounds: tuple[float, float, float, float]
) -> tuple[tuple[tuple[float, float], ...], ...]:
    left, bottom, right, top = bounds
    parts = shapely.get_parts(np.asarray(project(shapes, LONLAT, crs), dtype=object))
    rings = shapely.get_rings(parts)
    size = np.array([right - left, top - bottom])
    placed = (((shapely.get_coordinates(ring) - [left, top]) / size) * [1, -1] for ring in rings)
    return tuple(tuple((float(x), float(y)) for x, y in ring.round(4)) for ring in placed)


def false_alarms(
    run: RunFolder, card: Mapping[str, Any], alerts: int, looked_km2: float
) -> dict[str, Any] | None:
    """How many alerts are likely false per 1,000 km² looked at, and who says so.

    A sample of an earlier period says which share of what was mapped is no mine; alerts are taken
    to err as the map did. Failing that, the model's validation says which share of windows without
    a mine it takes for one: an upper bound, since what was a false alarm before is no alert.

    Returns:
        ``per_1000_km2``, ``from`` and ``words``; None where neither is known.
    """
    if (wrong := _sampled(run)) is not None and looked_km2 > 0:
        label, share, low, high = wrong
        scale = alerts / looked_km2 * 1000
        return {
            "per_1000_km2": round(share * scale, 3), "from": "sample",
            "low": round(low * scale, 3), "high": round(high * scale, 3),
            "words": f"from the sample of {label}, if alerts err as the map did",
        }  # fmt: skip
    said = card.get("model", {}).get("properties", {})
    rate = (said.get("minetrace:metrics") or {}).get("false_alarms_clear")
    side_m = (said.get("minetrace:window") or 0) * (said.get("minetrace:resolution_m") or 0)
    if rate is None or not side_m:
        return None
    return {
        "per_1000_km2": round(rate * 1e9 / side_m**2, 1), "from": "validation",
        "words": f"at most, from the model's validation: {rate:.1%} of windows of {side_m:g} m "
        "without a mine, in clear imagery",
    }  # fmt: skip


def _sampled(run: RunFolder) -> tuple[str, float, float, float] | None:
    """Of what was mapped in the latest sampled period the share that is none, and which that is."""
    found = {
        str(row["period"]): row["users"] for facts in kept(run) for row in facts["periods"]
        if row["users"]["value"] is not None
    }  # fmt: skip
    if not found:
        return None
    label, users = max(found.items())
    most, least = users["high"], users["low"]
    return (
        label, 1 - users["value"], 0.0 if most is None else 1 - most,
        1.0 if least is None else 1 - least,
    )  # fmt: skip
