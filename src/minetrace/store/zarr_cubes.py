"""Fetched pixels as Zarr v3: a cube for each piece of ground, with a slot for each scene over it.

A slot is one shard, so that one file holds one scene: it is written, checked and replaced alone, as
a COG would be. A cube is a group by itself, with ``pixels`` (scene, band, y, x) and coordinates, so
that ``xarray.open_zarr`` reads it as it lies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minetrace.core.grid import Grid, Rect
from minetrace.core.raster import NODATA, stored_scale
from minetrace.errors import MissingExtraError, ReadFailedError
from minetrace.store.files import write_whole

CHUNK_PX = 256
PIXELS = "pixels"
_DIMENSIONS = ("scene", "band", "y", "x")
_EPOCH = date(1970, 1, 1)
_NEVER = np.iinfo(np.int64).min  # the day of a slot that holds no scene: xarray's NaT


@dataclass(frozen=True)
class Cube:
    """One piece of ground.

    Attributes:
        folder: of its group.
        bands: common names, in the order of the pixels.
        grid, rect: where its pixels are.
    """

    folder: Path
    bands: tuple[str, ...]
    grid: Grid
    rect: Rect


def slot_path(cube: str, slot: int) -> str:
    """The file of a slot, from the cube's path."""
    return f"{cube}/{PIXELS}/c/{slot}/0/0/0"


def slot_of(path: str) -> tuple[str, int] | None:
    """The cube's path and the slot that a file is; None if it is no slot."""
    parts = PurePosixPath(path).parts
    if len(parts) < 7 or parts[-6:-4] != (PIXELS, "c") or not parts[-4].isdecimal():
        return None
    return str(PurePosixPath(*parts[:-6])), int(parts[-4])


def need_zarr() -> Any:
    """The library.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import zarr
    except ImportError as error:
        raise MissingExtraError(
            "a Zarr store needs the package zarr: pip install 'minetrace[zarr]'"
        ) from error
    return zarr


def lay_out(cube: Cube, slots: int) -> None:
    """Make a cube's group with so many empty slots, or give one that is there more."""
    zarr = need_zarr()
    if (cube.folder / PIXELS / "zarr.json").is_file():
        pixels = zarr.open_array(str(cube.folder / PIXELS), mode="r+", zarr_format=3)
        if pixels.shape[0] < slots:
            pixels.resize((slots, *pixels.shape[1:]))
        return
    group = zarr.open_group(str(cube.folder), mode="a", zarr_format=3)
    grid, rect, half = cube.grid, cube.rect, cube.grid.resolution_m / 2
    bounds = grid.bounds(rect)
    _coordinate(group, "band", np.array(cube.bands, dtype=object), dtype=str)
    x = bounds[0] + half + grid.resolution_m * np.arange(rect.width)
    y = bounds[3] - half - grid.resolution_m * np.arange(rect.height)
    _coordinate(group, "x", x, {"units": "m"})
    _coordinate(group, "y", y, {"units": "m"})
    _array(group, cube, slots)


def write_slot(cube: Cube, slot: int, rect: Rect, pixels: NDArray[np.int16]) -> Path:
    """Write a scene whole, and return its file.

    Args:
        rect: of the lattice, within the cube's: what the scene shows of it.
        pixels: (bands, height, width) of that, NODATA where not valid.
    """
    zarr = need_zarr()
    held: dict[str, Any] = {}
    # a shard does not know its number: made in memory as the first, so that only a whole file
    # takes its place on the disk
    group = zarr.create_group(zarr.storage.MemoryStore(held), zarr_format=3)
    _array(group, cube, 1)[(0, slice(None), *rect.within(cube.rect))] = pixels
    content = held[slot_path("", 0).lstrip("/")].to_bytes()
    path = Path(slot_path(str(cube.folder), slot))
    write_whole(path, lambda part: _put(part, content))
    return path


def read_slot(
    folder: Path, slot: int, indexes: Sequence[int], rect: Rect
) -> list[NDArray[np.int16]]:
    """Bands (from 1) of a rectangle of the lattice that lies inside a cube.

    Raises:
        ReadFailedError: the slot's file is not there or is cut short.
        MissingExtraError: zarr is not installed.
    """
    path = Path(slot_path(str(folder), slot))
    numbers = [index - 1 for index in indexes]
    first, stop = min(numbers), max(numbers) + 1
    try:
        changed_ns = path.stat().st_mtime_ns  # zarr would take a missing file for an empty slot
        cube = _opened(folder, changed_ns)
        corner = Rect(cube.attrs["row"], cube.attrs["col"], *cube.shape[2:])
        found = np.asarray(cube[(slot, slice(first, stop), *rect.within(corner))])
    except MissingExtraError:
        raise
    except Exception as error:  # zarr raises what its store or codec raises
        raise ReadFailedError(
            f"{path}: its pixels cannot be read, perhaps it is cut short "
            f"({' '.join(str(error).split())[:200]}); fetch the study again"
        ) from error
    return [found[number - first] for number in numbers]


def label(folder: Path, slots: Mapping[int, tuple[str, date]]) -> None:
    """Write down which scene each slot of a cube holds, and its day."""
    group = need_zarr().open_group(str(folder), mode="a", zarr_format=3)
    count = group[PIXELS].shape[0]
    names = np.array([slots[i][0] if i in slots else "" for i in range(count)], dtype=object)
    days = [(slots[i][1] - _EPOCH).days if i in slots else _NEVER for i in range(count)]
    _coordinate(group, "scene", names, dtype=str)
    _coordinate(group, "time", np.array(days, np.int64), {"units": "days since 1970-01-01"},
                dimension="scene")  # fmt: skip


def side_files(folder: Path) -> list[Path]:
    """Every file of a cube that is not a scene's."""
    return sorted(path for path in folder.rglob("*")
                  if path.is_file() and slot_of(path.as_posix()) is None)  # fmt: skip


def _array(group: Any, cube: Cube, slots: int) -> Any:
    from zarr.codecs import BloscCodec

    scales = {stored_scale(band) for band in cube.bands}
    shape = len(cube.bands), *cube.rect.shape
    shard = [-(-side // CHUNK_PX) * CHUNK_PX for side in cube.rect.shape]
    return group.create_array(
        PIXELS, shape=(slots, *shape), dtype="int16", fill_value=NODATA,
        chunks=(1, 1, CHUNK_PX, CHUNK_PX), shards=(1, len(cube.bands), *shard),
        compressors=BloscCodec(cname="zstd", clevel=3, shuffle="shuffle"),
        dimension_names=_DIMENSIONS,
        attributes={
            "_FillValue": NODATA, "scales": [stored_scale(band) for band in cube.bands],
            **({"scale_factor": scales.pop()} if len(scales) == 1 else {}),
            "crs": cube.grid.crs, "resolution_m": cube.grid.resolution_m,
            "row": cube.rect.row, "col": cube.rect.col, "coordinates": "time",
        },
    )  # fmt: skip


def _coordinate(
    group: Any, name: str, values: NDArray[Any], attributes: Mapping[str, Any] | None = None, *,
    dtype: Any = None, dimension: str = "",
) -> None:  # fmt: skip
    array = group.create_array(
        name, shape=values.shape, dtype=dtype or values.dtype, chunks=values.shape,
        dimension_names=(dimension or name,), attributes=dict(attributes or {}), overwrite=True,
    )  # fmt: skip
    array[:] = values


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


@lru_cache(maxsize=48)
def _opened(folder: Path, _changed_ns: int) -> Any:
    return need_zarr().open_array(str(folder / PIXELS), mode="r", zarr_format=3)
