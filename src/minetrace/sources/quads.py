"""Quads: the squares that a basemap is cut into, read as one, and those that lie on disk.

``tiff_tiles/2019/1200-1000.tiff`` is how the workflows that map mines from basemaps keep them: a
folder a year, a file a quad. Such a folder is a source of its own: one scene a year.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import reduce
from pathlib import Path
from typing import Any, Literal

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from minetrace.core.bands import nearest
from minetrace.core.grid import Grid, Rect
from minetrace.core.raster import NODATA, Raster
from minetrace.errors import BandError, MissingFileError, RadiometryError, StudyError
from minetrace.sources import place, shot
from minetrace.sources.bands import BandSpec
from minetrace.sources.dates import DateOptions
from minetrace.sources.image import Image, open_raster
from minetrace.sources.inspection import inspect
from minetrace.sources.options import FileOptions
from minetrace.sources.planet_options import contents
from minetrace.sources.shot import Shot
from minetrace.sources.source import Scene

READ_RECIPE = 1  # changes whenever the same files would give other pixels
MID_YEAR = (7, 1)  # a yearly choice may be of any month; its middle stands for it


@dataclass(frozen=True)
class QuadOptions:
    """A folder of quads, and what they do not say about themselves.

    Attributes:
        path: holds a folder a year.
        bands: by common name, with positions; empty for blue, green, red, nir.
        scale, offset: for all bands; default: reflectance x 10,000, if the files have 16 bits.
    """

    path: Path
    bands: Mapping[str, BandSpec] = field(default_factory=dict)
    scale: float | None = None
    offset: float | None = None


class QuadSource:
    """Quads on disk.

    Raises:
        MissingFileError: the folder, or a folder of a year in it, is not there.
        RadiometryError: what the counts mean would be a guess, or is not the same in all files.
        RasterError: a file cannot be opened.
    """

    def __init__(self, options: QuadOptions) -> None:
        self.options = options
        found = {scene: _quads(files, scene, options) for scene, files in _years(options.path)}
        self._images = dict(sorted(found.items(), key=lambda one: (one[0].day, one[0].id)))
        _refuse_mixed([image for line in self._images.values() for image in line])

    @property
    def _first(self) -> Image:
        return next(iter(self._images.values()))[0]

    @property
    def bands(self) -> tuple[str, ...]:
        """Common names of the bands that every quad has."""
        shared = set.intersection(*(set(i.bands) for line in self._images.values() for i in line))
        return tuple(band for band in self._first.bands if band in shared)

    @property
    def resolution_m(self) -> float:
        """Side of the finest pixel on the ground."""
        return min(image.resolution_m for line in self._images.values() for image in line)

    @property
    def crs(self) -> str:
        """CRS of the first quad."""
        return self._first.crs

    @property
    def masking(self) -> str:
        """Nothing masks clouds in a basemap."""
        return ""

    @property
    def level(self) -> Literal["toa", "boa"] | None:
        """``boa`` where the files are surface reflectance mosaics."""
        return None if self.options.scale is not None else "boa"

    @property
    def reads_ahead(self) -> int:
        """One: reading files is this machine's own work."""
        return 1

    @property
    def notes(self) -> tuple[str, ...]:
        """How many quads each year has."""
        told = ", ".join(f"{scene.id}: {len(line)}" for scene, line in self._images.items())
        return (f"quads on disk by year: {told}",)

    def scenes(self) -> tuple[Scene, ...]:
        """One scene a year."""
        return tuple(self._images)

    def footprint(self, scene: Scene) -> BaseGeometry:
        """Ground under a year's quads, EPSG:4326."""
        return shapely.union_all([place.footprint(image) for image in self._images[scene]])

    def read(self, scene: Scene, bands: Sequence[str], grid: Grid, rect: Rect) -> Raster:
        """Pixels of a year on a rectangle of a grid; see ``Source.read``.

        Raises:
            BandError: a band is not there.
            ReadFailedError: a file cannot be read.
        """
        refuse_unknown(bands, self.bands, self.options.path.name)
        near = (i for i in self._images[scene] if touches(place.footprint(i), grid, rect))
        return read(near, bands, grid, rect)

    def signature(self, scene: Scene) -> dict[str, Any]:
        """Name, bytes and time of change of a year's files, and how their counts are read."""
        shots = [Shot(image.path.name, image.day, (image,)) for image in self._images[scene]]
        return {"recipe": READ_RECIPE, "year": scene.id,
                "quads": [shot.signature(one) for one in shots]}  # fmt: skip


def read(images: Iterable[Image], bands: Sequence[str], grid: Grid, rect: Rect) -> Raster:
    """Several images as one: where they overlap, the first that is valid counts."""
    nothing = Raster(
        tuple(bands), np.full((len(bands), *rect.shape), NODATA, dtype=np.int16),
        np.zeros(rect.shape, dtype=bool), grid.geobox(rect),
    )  # fmt: skip
    shots = (Shot(image.path.name, image.day, (image,)) for image in images)
    return reduce(Raster.over, (shot.read(one, bands, grid, rect) for one in shots), nothing)


def touches(ground: BaseGeometry, grid: Grid, rect: Rect) -> bool:
    """True if some ground (EPSG:4326) may lie under a rectangle."""
    points = shapely.get_coordinates(shapely.segmentize(ground, 0.05))
    x, y = place.transformer("EPSG:4326", grid.crs).transform(points[:, 0], points[:, 1])
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return True
    reach = grid.rect((float(x.min()), float(y.min()), float(x.max()), float(y.max()))).expand(2)
    return not (reach & rect).empty


def refuse_unknown(bands: Sequence[str], known: Sequence[str], where: str) -> None:
    """Raise unless every band is there.

    Raises:
        BandError: one is not.
    """
    missing = [band for band in bands if band not in known]
    if missing:
        hint = nearest(missing[0], known)
        raise BandError(
            f"no band {', '.join(missing)} in the imagery ({where} has {', '.join(known)})"
            + (f"; did you mean {hint}?" if hint else "")
        )


def _refuse_mixed(images: Sequence[Image]) -> None:
    """Raise if some counts have 8 bits and others 16: one scale cannot be right for both."""
    kinds = {image.path: next(iter(image.bands.values())).dtype for image in images}
    first, *others = kinds.items()
    odd = next((one for one in others if one[1] != first[1]), None)
    if odd is not None:
        raise RadiometryError(
            f"sources.path: {odd[0]} holds {odd[1]} and {first[0]} {first[1]}, so the numbers of "
            "one are not those of the other; keep visual and surface reflectance quads in folders "
            "of their own"
        )


def _years(folder: Path) -> list[tuple[Scene, list[Path]]]:
    if not folder.is_dir():
        raise MissingFileError(f"sources.path: {folder}: no such folder")
    years = []
    for one in sorted(folder.iterdir()):
        if one.is_dir() and one.name.isdecimal() and len(one.name) == 4:
            files = sorted(p for p in one.iterdir() if p.suffix.lower() in (".tif", ".tiff"))
            if files:
                years.append((Scene(one.name, date(int(one.name), *MID_YEAR)), files))
    if not years:
        raise MissingFileError(
            f"sources.path: {folder}: holds no folder of a year with quads in it, such as "
            f"{folder.name}/2019/1200-1000.tiff"
        )
    return years


def _quads(files: Sequence[Path], scene: Scene, options: QuadOptions) -> tuple[Image, ...]:
    with open_raster(files[0]) as first:
        dtype = str(first.dtypes[0])
    name = f"{options.path.name}/{scene.id}" + ("_analytic" if dtype == "uint16" else "")
    told = contents(name, dtype, options.bands, options.scale, options.offset)
    if 0 in told.bands.values():
        raise StudyError("sources.bands: quads have no band names; give positions: {red: 3}")
    asked = FileOptions(
        files[0], date=DateOptions(day=scene.day),
        bands={band: BandSpec(index=i, scale=told.rules[band].scale,
                              offset=told.rules[band].offset) for band, i in told.bands.items()},
    )  # fmt: skip
    return tuple(inspect(file, asked) for file in files)
