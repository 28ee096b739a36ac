"""Imagery that lies in files: rasters, one a scene, NetCDF cubes, and whole products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shapely.geometry.base import BaseGeometry

from minetrace.core.bands import nearest
from minetrace.core.grid import Grid, Rect
from minetrace.core.raster import Raster
from minetrace.errors import BandError, RadiometryError
from minetrace.sources import shot
from minetrace.sources.bands import BandSpec
from minetrace.sources.cube import cube_shots
from minetrace.sources.image import Image
from minetrace.sources.inspection import inspect
from minetrace.sources.options import FileOptions
from minetrace.sources.paths import CUBES, find_imagery
from minetrace.sources.product import lacks, newest, shoot
from minetrace.sources.products import products_in, tell
from minetrace.sources.shot import Shot, ShotLevel
from minetrace.sources.source import Scene

__all__ = ["BandSpec", "FileOptions", "FileSource"]

_WORDS = {"toa": "the top of the atmosphere", "boa": "the surface"}
READ_RECIPE = 1  # changes whenever the same file and options would give other pixels


class FileSource:
    """A folder, a list or a pattern of imagery: rasters, each one a scene, cubes, and products.

    In a NetCDF cube each moment is a scene.
    A product is a Sentinel-2 ``.SAFE`` or a Landsat Collection 2 scene with its MTL file, open or
    in a zip or tarball. Every file is looked at once, at the start; after that pixels are read
    window by window. A copy sent to another process opens its own handles; one process keeps at
    most 32 open.

    Raises:
        MissingFileError: the path names nothing.
        RasterError: a file cannot be opened, or has no CRS.
        BandError: a band is not there, or the files do not have the same bands.
        RadiometryError: what a file's counts mean would be a guess.
        StudyError: a file's date cannot be found.
    """

    def __init__(self, options: FileOptions) -> None:
        self.options = options
        imagery = find_imagery(options.path)
        cubes = [path for path in imagery.files if path.suffix.lower() in CUBES]
        images = [inspect(path, options) for path in imagery.files if path not in cubes]
        shots = {scene: Shot(i.path.name, i.day, (i,)) for scene, i in _by_scene(images).items()}
        for path in cubes:
            shots |= cube_shots(path, options)
        found = products_in(imagery.archives)
        self._products, left_out = newest(found)
        shots |= {Scene(p.name, s.day): s for p in self._products if (s := shoot(p, options))}
        _refuse_mixture(list(shots.values()), loose=bool(images or cubes))
        self._shots = dict(sorted(shots.items(), key=lambda item: _order(item[0])))
        self._bands = _shared_bands(list(self._shots.values()))
        self._notes = (*tell(self._products), *left_out) if found else ()

    @property
    def bands(self) -> tuple[str, ...]:
        """Common names of the bands that every scene has, in the order of the first."""
        return self._bands

    @property
    def resolution_m(self) -> float:
        """Side of the finest pixel of all files, metres on the ground."""
        return min(shot.images[0].resolution_m for shot in self._shots.values())

    @property
    def crs(self) -> str:
        """CRS of the first file; others may differ."""
        return self._first.images[0].crs

    @property
    def masking(self) -> str:
        """How clouds are kept out, in words; empty if they are not."""
        options = self._first.masking
        if options is None:
            return "alpha" if self.options.mask and self.options.mask.kind == "alpha" else ""
        grown = f", grown by {options.dilate_m:g} m" if options.dilate_m else ""
        return f"{options.kind.upper()}{grown}"

    @property
    def level(self) -> ShotLevel | None:
        """``toa`` or ``boa``, where the products say it."""
        return self._first.level

    @property
    def reads_ahead(self) -> int:
        """One: reading files is this machine's own work."""
        return 1

    @property
    def notes(self) -> tuple[str, ...]:
        """Which products were found, what they lack and which ones do not count."""
        return self._notes

    @property
    def _first(self) -> Shot:
        return next(iter(self._shots.values()))

    def scenes(self) -> tuple[Scene, ...]:
        """One scene a file or product, ordered by day, then by id."""
        return tuple(self._shots)

    def footprint(self, scene: Scene) -> BaseGeometry:
        """The file's frame, EPSG:4326."""
        return shot.footprint(self._shots[scene])

    def read(self, scene: Scene, bands: Sequence[str], grid: Grid, rect: Rect) -> Raster:
        """Pixels of a file on a rectangle of a grid; see ``Source.read``.

        Raises:
            BandError: a band is not there.
            ReadFailedError: the file cannot be read, for example because it is cut short.
        """
        self._refuse_unknown(bands)
        return shot.read(self._shots[scene], bands, grid, rect)

    def signature(self, scene: Scene) -> dict[str, Any]:
        """Name, bytes and time of change of the scene's files, and how their counts are read."""
        return {"recipe": READ_RECIPE, **shot.signature(self._shots[scene])}

    def _refuse_unknown(self, bands: Sequence[str]) -> None:
        missing = [band for band in bands if band not in self._bands]
        if missing:
            hint = nearest(missing[0], self.bands)
            lacking = [p for p in self._products if missing[0] not in p.files]
            if lacking:
                raise BandError(lacks(lacking[0], missing[0]))
            raise BandError(
                f"no band {', '.join(missing)} in the imagery ({self._first.name} has "
                f"{', '.join(self.bands)})" + (f"; did you mean {hint}?" if hint else "")
            )


def _order(scene: Scene) -> tuple[Any, str]:
    return scene.day, scene.id


def _by_scene(images: Sequence[Image]) -> dict[Scene, Image]:
    """Scenes named after their files; after the folder too where two files share a name."""
    names = [image.path.name for image in images]
    found: dict[Scene, Image] = {}
    for image, name in zip(images, names, strict=True):
        several = names.count(name) > 1
        scene_id = f"{image.path.parent.name}/{name}" if several else name
        while Scene(scene_id, image.day) in found:
            scene_id += "+"
        found[Scene(scene_id, image.day)] = image
    return found


def _shared_bands(shots: Sequence[Shot]) -> tuple[str, ...]:
    """Bands of every scene, in the order of the first."""
    shared = tuple(b for b in shots[0].bands if all(b in one.bands for one in shots))
    if not shared:
        other = next(o for o in shots if any(b not in o.bands for b in shots[0].bands))
        raise BandError(
            f"{shots[0].name} has the bands {', '.join(shots[0].bands)}, {other.name} has "
            f"{', '.join(other.bands)}, and none is in all; give each kind a source of its own"
        )
    return shared


def _refuse_mixture(shots: Sequence[Shot], *, loose: bool) -> None:
    """Refuse scenes that differ in level or mask, and in bands if some are loose files."""
    first = shots[0]
    for one in shots:
        if loose and set(one.bands) != set(first.bands):
            raise BandError(
                f"{one.name} has the bands {', '.join(one.bands)}, "
                f"{first.name} has {', '.join(first.bands)}: give each kind of file a source "
                "of its own (sources.path can be a pattern such as folder/*_image.tif), or name "
                "the bands that they share in sources.bands"
            )
        if (one.masking is None) != (first.masking is None):
            with_mask, without = (one, first) if first.masking is None else (first, one)
            raise BandError(
                f"{with_mask.name} has a mask band and {without.name} has none: give each kind "
                "of file a source of its own, or say sources.mask: {kind: none}"
            )
        if one.level and first.level and one.level != first.level:
            raise RadiometryError(
                f"{first.name} is reflectance at {_WORDS[first.level]}, {one.name} at "
                f"{_WORDS[one.level]}: they do not mix; name one kind with a pattern in "
                "sources.path, such as folder/*MSIL2A*"
            )
