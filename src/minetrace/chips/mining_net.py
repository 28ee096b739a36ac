"""What a Zarr group of mining-net leaves unsaid: its bands, and where on the ground its tiles lie.

Their tiles lie on one lattice of the world in degrees. Its index counts rows first, from the north:
``tile_ix`` is a tile's row and ``tile_iy`` its column, since that is the order of odc-geo.

Source of the layout: mining-net, https://github.com/felixschulz385/mining-net, ``data.zarr`` of
``convert_to_zarr_and_benchmark.ipynb``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from minetrace.chips.options import SetOptions
from minetrace.core.data_set import Chip

BANDS = ("blue", "green", "red", "nir08", "swir16", "swir22", "lwir11")
TILE, YEARS = ("tile_ix", "tile_iy"), ("year", "years")  # their groups have one of the latter
PIXEL_DEG, PIXEL_M = 0.000269495, 30.0
UNSEEN = 0.0  # what they write where nothing was seen
_NORTH, _WEST = math.ceil(90 / PIXEL_DEG) * PIXEL_DEG, math.floor(-180 / PIXEL_DEG) * PIXEL_DEG


def is_mining_net(arrays: Mapping[str, Any]) -> bool:
    """Whether arrays of these names are a group of theirs."""
    return {"features", "labels", "tile_ix", "tile_iy"} <= set(arrays)


def said(options: SetOptions, bands: int) -> SetOptions:
    """What holds for every group of theirs, under what the user says."""
    return replace(
        options,
        bands=options.bands or (BANDS if bands == len(BANDS) else ()),
        nodata=options.nodata or (UNSEEN,),
        resolution_m=options.resolution_m or PIXEL_M,
    )


def was_written(year: int) -> bool:
    """Whether a row holds a tile: until then, and where writing failed, its year is none."""
    return year > 0


def ground(chip: Chip, tile: Sequence[int], side_px: int) -> Chip:
    """A chip with the ground that it shows: a tile is one place in whatever cluster and year.

    Args:
        chip: of one tile.
        tile: its row from the north and its column from the west.
        side_px: of a tile, 64 or 256.
    """
    row, column = tile
    side = side_px * PIXEL_DEG
    west, north = _WEST + column * side, _NORTH - row * side
    place = chip.place or f"{row}_{column}"
    return replace(chip, place=place, crs="EPSG:4326",
                   bounds=(west, north - side, west + side, north))  # fmt: skip
