"""Kinds of imagery on top of each other: each composed for itself, valid where all are."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from minetrace.composites.methods import begin
from minetrace.composites.stack import Stack, kinds_of
from minetrace.core.grid import Grid, Rect
from minetrace.core.raster import NODATA, Raster

BOX = Grid("EPSG:32719", 20.0).geobox(Rect(0, 0, 1, 3))
OPTICAL, RADAR = ("red", "nir08"), ("vv",)


def look(bands: tuple[str, ...], value: int, *clear: int) -> Raster:
    valid = np.array([[bool(c) for c in clear]])
    pixels = np.where(valid, np.int16(value), np.int16(NODATA))
    return Raster(bands, np.stack([pixels] * len(bands)), valid, BOX)


def test_a_pixel_is_valid_where_every_kind_saw_it() -> None:
    stack = Stack((OPTICAL, RADAR), partial(begin, "median"))
    stack.feed(1, look(OPTICAL, 100, 1, 1, 0))
    stack.feed(9, look(OPTICAL, 300, 1, 0, 0))
    stack.feed(5, look(RADAR, -1200, 1, 1, 1))
    made = stack.result(("vv", "red", "nir08"), BOX)
    assert made.valid.tolist() == [[True, True, False]]
    assert made.pixels[:, 0].tolist() == [
        [-1200, -1200, NODATA], [200, 100, NODATA], [200, 100, NODATA],
    ]  # fmt: skip
    assert made.clear_looks.tolist() == [[1, 1, 0]]
    assert made.median_day[0, :2].tolist() == [5, 1]


def test_a_kind_that_nobody_took_leaves_everything_not_looked() -> None:
    stack = Stack((OPTICAL, RADAR), partial(begin, "mean"))
    stack.feed(1, look(OPTICAL, 100, 1, 1, 1))
    made = stack.result((*OPTICAL, *RADAR), BOX)
    assert not made.valid.any()
    assert (made.pixels == NODATA).all()


def test_one_look_at_terrain_is_enough_and_is_not_counted() -> None:
    terrain = ("elevation", "slope")
    stack = Stack((terrain, OPTICAL), partial(begin, "median", 2), partial(begin, "median"))
    for day in (3, 5, 7):
        stack.feed(day, look(OPTICAL, 100 * day, 1, 1, 0))
    stack.feed(0, look(terrain, 400, 1, 0, 1))
    made = stack.result((*OPTICAL, *terrain), BOX)
    assert made.valid.tolist() == [[True, False, False]]
    assert made.clear_looks.tolist() == [[3, 3, 0]]
    assert made.median_day[0, 0] == 5
    assert made.pixels[:, 0, 0].tolist() == [500, 500, 400, 400]


def test_kinds_go_by_what_sources_have() -> None:
    wanted = ("red", "nir08", "vv")
    assert kinds_of(wanted, [("red", "nir08"), ("vv", "vh"), ("nir08", "red")]) == [OPTICAL, RADAR]
    assert kinds_of(("red",), [("red", "blue"), ("vv",)]) == [("red",)]
    with pytest.raises(ValueError, match="no kind of the stack"):
        Stack((RADAR,), partial(begin, "mean")).feed(1, look(OPTICAL, 1, 1, 1, 1))
