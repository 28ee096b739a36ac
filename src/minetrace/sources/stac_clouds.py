"""How much of the region a scene shows clear, by its own classes: not how cloudy the whole is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from rasterio.features import geometry_mask
from rasterio.windows import Window
from rasterio.windows import transform as window_transform
from shapely.geometry.base import BaseGeometry

from minetrace.core.grid import Rect
from minetrace.core.provenance import fingerprint
from minetrace.core.region import project
from minetrace.sources.image import warning_filters
from minetrace.sources.masks import MaskOptions, classify, not_seen
from minetrace.sources.options import as_json
from minetrace.sources.stac_raster import RemoteRaster
from minetrace.store.files import read_json, write_json

CLOUD_RECIPE = 1


@dataclass
class ClearShares:
    """Clear and seen pixels of the region, by item; kept in a file beside the item table."""

    path: Path
    region: BaseGeometry
    mask: MaskOptions
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path, key: str, region: BaseGeometry, mask: MaskOptions) -> ClearShares:
        """What was counted before, for the same search, region and mask."""
        outline = shapely.to_wkb(shapely.normalize(region), hex=True)
        name = fingerprint(
            {"recipe": CLOUD_RECIPE, "search": key, "mask": as_json(mask), "region": outline}
        )
        path = folder / f"{name[:16]}-clouds.json"
        kept: dict[str, Any] = read_json(path) if path.is_file() else {}
        return cls(path, region, mask, {k: (v[0], v[1]) for k, v in kept.items()})

    def fill(self, rasters: Mapping[str, RemoteRaster], pool: Executor) -> None:
        """Count what was not counted yet.

        Raises:
            ReadFailedError: a mask cannot be read; what was counted is kept all the same.
        """
        missing = {name: raster for name, raster in rasters.items() if name not in self.counts}
        if not missing:
            return
        found = {name: pool.submit(count, raster, self.region, self.mask)
                 for name, raster in missing.items()}  # fmt: skip
        wait(found.values())
        read = {name: one for name, one in found.items() if one.exception() is None}
        self.counts |= {name: one.result() for name, one in read.items()}
        write_json(self.path, {name: list(pair) for name, pair in sorted(self.counts.items())})
        for one in found.values():
            one.result()  # raises the first failure, now that the others are kept

    def cloud(self, items: Sequence[str]) -> float | None:
        """Share of the region that is not clear, as far as items show it; None if they do not."""
        clear = sum(self.counts[item][0] for item in items)
        seen = sum(self.counts[item][1] for item in items)
        return None if seen == 0 else 1 - clear / seen


def count(raster: RemoteRaster, region: BaseGeometry, options: MaskOptions) -> tuple[int, int]:
    """Clear pixels and seen pixels of a mask inside a region, dilation left out.

    Args:
        region: EPSG:4326.
    """
    sheet = raster.sheet()
    ground: Any = project(shapely.segmentize(region, 0.01), "EPSG:4326", sheet.crs)
    if not np.isfinite(ground.bounds).all():
        return 0, 0
    left, bottom, right, top = ground.bounds
    corners = [~sheet.affine * xy for xy in ((left, top), (right, bottom))]
    cols, rows = zip(*corners, strict=True)
    window = Rect(0, 0, sheet.height, sheet.width) & Rect.spanning(
        math.floor(min(rows)), math.floor(min(cols)), math.ceil(max(rows)), math.ceil(max(cols))
    )
    if window.empty:
        return 0, 0
    values = raster.read((1,), window)[0]
    there = window_transform(Window(window.col, window.row, *window.shape[::-1]), sheet.affine)
    with warning_filters:  # rasterio changes them here, too
        inside = ~geometry_mask([ground], window.shape, there)
    nodata = sheet.nodata if options.kind == "scl" else None
    clear, _ = classify(values, options, nodata)
    unseen = not_seen(values, options, nodata)
    return int((clear & inside).sum()), int((~unseen & inside).sum())
