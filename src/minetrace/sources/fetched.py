"""Imagery that was fetched before: a store on disk, read as the source that it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

import shapely
from numpy.typing import NDArray
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from minetrace.core.grid import Grid, Rect
from minetrace.core.raster import NODATA, Raster, stored_scale
from minetrace.core.region import project
from minetrace.errors import MissingFileError, NoImageryError, StudyError
from minetrace.sources import quads
from minetrace.sources.image import Band, Image, RasterFile
from minetrace.sources.radiometry import Radiometry
from minetrace.sources.source import Scene
from minetrace.store import zarr_cubes
from minetrace.store.pixel_store import Piece, read_manifest

READ_RECIPE = 1  # changes whenever the same store would give other pixels


@dataclass(frozen=True)
class FetchedOptions:
    """A store, and which of its sources.

    Attributes:
        path: the store's folder.
        source: by number, from 0.
    """

    path: Path
    source: int = 0


@dataclass(frozen=True)
class CubeSlot(RasterFile):
    """One scene of a Zarr cube, whose folder is the address.

    Attributes:
        slot: position along the cube's scenes, from 0.
        rect: of the lattice: what the scene shows.
    """

    slot: int = field(kw_only=True)
    rect: Rect = field(kw_only=True)

    def read(self, indexes: Sequence[int], window: Rect) -> list[NDArray[Any]]:
        """Counts of bands (from 1) in a window that lies inside; see ``RasterFile.read``."""
        there = replace(window, row=window.row + self.rect.row, col=window.col + self.rect.col)
        return [*zarr_cubes.read_slot(Path(self.address), self.slot, indexes, there)]


class FetchedSource:
    """One source of a store; offline.

    Raises:
        MissingFileError: the store, or a file of it, is not there.
        RunError: it is no store.
        StudyError: it has no such source.
    """

    def __init__(self, options: FetchedOptions) -> None:
        self.options = options
        facts, pieces = read_manifest(options.path)
        if options.source >= len(facts):
            raise StudyError(
                f"sources.source: {options.path} holds {len(facts)} sources, counted from 0; "
                f"there is no {options.source}"
            )
        self._facts = facts[options.source]
        here = [piece for piece in pieces if piece.source == options.source]
        if not here:
            raise NoImageryError(f"{options.path}: nothing was fetched from that source")
        self._pieces: dict[Scene, tuple[Piece, ...]] = {}
        for piece in here:
            scene = Scene(piece.scene, piece.day)
            self._pieces[scene] = (*self._pieces.get(scene, ()), piece)
            if piece.path and not (options.path / piece.path).is_file():
                raise MissingFileError(
                    f"{options.path / piece.path}: not there; 'minetrace fetch --check "
                    f"{options.path}' says what else is not"
                )

    @property
    def bands(self) -> tuple[str, ...]:
        """Common names of the bands that were fetched."""
        return self._facts.bands

    @property
    def resolution_m(self) -> float:
        """Of the source that it came from."""
        return self._facts.resolution_m

    @property
    def crs(self) -> str:
        """CRS of the first piece."""
        return next(iter(self._pieces.values()))[0].crs

    @property
    def masking(self) -> str:
        """How clouds were kept out when it was fetched."""
        return self._facts.masking

    @property
    def level(self) -> Literal["toa", "boa"] | None:
        """Of the source that it came from."""
        return cast("Literal['toa', 'boa'] | None", self._facts.level)

    @property
    def reads_ahead(self) -> int:
        """One: reading files is this machine's own work."""
        return 1

    @property
    def notes(self) -> tuple[str, ...]:
        """Where it came from."""
        return (f"{self._facts.name}, as fetched into {self.options.path.name}",)

    def scenes(self) -> tuple[Scene, ...]:
        """Every scene, ordered by day, then by id."""
        return tuple(sorted(self._pieces, key=lambda scene: (scene.day, scene.id)))

    def footprint(self, scene: Scene) -> BaseGeometry:
        """Ground under the scene's pieces, EPSG:4326."""
        return shapely.union_all([_ground(piece) for piece in self._pieces[scene]])

    def read(self, scene: Scene, bands: Sequence[str], grid: Grid, rect: Rect) -> Raster:
        """Pixels of a scene on a rectangle of a grid; see ``Source.read``.

        Raises:
            BandError: a band was not fetched.
            ReadFailedError: a file cannot be read.
        """
        quads.refuse_unknown(bands, self.bands, self.options.path.name)
        near = (piece for piece in self._pieces[scene]
                if piece.path and quads.touches(_ground(piece), grid, rect))  # fmt: skip
        return quads.read((self._image(piece) for piece in near), bands, grid, rect)

    def signature(self, scene: Scene) -> dict[str, Any]:
        """Checksums of the scene's files: the same wherever the store lies."""
        pieces = [[p.path, p.sha256, p.crs, *p.rect.shape] for p in self._pieces[scene]]
        return {"recipe": READ_RECIPE, "scene": scene.id, "pieces": pieces}

    def _image(self, piece: Piece) -> Image:
        file = _file(self.options.path, piece)
        bands = {
            name: Band(file, number, "int16", NODATA, _rule(name))
            for number, name in enumerate(self.bands, 1)
        }
        place = _grid(piece).affine(piece.rect)
        return Image(
            path=Path(piece.path), day=piece.day, crs=piece.crs, affine=place,
            height=piece.rect.height, width=piece.rect.width, bands=bands, mask=None, alpha=None,
            has_mask=False, resolution_m=piece.resolution_m, parts=(),
        )  # fmt: skip


def _file(store: Path, piece: Piece) -> RasterFile:
    path = store / piece.path
    if (spot := zarr_cubes.slot_of(piece.path)) is None:
        return RasterFile.at(path)
    cube, slot = spot
    return CubeSlot(str(store / cube), path, slot=slot, rect=piece.rect)


def _rule(band: str) -> Radiometry:
    """Stored numbers stay what they are."""
    scale = stored_scale(band)
    return Radiometry(scale, 0.0, 1 / scale)


def _grid(piece: Piece) -> Grid:
    return Grid(piece.crs, piece.resolution_m, piece.anchor)


def _ground(piece: Piece) -> BaseGeometry:
    frame = shapely.segmentize(box(*_grid(piece).bounds(piece.rect)), 1000.0)
    ground: BaseGeometry = project(frame, piece.crs, "EPSG:4326")
    return ground
