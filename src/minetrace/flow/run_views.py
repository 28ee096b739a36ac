"""Views of a run for its figures: stored composites, scores and outlines over a frame.

All comes from the run folder, so that a run can be drawn where its imagery is no longer at hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio.features
import shapely
from numpy.typing import NDArray
from shapely.geometry import shape as as_shape
from shapely.geometry.base import BaseGeometry

from minetrace.core.footprints import Extent
from minetrace.core.grid import Grid, Rect
from minetrace.core.period import Period, ordered
from minetrace.core.raster import NODATA, Raster
from minetrace.core.region import project
from minetrace.errors import MissingFileError, RunError
from minetrace.publish.colours import Recipe, recipe_for
from minetrace.publish.figures.frame import LONLAT, Frame
from minetrace.publish.figures.view import Backdrop, View, cell_for
from minetrace.publish.picture import Stretch, shade
from minetrace.store.coarse import Header, read_onto
from minetrace.store.files import read_json
from minetrace.store.outlines import read_region, read_table
from minetrace.store.run_folder import RunFolder
from minetrace.store.stored import stored_tiles

SAMPLE_PX = 160  # side of the coarse picture of a period that the brightness is taken from
MASK_MM = 0.25  # fineness on paper of what was not looked at


@dataclass(frozen=True)
class RunViews:
    """A run as its figures see it.

    Attributes:
        folder: where it is.
        panel: one row per site and period.
        periods: in time order.
        region: EPSG:4326; None where the run does not say it.
        card: ``datacard.json``; empty where there is none.
        note: ``panel.json`` of a panel made of files; empty where a run mapped it.
    """

    folder: RunFolder
    panel: gpd.GeoDataFrame
    periods: tuple[Period, ...]
    region: BaseGeometry | None
    card: Mapping[str, Any]
    note: Mapping[str, Any]

    @classmethod
    def open(cls, root: Path) -> RunViews:
        """A run folder that has come as far as its panel.

        Raises:
            MissingFileError: there is no such folder.
            RunError: it holds no panel.
        """
        folder = RunFolder(root)
        if not root.is_dir():
            raise MissingFileError(f"{root}: no such run folder; give what --out of a run named")
        path = root / "panel.parquet"
        if not path.is_file():
            raise RunError(
                f"{root}: has no panel.parquet, so there is nothing to draw; "
                "'minetrace run' makes it, or goes on to make it"
            )
        panel = read_table(path)
        card, note = (
            read_json(root / name) if (root / name).is_file() else {}
            for name in ("datacard.json", "panel.json")
        )
        return cls(folder, panel, _periods(folder, panel), _region(folder), card, note)

    @property
    def extent(self) -> Extent:
        """What an outline of this run means."""
        return "footprint" if "footprint_ha" in self.panel.columns else "mined"

    @property
    def hectares(self) -> str:
        """The column that holds hectares."""
        return "area_ha" if self.extent == "mined" else "footprint_ha"

    @property
    def looked(self) -> dict[str, float]:
        """Share of the region that was looked at by period label, where the run says it."""
        rows = self.card.get("periods", ())
        return {str(row["period"]): float(row["looked_share"]) for row in rows
                if row.get("looked_share") is not None}  # fmt: skip

    @cached_property
    def outlined(self) -> gpd.GeoDataFrame:
        """Rows with an outline."""
        found = self.panel[self.panel.geometry.notna()]
        return found[~found.geometry.is_empty]

    @cached_property
    def place(self) -> Mapping[str, int]:
        """Place in time of each period's label."""
        return {period.label: i for i, period in enumerate(self.periods)}

    @cached_property
    def composites(self) -> dict[str, tuple[Header, ...]]:
        """Stored composites by period label."""
        return self._stored("composites")

    @cached_property
    def scores(self) -> dict[str, tuple[Header, ...]]:
        """Stored scores by period label."""
        return self._stored("scores")

    def _stored(self, kind: str) -> dict[str, tuple[Header, ...]]:
        return {period.label: _headers(self.folder, kind, period.label) for period in self.periods}

    @cached_property
    def recipe(self) -> Recipe | None:
        """How a picture is mixed; None where there is nothing to mix it from."""
        first = next((line[0] for line in self.composites.values() if line), None)
        return None if first is None else recipe_for(first.bands)

    @property
    def finest_m(self) -> float:
        """Side of a pixel of the composites."""
        return min(
            (h.resolution_m for line in self.composites.values() for h in line), default=10.0
        )

    @property
    def crs(self) -> str | None:
        """The CRS of all composites, if they share one."""
        found = {h.crs for line in self.composites.values() for h in line}
        return found.pop() if len(found) == 1 else None

    @cached_property
    def ground(self) -> BaseGeometry:
        """What the figures have to show, EPSG:4326: the region, or else the outlines.

        Raises:
            RunError: the run has neither.
        """
        if self.region is not None:
            return self.region
        if len(self.outlined):
            around: BaseGeometry = shapely.box(*self.outlined.total_bounds)
            return around
        raise RunError(f"{self.folder.root}: has neither a region nor an outline to draw")

    @cached_property
    def frame(self) -> Frame:
        """The frame around all of it."""
        return Frame.around(self.ground, self.crs)

    @cached_property
    def stretch(self) -> Stretch:
        """One brightness for all pictures of the run, from a coarse look at every period."""
        recipe = self._recipe()
        cell_m = max(max(self.frame.width_m, self.frame.height_m) / SAMPLE_PX, self.finest_m)
        grid, rect = self.frame.lattice(cell_m)
        samples = []
        for headers in self.composites.values():
            raster = self._raster(headers, recipe, grid, rect)
            samples.append(recipe.mix(raster)[:, raster.valid])
        brightness: Stretch = recipe.stretch(samples)
        return brightness

    def _recipe(self) -> Recipe:
        if self.recipe is None:
            raise RunError(f"{self.folder.root}: no composites with bands that make a picture")
        return self.recipe

    def view(
        self, period: str, frame: Frame, *, width_mm: float, dpi: int, site: str | None = None
    ) -> View:
        """One period over a frame, as fine as print of a width can show.

        Args:
            site: draw its outline strong and those around it faint.
        """
        rows = self.outlined[self.outlined["period"] == period]
        shapes = np.asarray(project(rows.geometry.to_numpy(), LONLAT, frame.crs), dtype=object)
        near = np.array(shapely.intersects(shapes, frame.shape), dtype=bool)
        rows, shapes = rows[near], shapes[near]
        cohort = rows["first_period"].map(self.place).to_numpy(dtype=np.intp)
        focus = None if site is None else (rows["site_id"] == site).to_numpy(dtype=bool)
        region = None if self.region is None else self._projected_region(frame.crs)
        return View(
            frame, period, shapes, cohort, self._backdrop(period, frame, width_mm, dpi),
            self._unlooked(period, frame, width_mm), region, focus,
        )  # fmt: skip

    def _projected_region(self, crs: str) -> BaseGeometry:
        bent: BaseGeometry = project(shapely.segmentize(self.ground, 0.01), LONLAT, crs)
        return bent

    def _backdrop(self, period: str, frame: Frame, width_mm: float, dpi: int) -> Backdrop | None:
        return self.backdrop(period, frame, cell_for(frame, width_mm, dpi, self.finest_m))

    def backdrop(self, period: str, frame: Frame, cell_m: float) -> Backdrop | None:
        """The picture of a period over a frame, without outlines; None where none is stored."""
        headers = self.composites[period]
        if self.recipe is None or not headers:
            return None
        own = frame.crs == headers[0].crs
        grid, rect = frame.lattice(cell_m, headers[0].offset_m if own else 0.0)
        raster = self._raster(headers, self.recipe, grid, rect)
        colours = shade(self.recipe.mix(raster).astype(np.float32), self.stretch)
        opacity = np.where(raster.valid, 255, 0).astype(np.uint8)
        pixels = np.moveaxis(np.concatenate([colours, opacity[None]]), 0, -1)
        return Backdrop(np.ascontiguousarray(pixels), grid.bounds(rect))

    def _raster(self, headers: Sequence[Header], recipe: Recipe, grid: Grid, rect: Rect) -> Raster:
        if not headers:
            empty = np.full((len(recipe.bands), *rect.shape), NODATA, dtype=np.int16)
            return Raster(recipe.bands, empty, empty[0] != NODATA, grid.geobox(rect))
        own = headers[0].crs == grid.crs and headers[0].resolution_m == grid.resolution_m
        numbers = [headers[0].bands.index(band) + 1 for band in recipe.bands]
        values = read_onto(headers, numbers, grid, rect, smooth=not own)
        valid = np.asarray(~np.isnan(values).any(axis=0))
        pixels = np.where(valid, np.rint(values), NODATA).astype(np.int16)
        return Raster(recipe.bands, pixels, valid, grid.geobox(rect))

    def _unlooked(self, period: str, frame: Frame, width_mm: float) -> BaseGeometry | None:
        """Ground of the region inside the frame that has no score; None if that is not stored."""
        if self.region is None or not any(self.scores.values()):
            return None
        headers = self.scores[period]
        cell_m = max(frame.width_m / width_mm * MASK_MM, self.finest_m)
        grid, rect = frame.lattice(cell_m)
        looked = ~np.isnan(read_onto(headers, (1,), grid, rect, smooth=False)[0])
        inside = _burn(self._projected_region(frame.crs), grid, rect)
        return _polygons(inside & ~looked, grid, rect)


def _burn(ground: BaseGeometry, grid: Grid, rect: Rect) -> NDArray[np.bool_]:
    if not ground.intersects(shapely.box(*grid.bounds(rect))):
        return np.zeros(rect.shape, dtype=bool)
    burnt = rasterio.features.rasterize(
        [ground], out_shape=rect.shape, transform=grid.affine(rect), dtype=np.uint8
    )
    return np.asarray(burnt, dtype=bool)


def _polygons(mask: NDArray[np.bool_], grid: Grid, rect: Rect) -> BaseGeometry:
    found = rasterio.features.shapes(
        mask.astype(np.uint8), mask=mask, transform=grid.affine(rect), connectivity=4
    )
    parts: Any = [as_shape(polygon) for polygon, _ in found]
    return shapely.MultiPolygon(parts)


def _headers(folder: RunFolder, kind: str, label: str) -> tuple[Header, ...]:
    """What is done of a kind and period: an artefact without its sidecar does not exist."""
    return tuple(Header.read(folder.path(key)) for key in stored_tiles(folder, kind, label))


def _periods(folder: RunFolder, panel: gpd.GeoDataFrame) -> tuple[Period, ...]:
    """The study's periods; where there is no study, those that the panel names."""
    if folder.study.is_file():
        from minetrace.flow.study import Study

        return Study.read(folder.study).timeline
    rows: Any = pd.DataFrame(panel[["period", "start", "end"]]).drop_duplicates("period")
    if rows.empty:
        raise RunError(f"{folder.root}: an empty panel and no study.yaml, so no periods are known")
    return ordered(
        Period(row.start.date(), row.end.date(), str(row.period)) for row in rows.itertuples()
    )  # fmt: skip


def _region(folder: RunFolder) -> BaseGeometry | None:
    """The region as the run kept it, or as the study names it where that is still at hand."""
    kept = folder.root / "region.geojson"
    if kept.is_file():
        return read_region(kept)
    if not folder.study.is_file():
        return None
    from minetrace.flow.plan import read_study_region
    from minetrace.flow.study import Study

    try:
        return read_study_region(Study.read(folder.study)).geometry
    except MissingFileError:  # a run that was handed on without it
        return None
