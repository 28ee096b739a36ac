"""Write chips as one Zarr v3 group with an index: a row for each chip, eight chips in a chunk.

    python to_zarr.py chips chips.zarr              # what minetrace chips made
    python to_zarr.py landsat_mmap landsat.zarr     # mining-net's CLUSTER/YEAR/ROW_COLUMN/features.pt

The group holds features (n, bands, rows, columns) and labels (n, 1, rows, columns), 255 where nobody
knows, and the index: bands, name, split, place, period, crs and bounds; of mining-net's tiles year,
cluster_id, tile_ix and tile_iy.
Of ``.pt`` files tensors are read and nothing else (torch's weights_only): no program in them runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from minetrace.chips.open_set import open_data_set

CHIPS_A_CHUNK = 8
TEXT = np.dtypes.StringDType()

Pixels = tuple[NDArray[Any], NDArray[Any]]  # (bands, rows, columns), (1, rows, columns)


def main(given: Path, out: Path) -> None:
    tiles = sorted(given.glob("*/*/*/features.pt"))
    count = write_tensors(tiles, out) if tiles else write_chips(given, out)
    print(f"{count} chips in {out}")


def write_chips(given: Path, out: Path) -> int:
    """A set of chips as minetrace reads it, whatever its files are."""
    data = open_data_set(given)
    index = {name: np.array([getattr(chip, name) for chip in data.chips], TEXT)
             for name in ("name", "split", "place", "period", "crs")}  # fmt: skip
    bounds = np.array([chip.bounds or (np.nan,) * 4 for chip in data.chips])

    def pixels(row: int) -> Pixels:
        image, mask = data.read(data.chips[row])
        return image, mask[None]

    write(out, len(data), pixels, {"bands": np.array(data.bands, TEXT), "bounds": bounds, **index})
    return len(data)


def write_tensors(tiles: Sequence[Path], out: Path) -> int:
    """Tiles of mining-net, whose folders say which they are."""
    import torch

    def pixels(row: int) -> Pixels:
        image, mask = (torch.load(tiles[row].with_name(name), weights_only=True).numpy()
                       for name in ("features.pt", "labels.pt"))  # fmt: skip
        return image, mask

    told = [(*path.parts[-4:-2], *path.parts[-2].split("_")) for path in tiles]
    columns = zip(
        ("cluster_id", "year", "tile_ix", "tile_iy"), zip(*told, strict=True), strict=True
    )
    write(out, len(tiles), pixels, {name: np.array(column, int) for name, column in columns})
    return len(tiles)


def write(
    out: Path, count: int, pixels: Callable[[int], Pixels], index: Mapping[str, NDArray[Any]]
) -> None:
    """A chunk at a time, so that a set may be larger than the memory."""
    group = zarr.open_group(str(out), mode="w-", zarr_format=3)
    for name, values in index.items():
        group.create_array(name, data=values)
    arrays = [
        group.create_array(name, shape=(count, *one.shape), dtype=dtype,
                           chunks=(CHIPS_A_CHUNK, *one.shape))
        for name, dtype, one in zip(("features", "labels"), ("f4", "u1"), pixels(0), strict=True)
    ]  # fmt: skip
    for start in range(0, count, CHIPS_A_CHUNK):
        stop = min(start + CHIPS_A_CHUNK, count)
        both = zip(*(pixels(row) for row in range(start, stop)), strict=True)
        for array, block in zip(arrays, both, strict=True):
            array[start:stop] = np.stack(block)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
