"""Reading what earlier steps stored, as the rooms want it: any rectangle, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from minetrace.core.grid import Grid, Rect, Tile
from minetrace.core.model import Scorer
from minetrace.core.raster import NODATA, Raster
from minetrace.core.region import Coverage
from minetrace.core.scores import NOT_LOOKED, Scores
from minetrace.flow.plan import Job, Place
from minetrace.flow.sites import sites
from minetrace.predict.delineate import delineate
from minetrace.predict.sites import Site, SiteDelineator, delineate_sites
from minetrace.store.cog import Mosaic
from minetrace.store.run_folder import Key


class CompositeReader:
    """Reads composites of a place and period over any rectangle; absent tiles are not valid."""

    def __init__(self, job: Job, place: Place, mosaic: Mosaic) -> None:
        self._job, self._place, self._mosaic = job, place, mosaic
        self.bytes_read = 0

    @classmethod
    def of(cls, job: Job, period: int, place: int, around: Rect | None = None) -> CompositeReader:
        """The composites that are done: all, or those that a rectangle touches."""
        here = job.places[place]
        tiles = here.imagery_tiles if around is None else here.imagery_near(around)
        return cls(job, here, mosaic(job, "composites", period, here, tiles, 1, NODATA))

    def __call__(self, rect: Rect) -> Raster:
        """Bands of the composite."""
        bands = self._job.bands
        pixels = self._mosaic.read(rect, range(1, len(bands) + 1), np.int16)
        self.bytes_read += pixels.nbytes
        return Raster(bands, pixels, pixels[0] != NODATA, self._place.grid.geobox(rect))


class ScoreReader:
    """Reads what is outlined: scores, decoded scores, or their delineation inside detections."""

    def __init__(self, job: Job, period: int, place: int, scores: Mosaic) -> None:
        self._job, self._period, self._place_no, self._scores = job, period, place, scores
        self._sites: tuple[Site, ...] | None = None
        self.bytes_read = 0

    @classmethod
    def of(cls, job: Job, period: int, place: int) -> ScoreReader:
        """The scores that are done, decoded through time if the study asks for it."""
        here, cell_px = job.places[place], job.scorer.card.cell_px
        kind = "scores" if job.decoder is None else "decoded"
        tiles = mosaic(job, kind, period, here, here.tiles, cell_px, NOT_LOOKED)
        return cls(job, period, place, tiles)

    @property
    def _cell_px(self) -> int:
        return self._job.scorer.card.cell_px

    @property
    def _bands(self) -> tuple[int, int]:
        """What is averaged, and what is thresholded: they differ for windows that overlap."""
        windows = self._job.scorer.card.output == "patch" and self._job.decoder is None
        return (1, 2) if windows else (1, 1)

    @property
    def grid(self) -> Grid:
        """The grid of what is outlined."""
        grid = self._job.places[self._place_no].grid
        return grid if self._job.delineator else grid.coarsened(self._cell_px)

    @property
    def rects(self) -> list[Rect]:
        """The rectangles to outline, on that grid."""
        factor = self._cell_px if self._job.delineator else 1
        return [rect.scaled(factor) for rect, _ in self._scores.places]

    def __call__(self, rect: Rect) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        """What is thresholded, and what is averaged: the same for a pixel model."""
        if self._job.delineator is not None:
            inside = self._delineated(rect, self._job.delineator)
            return inside, inside
        detect, value = self._scores.read(rect, self._bands[::-1], np.uint16)
        self.bytes_read += detect.nbytes + value.nbytes
        return detect, value

    def _delineated(
        self, rect: Rect, delineator: Scorer | SiteDelineator
    ) -> NDArray[np.uint16]:  # fmt: skip
        job, place, s = self._job, self._job.places[self._place_no], self._cell_px
        cells = rect.snapped(s).cells(s)
        values = self._scores.read(cells, self._bands, np.uint16)
        scores = Scores(("mean", "max"), values, place.grid.coarsened(s).geobox(cells))
        near: tuple[Site, ...] = ()
        reach = rect.expand(delineator.card.window)
        if isinstance(delineator, SiteDelineator):
            near = tuple(site for site in self._all_sites() if not (site.box & rect).empty)
            reach = reduce(Rect.__or__, (delineator.frame(site) for site in near), rect)
        composites = CompositeReader.of(job, self._period, self._place_no, reach)
        given = scores, cells, composites
        if isinstance(delineator, SiteDelineator):
            found = delineate_sites(
                *given, delineator, near, place.grid, rect, threshold=job.threshold
            )
        else:
            found = delineate(*given, delineator, place.grid, rect, threshold=job.threshold)
        self.bytes_read += composites.bytes_read
        return np.where(place.coverage.mask(rect), found.values[0], np.uint16(NOT_LOOKED))

    def _all_sites(self) -> tuple[Site, ...]:
        """Every site of the period and place, found once."""
        if self._sites is None:
            grid = self._job.places[self._place_no].grid.coarsened(self._cell_px)
            rects = [rect for rect, _ in self._scores.places]
            self._sites = sites(rects, self._highest, grid, self._cell_px,
                                threshold=self._job.threshold)  # fmt: skip
        return self._sites

    def _highest(self, cells: Rect) -> NDArray[np.uint16]:
        found: NDArray[np.uint16] = self._scores.read(cells, self._bands[1:], np.uint16)[0]
        return found


def mosaic(
    job: Job, kind: str, period: int, place: Place, tiles: Sequence[Tile], cell_px: int, nodata: int
) -> Mosaic:
    """The tiles of a kind that are done, as one raster."""
    label = job.periods[period].label
    found = []
    for tile in tiles:
        key = Key(kind, label, tile.id)
        if job.run.bring(key):
            found.append((tile.rect.cells(cell_px), job.run.path(key)))
    return Mosaic(tuple(found), nodata)


def cell_coverage(place: Place, cell_px: int, cells: Rect) -> NDArray[np.bool_]:
    """Which cells belong to the region: those whose centre lies inside."""
    return Coverage(place.coverage.geometry, place.grid.coarsened(cell_px)).mask(cells)
