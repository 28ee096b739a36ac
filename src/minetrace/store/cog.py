"""Cloud-optimised GeoTIFFs in and out, and windows over many of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile
from rasterio.windows import Window

from minetrace.core.grid import Grid, Rect
from minetrace.errors import ReadFailedError
from minetrace.store.handles import closed_at_exit

BLOCK = 256


def write_cog(
    path: Path,
    pixels: NDArray[Any],
    grid: Grid,
    rect: Rect,
    *,
    names: Sequence[str],
    nodata: float,
    scales: Sequence[float] = (),
    tags: Mapping[str, str] | None = None,
    overviews: str = "NONE",
) -> None:
    """Write bands as a COG, ZSTD compressed.

    Args:
        pixels: (bands, height, width), covering ``rect`` of ``grid``.
        names: one description per band.
        scales: physical value per count, per band; 1 where left out.
        overviews: resampling for overviews, or NONE to make none.
    """
    profile = {
        "driver": "GTiff", "count": len(pixels), "dtype": pixels.dtype, "nodata": nodata,
        "height": rect.height, "width": rect.width, "crs": grid.crs,
        "transform": grid.affine(rect), "interleave": "band",
        "tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "sparse_ok": True,
    }  # fmt: skip
    options = {
        "COMPRESS": "ZSTD", "LEVEL": "3", "PREDICTOR": "YES", "BLOCKSIZE": str(BLOCK),
        "NUM_THREADS": "1", "BIGTIFF": "IF_SAFER",
        "OVERVIEWS": "NONE" if overviews == "NONE" else "AUTO",
    }  # fmt: skip
    factors = [2**n for n in range(1, 32) if max(rect.shape) >> (n - 1) > BLOCK]
    with MemoryFile() as memory:
        with memory.open(**profile) as target:
            target.write(pixels)
            target.descriptions = tuple(names)
            if scales:
                target.scales = tuple(scales)
            target.update_tags(**(tags or {}))
        if factors and overviews != "NONE":  # the COG driver's own go through a compressed file
            with rasterio.open(memory.name, "r+") as target:
                target.build_overviews(factors, Resampling[overviews.lower()])
        # made in memory, since GDAL does not say that a disk is full in words that can be known
        with memory.open() as source, MemoryFile(ext=".tif") as made:
            rasterio.shutil.copy(source, made.name, driver="COG", **options)
            path.write_bytes(made.read())


@closed_at_exit
@lru_cache(maxsize=48)
def _opened(path: Path, _changed_ns: int) -> rasterio.DatasetReader:
    return rasterio.open(path)


def read_cog(path: Path, bands: Sequence[int], window: Window) -> NDArray[Any]:
    """Bands (1-based) of a pixel window of a COG: (bands, height, width).

    Raises:
        ReadFailedError: the file is not there or is cut short.
    """
    try:
        source = _opened(path, path.stat().st_mtime_ns)
        return np.asarray(source.read(list(bands), window=window))
    except (OSError, RasterioError) as error:
        raise ReadFailedError(
            f"{path}: cannot be read ({error}); delete it and run again to make it anew"
        ) from error


def band_names(path: Path) -> tuple[str, ...]:
    """The descriptions of a COG's bands."""
    return tuple(str(name) for name in _opened(path, path.stat().st_mtime_ns).descriptions)


@dataclass(frozen=True)
class Mosaic:
    """Many COGs on one lattice, read as if they were one.

    Attributes:
        places: the rectangle that each file covers, and its path.
        nodata: what pixels get where there is no file.
    """

    places: tuple[tuple[Rect, Path], ...]
    nodata: int
    _by_block: dict[tuple[int, int], list[int]] = field(
        default_factory=dict, compare=False, repr=False
    )

    def __post_init__(self) -> None:
        for number, (rect, _) in enumerate(self.places):
            for spot in self._spots(rect):
                self._by_block.setdefault(spot, []).append(number)

    @staticmethod
    def _spots(rect: Rect) -> list[tuple[int, int]]:
        return [(block.row, block.col) for block in rect.blocks(2048)]

    def near(self, rect: Rect) -> list[tuple[Rect, Path]]:
        """The files that a rectangle touches, in row-major order."""
        numbers = {n for spot in self._spots(rect) for n in self._by_block.get(spot, ())}
        found = (self.places[n] for n in numbers)
        return sorted(place for place in found if not (place[0] & rect).empty)

    def read(self, rect: Rect, bands: Sequence[int], dtype: Any) -> NDArray[Any]:
        """Bands (1-based) of any rectangle: (bands, height, width), nodata where no file is.

        Raises:
            ReadFailedError: a file is cut short.
        """
        pixels = np.full((len(bands), *rect.shape), self.nodata, dtype=dtype)
        for place, path in self.near(rect):
            part = place & rect
            rows, cols = part.within(place)
            window = Window.from_slices(rows, cols)
            here_rows, here_cols = part.within(rect)
            pixels[:, here_rows, here_cols] = read_cog(path, bands, window)
        return pixels
