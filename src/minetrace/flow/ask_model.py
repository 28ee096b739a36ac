"""A run's model, asked about a small area of its own pictures or about somebody's picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from minetrace.core.bands import COMMON_NAMES
from minetrace.core.grid import Grid, Rect
from minetrace.core.model import Scorer
from minetrace.core.raster import NODATA, Raster
from minetrace.core.region import project
from minetrace.core.scores import Scores, decode
from minetrace.errors import ModelError, RasterError, RegionError
from minetrace.flow.models import not_for, open_model
from minetrace.flow.published import Published
from minetrace.flow.score import FileImage
from minetrace.flow.study import Study
from minetrace.predict.scan import ScanOptions, scan
from minetrace.publish.words import INTERVAL
from minetrace.store.coarse import Header, read_onto
from minetrace.vectors.outlines import AREA_COLUMN, OutlineRules, outlines

LONLAT = "EPSG:4326"
MOST_PX = 512 * 512
MOST_BANDS = 32
WIDEST_DEG = 1.0  # of an area; what is smaller and still too large is refused by its pixels
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class Picture(Protocol):
    """Pixels on a lattice, some of which are asked about."""

    @property
    def bands(self) -> tuple[str, ...]: ...

    grid: Grid
    frame: Rect

    def __call__(self, rect: Rect) -> Raster: ...


class StoredPicture:
    """A stored composite, as far as it is asked about; around it, pixels are there as well."""

    def __init__(self, headers: Sequence[Header], ground: BaseGeometry) -> None:
        first = _under(headers, ground)
        self._headers = [header for header in headers if header.crs == first.crs]
        self.bands = tuple(band for band in first.bands if band in COMMON_NAMES)
        self._numbers = [first.bands.index(band) + 1 for band in self.bands]
        self.grid = Grid(first.crs, first.resolution_m, offset_m=first.offset_m)
        shape = project(shapely.segmentize(ground, 0.01), LONLAT, first.crs)
        self.frame = self.grid.rect(shape.bounds)

    def __call__(self, rect: Rect) -> Raster:
        """Pixels of any rectangle; not valid where none are stored."""
        values = read_onto(self._headers, self._numbers, self.grid, rect, smooth=False)
        valid = np.asarray(~np.isnan(values).any(axis=0))
        stored = np.where(valid, np.rint(np.nan_to_num(values)), NODATA).astype(np.int16)
        return Raster(self.bands, stored, valid, self.grid.geobox(rect))


def _under(headers: Sequence[Header], ground: BaseGeometry) -> Header:
    """The raster that shows most of the ground: a run over two zones has two lattices."""

    def shown(header: Header) -> float:
        frame = shapely.box(*header.bounds)
        return float(shapely.intersection(ground, project(frame, header.crs, LONLAT)).area)

    return max(headers, key=shown)


@dataclass(frozen=True)
class Asked:
    """The model of a run, and what it is about to look at."""

    scorer: Scorer
    picture: Picture

    def answer(self) -> dict[str, Any]:
        """Scores in figures, and outlines of what reaches the model's threshold.

        Raises:
            BandError: the picture lacks a band that the model wants.
            ModelError: its pixels are not of the model's size.
        """
        card, grid, frame = self.scorer.card, self.picture.grid, self.picture.frame
        scored = list(scan(self.picture, self.scorer, grid, [frame], options=ScanOptions()))
        cells = frame.cells(card.cell_px)
        if not scored or cells.empty:
            raise RegionError(
                f"the area is smaller than one cell of the model, {card.cell_px} pixels a side"
            )
        known = decode(scored[0][1].values[:1])[0]
        looked = np.isfinite(known)
        return {
            "model": card.name, "extent": card.extent, "calibrated": card.calibrated,
            "threshold": card.threshold, "not_for": not_for(card), "crs": grid.crs,
            "cell_m": grid.resolution_m * card.cell_px, "cells": list(cells.shape),
            "looked_share": round(float(looked.mean()), 6),
            "score_mean": round(float(known[looked].mean()), 4) if looked.any() else None,
            "score_max": round(float(known[looked].max()), 4) if looked.any() else None,
            "interval": INTERVAL,
            "outlines": self._outlines(scored[0][1], cells),
        }  # fmt: skip

    def _outlines(self, scores: Scores, cells: Rect) -> dict[str, Any]:
        card = self.scorer.card
        grid = self.picture.grid.coarsened(card.cell_px)
        value = scores.values[0]
        detect = scores.band("max") if "max" in scores.names else value

        def read(rect: Rect) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
            rows, cols = rect.within(cells)
            return detect[rows, cols], value[rows, cols]

        found = outlines([cells], read, grid, OutlineRules(card.threshold), card.extent)
        shapes = project(found.geometry, grid.crs, LONLAT)
        column = AREA_COLUMN[card.extent]
        features = [
            {"type": "Feature", "geometry": mapping(shape), "properties": {
                column: round(float(found.columns[column][k]), 4), "interval": INTERVAL,
                "score_max": round(float(found.columns["score_max"][k]), 4)}}
            for k, shape in enumerate(shapes)
        ]  # fmt: skip
        return {"type": "FeatureCollection", "features": features}


def about_area(published: Published, period: str, ground: BaseGeometry) -> Asked:
    """The model of a run over an area of its own composite, on its own lattice.

    Raises:
        ModelError: it has no model, or no composite of the period.
        RegionError: the area is larger than ``MOST_PX`` pixels.
    """
    headers = published.views.composites.get(period, ())
    if not headers:
        raise ModelError(f"{published.id}: no composite of {period!r} is stored to look at")
    west, south, east, north = ground.bounds
    if max(east - west, north - south) > WIDEST_DEG:
        raise RegionError(
            f"the area is wider than {WIDEST_DEG} degrees; that is for 'minetrace run'"
        )
    picture = StoredPicture(headers, ground)
    _refuse_large(picture.frame)
    return Asked(_model_of(published, picture.bands), picture)


def about_picture(published: Published, content: bytes, scratch: Path) -> Asked:
    """The model of a run over somebody's GeoTIFF, its bands called by their common names.

    Args:
        content: the file; only TIFF is opened, since other formats may name further files.
        scratch: an empty folder of its own, where the file lies while it is read.

    Raises:
        RasterError: it is no GeoTIFF, or larger than ``MOST_PX`` pixels.
    """
    if not content.startswith(_TIFF):
        raise RasterError("the body is no GeoTIFF, and nothing else is read; save it as one")
    path = scratch / "chip.tif"
    path.write_bytes(content)
    try:
        with rasterio.open(path, driver="GTiff") as source:
            height, width, bands = source.height, source.width, source.count
    except (RasterioError, OSError) as error:
        raise RasterError("the GeoTIFF cannot be read") from error
    if bands > MOST_BANDS:
        raise RasterError(f"the GeoTIFF has {bands} bands, more than {MOST_BANDS}")
    _refuse_large(Rect(0, 0, height, width))
    picture = FileImage(path)
    scorer = _model_of(published, picture.bands)
    picture = picture.with_resolution(scorer.card.resolution_m)
    _refuse_large(picture.frame)
    return Asked(scorer, picture)


def _refuse_large(frame: Rect) -> None:
    if frame.empty or frame.height * frame.width > MOST_PX:
        raise RegionError(
            f"{frame.height:,} by {frame.width:,} pixels; give some, and at most {MOST_PX:,} "
            "in all; larger areas are for 'minetrace run'"
        )


def _model_of(published: Published, bands: tuple[str, ...]) -> Scorer:
    study = published.views.folder.study
    if not study.is_file():
        raise ModelError(f"{published.id}: a panel of somebody's outlines has no model to ask")
    said = Study.read(study).model
    return open_model(said.name, said.path, bands)
