"""Scoring one raster, outside any run: a file, or what xarray holds."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.xr import ODCExtensionDs, xr_coords
from pyproj import CRS

from minetrace.core.bands import common_name
from minetrace.core.grid import Grid, Rect, utm_crs
from minetrace.core.model import Scorer
from minetrace.core.raster import NODATA, Raster, stored_scale
from minetrace.core.region import project
from minetrace.core.scores import NOT_LOOKED, Scores, decode
from minetrace.errors import BandError, RasterError
from minetrace.predict.scan import ScanOptions, scan
from minetrace.sources.dates import DateOptions
from minetrace.sources.files import FileOptions, FileSource
from minetrace.sources.source import Scene

_ANY_DAY = DateOptions(day=date(2000, 1, 1))  # a single picture is scored whatever its day


class FileImage:
    """A raster file on the lattice that a run would put it on."""

    def __init__(self, path: Path) -> None:
        self._source = FileSource(FileOptions(path, date=_ANY_DAY))
        self.bands = self._source.bands
        self._scene: Scene = self._source.scenes()[0]
        ground = self._source.footprint(self._scene)
        crs = self._source.crs
        if not CRS.from_user_input(crs).is_projected:
            crs = utm_crs(ground.centroid.x, ground.centroid.y)
        self.grid = Grid(crs, self._source.resolution_m)
        self.frame = self.grid.rect(project(ground.segmentize(0.05), "EPSG:4326", crs).bounds)

    def with_resolution(self, resolution_m: float | None) -> FileImage:
        """The same file on the lattice of a model's pixel size."""
        if resolution_m is not None and resolution_m != self.grid.resolution_m:
            left, bottom, right, top = self.grid.bounds(self.frame)
            self.grid = Grid(self.grid.crs, resolution_m)
            self.frame = self.grid.rect((left, bottom, right, top))
        return self

    def __call__(self, rect: Rect) -> Raster:
        """Pixels of any rectangle, warped if need be."""
        return self._source.read(self._scene, self.bands, self.grid, rect)

    def geobox(self, cells: Rect, cell_px: int) -> GeoBox:
        """Where cells are."""
        return self.grid.coarsened(cell_px).geobox(cells)


class XarrayImage:
    """A dataset with a band per variable, or an array with a ``band`` dimension."""

    def __init__(self, image: xr.Dataset | xr.DataArray) -> None:
        self._image = _as_dataset(image)
        self.bands = tuple(b for b in map(str, self._image.data_vars) if common_name(b) == b)
        if not self.bands:
            raise BandError(
                f"no band with a common name among {', '.join(map(str, self._image.data_vars))}; "
                "call the variables blue, green, red, nir, swir16 … and try again"
            )
        geobox = ODCExtensionDs(self._image).geobox
        if not isinstance(geobox, GeoBox) or geobox.crs is None:
            raise RasterError(
                "the raster has no CRS or no regular x and y; write them with "
                "raster.odc.assign_crs('EPSG:…') or raster.rio.write_crs"
            )
        if not geobox.crs.projected:
            raise RasterError(
                f"the raster is in {geobox.crs}, whose pixels have no size in metres; "
                "reproject it first, for example with raster.odc.reproject('utm')"
            )
        if abs(abs(geobox.resolution.x) - abs(geobox.resolution.y)) > 1e-6:
            raise RasterError(f"pixels must be square; these are {geobox.resolution}")
        if geobox.resolution.y > 0:
            raise RasterError("y grows downwards; sort it so that north is up: raster[::-1]")
        self._geobox = geobox
        # as exact windows count from the lattice's origin: a raster that lies on no lattice
        # is its own, counted from its corner
        self.grid = Grid(str(geobox.crs), float(geobox.resolution.x))
        try:
            self.frame, self._own = self.grid.rect_of(geobox), False
        except ValueError:
            self.frame, self._own = Rect(0, 0, *map(int, geobox.shape)), True

    def with_resolution(self, _resolution_m: float | None) -> XarrayImage:
        """The dataset as it is: it is not ours to resample."""
        return self

    def __call__(self, rect: Rect) -> Raster:
        """Pixels of any rectangle, not valid outside the raster or where it is NaN."""
        part = rect & self.frame
        pixels = np.full((len(self.bands), *rect.shape), NODATA, np.int16)
        if not part.empty:
            rows, cols = part.within(self.frame)
            inner = part.within(rect)
            for target, band in zip(pixels, self.bands, strict=True):
                target[inner] = _stored(self._image[band][rows, cols].values, band)
        valid = (pixels != NODATA).all(axis=0)
        pixels[:, ~valid] = NODATA
        return Raster(self.bands, pixels, valid, self.grid.geobox(rect))

    def geobox(self, cells: Rect, cell_px: int) -> GeoBox:
        """Where cells are."""
        if not self._own:
            return self.grid.coarsened(cell_px).geobox(cells)
        across = GeoBox(self._geobox.shape, self._geobox.transform, self._geobox.crs)
        affine = across.transform * across.transform.scale(cell_px)
        return GeoBox(cells.shape, affine, across.crs)


def score_image(
    scorer: Scorer, image: FileImage | XarrayImage, *, tta: bool = False
) -> xr.DataArray:
    """How sure a scorer is of every pixel or cell of an image.

    Returns:
        Dimensions ``y`` and ``x`` (with ``band`` before them if there are several: classes of a
        pixel model, ``mean`` and ``max`` of a patch model), float32 from 0 to 1, NaN where nobody
        looked. A cell of a patch model is a stride, not a pixel.

    Raises:
        BandError: a band that the model wants is not there.
        ModelError: the pixels are not of the model's size.
    """
    cell_px = scorer.card.cell_px
    scored = list(scan(image, scorer, image.grid, [image.frame], options=ScanOptions(tta=tta)))
    cells = image.frame.cells(cell_px)
    names, values = _values(scored[0][1] if scored else None, cells)
    data = xr.DataArray(
        values, dims=("band", "y", "x"), name="score",
        coords={**xr_coords(image.geobox(cells, cell_px)), "band": list(names)},
        attrs={"model": scorer.card.name, "extent": scorer.card.extent,
               "calibrated": int(scorer.card.calibrated), "threshold": scorer.card.threshold},
    )  # fmt: skip
    return data if len(names) > 1 else data.isel(band=0, drop=True)


def _values(scores: Scores | None, cells: Rect) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    if scores is None:  # smaller than one cell
        return ("mean",), decode(np.full((1, *cells.shape), NOT_LOOKED, np.uint16))
    return scores.names, decode(scores.values)


def _as_dataset(image: xr.Dataset | xr.DataArray) -> xr.Dataset:
    if isinstance(image, xr.Dataset):
        return image
    if "band" not in image.dims:
        raise BandError("the array has no 'band' dimension; give a Dataset with a variable a band")
    names = [str(name) for name in np.atleast_1d(image["band"].values)]
    layers = {n: image.isel(band=i, drop=True) for i, n in enumerate(names)}
    return xr.Dataset(layers)


def _stored(values: NDArray[np.floating], band: str) -> NDArray[np.int16]:
    """Reflectance (or kelvin) as composites store it; NaN is nodata."""
    scale = stored_scale(band)
    with np.errstate(invalid="ignore"):
        counts = np.clip(np.rint(np.asarray(values, np.float64) / scale), -32767, 32767)
    return np.where(np.isfinite(values), counts, NODATA).astype(np.int16)
