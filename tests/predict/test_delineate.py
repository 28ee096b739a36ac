"""Mined ground inside detections."""

from __future__ import annotations

import numpy as np
import pytest

from minetrace.core.grid import Grid, Rect
from minetrace.core.raster import Raster
from minetrace.core.scores import NOT_LOOKED, Scores
from minetrace.predict.delineate import delineate
from minetrace.predict.scan import scan
from minetrace.predict.spectral import Spectral

GRID = Grid("EPSG:32721", 10.0)
SIX = ("blue", "green", "red", "nir", "swir16", "swir22")
MUD, FOREST = (900, 1400, 2050, 2900, 3600, 3000), (220, 450, 240, 3800, 1800, 750)
CELLS, CELL = Rect(-40, 10, 80, 70), 8


def read(rect: Rect) -> Raster:
    """Stripes of mud in a forest, one row in thirteen not seen."""
    row = np.arange(rect.row, rect.row_stop)[:, None]
    col = np.arange(rect.col, rect.col_stop)[None, :]
    mud = ((row + 2 * col) // 20) % 3 == 0
    pixels = np.where(mud, np.array(MUD)[:, None, None], np.array(FOREST)[:, None, None])
    valid = np.broadcast_to(row % 13 != 0, mud.shape).copy()
    return Raster(SIX, pixels.astype(np.int16), valid, GRID.geobox(rect))


@pytest.fixture(scope="module")
def scores() -> Scores:
    rng = np.random.default_rng(2)
    highest = rng.integers(0, 10_000, CELLS.shape).astype(np.uint16)
    highest[rng.random(CELLS.shape) < 0.1] = NOT_LOOKED
    mean = np.where(highest == NOT_LOOKED, NOT_LOOKED, highest // 2).astype(np.uint16)
    return Scores(("mean", "max"), np.stack([mean, highest]), GRID.coarsened(CELL).geobox(CELLS))


def test_mined_ground_inside_detections_and_nothing_else(scores: Scores) -> None:
    rect, scorer = CELLS.scaled(CELL), Spectral.over(SIX)
    found = delineate(scores, CELLS, read, scorer, GRID, rect, threshold=0.7).values[0]
    highest = scores.band("max").repeat(CELL, 0).repeat(CELL, 1)
    spectral = next(scan(read, scorer, GRID, [rect]))[1].values[0]
    valid = read(rect).valid
    looked = (highest != NOT_LOOKED) & valid
    mined = looked & (highest >= 7000) & (spectral >= 5000)
    assert (found == np.where(looked, np.where(mined, highest, 0), NOT_LOOKED)).all()
    assert 0.02 < mined.mean() < 0.2
    # thresholding what comes out at the same threshold gives the mined ground back
    assert ((found >= 7000) & (found != NOT_LOOKED) == mined).all()


def test_the_cut_does_not_show(scores: Scores) -> None:
    whole, scorer = CELLS.scaled(CELL), Spectral.over(SIX)
    full = delineate(scores, CELLS, read, scorer, GRID, whole, threshold=0.7).values[0]
    for rect in (Rect(-301, 97, 203, 190), Rect(0, 256, 256, 256), Rect(17, 300, 1, 5)):
        part = delineate(scores, CELLS, read, scorer, GRID, rect, threshold=0.7)
        assert part.geobox == GRID.geobox(rect)
        assert (part.values[0] == full[rect.within(whole)]).all()


def test_no_detection_is_zero_where_looked(scores: Scores) -> None:
    rect = Rect(0, 160, 64, 64)
    found = delineate(scores, CELLS, read, Spectral.over(SIX), GRID, rect, threshold=0.99999)
    assert set(np.unique(found.values)) <= {0, NOT_LOOKED}
