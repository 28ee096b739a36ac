"""The files that fetched pieces are kept in: a COG each, or a slot each of Zarr cubes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from minetrace.core.provenance import fingerprint
from minetrace.core.raster import NODATA, Raster, stored_scale
from minetrace.errors import StudyError
from minetrace.flow.compositing import bands_of
from minetrace.flow.pieces import Errand, key_of, key_wanted
from minetrace.flow.plan import Job
from minetrace.store import zarr_cubes
from minetrace.store.cog import write_cog
from minetrace.store.files import write_whole
from minetrace.store.pixel_store import read_pieces
from minetrace.store.zarr_cubes import Cube

COG, ZARR = "cog", "zarr"


class Files(Protocol):
    """Where pieces go."""

    @property
    def store(self) -> Path:
        """The folder of all of them."""
        ...

    def put(self, errand: Errand, raster: Raster) -> Path:
        """Write a piece whole, and return its file."""
        ...

    def finish(self) -> list[Path]:
        """Write what belongs beside the pieces, and return those files."""
        ...


def files_in(form: str, job: Job, store: Path, wanted: Sequence[Errand]) -> Files:
    """The files of a store, ready to be written.

    Raises:
        StudyError: there is no such form, or the store holds the other one.
        MissingExtraError: what it needs is not installed.
    """
    if form not in (COG, ZARR):
        raise StudyError(f"--format: {form!r} is neither cog nor zarr")
    held = [ZARR if zarr_cubes.slot_of(one.path) else COG
            for one in read_pieces(store) if one.path]  # fmt: skip
    if held and held[0] != form:
        raise StudyError(
            f"{store}: was begun with --format {held[0]}; go on so, or choose another --out"
        )
    return ZarrFiles.laid_out(job, store, wanted) if form == ZARR else CogFiles(store)


@dataclass(frozen=True)
class ZarrFiles:
    """A Zarr cube for each piece of ground, in which each scene has a slot.

    Attributes:
        slots: by what a piece shows: its cube and its slot.
    """

    store: Path
    slots: Mapping[tuple[Any, ...], tuple[Cube, int]]

    @classmethod
    def laid_out(cls, job: Job, store: Path, wanted: Sequence[Errand]) -> ZarrFiles:
        """Cubes with a slot for all that is wanted; what has one keeps it.

        Raises:
            MissingExtraError: zarr is not installed.
        """
        kept = {key_of(one): spot for one in read_pieces(store)
                if (spot := zarr_cubes.slot_of(one.path))}  # fmt: skip
        free = Counter[str]()
        for name, slot in kept.values():
            free[name] = max(free[name], slot + 1)
        slots: dict[tuple[Any, ...], tuple[Cube, int]] = {}
        for errand in sorted(wanted, key=_when):
            key, cube = key_wanted(errand), _cube(job, store, errand)
            name = cube.folder.relative_to(store).as_posix()
            was, slot = kept.get(key, ("", 0))
            if was != name:
                slot = free[name]
                free[name] += 1
            slots[key] = cube, slot
        for cube in {cube for cube, _ in slots.values()}:
            zarr_cubes.lay_out(cube, free[cube.folder.relative_to(store).as_posix()])
        return cls(store, slots)

    def put(self, errand: Errand, raster: Raster) -> Path:
        """Write a piece whole, and return its file."""
        cube, slot = self.slots[key_wanted(errand)]
        return zarr_cubes.write_slot(cube, slot, errand.rect, raster.pixels)

    def finish(self) -> list[Path]:
        """Name the scenes of each cube; returns what is no scene's file."""
        named: dict[Path, dict[int, tuple[str, date]]] = {
            cube.folder: {} for cube, _ in self.slots.values()
        }
        for piece in read_pieces(self.store):
            if spot := zarr_cubes.slot_of(piece.path):
                named.setdefault(self.store / spot[0], {})[spot[1]] = piece.scene, piece.day
        for folder, scenes in named.items():
            zarr_cubes.label(folder, scenes)
        return [path for folder in sorted(named) for path in zarr_cubes.side_files(folder)]


def _cube(job: Job, store: Path, errand: Errand) -> Cube:
    bands, grid, rect = bands_of(job, errand.look), errand.place.grid, errand.ground
    ground = f"{grid.zone}_{rect.row}_{rect.col}"
    what = fingerprint([bands, grid.crs, grid.resolution_m, grid.anchor, rect.shape])[:8]
    folder = store / "pixels" / str(errand.look.source) / f"{ground}_{what}.zarr"
    return Cube(folder, bands, grid, rect)


def _when(errand: Errand) -> tuple[int, date, str]:
    look = errand.look
    return look.source, look.scene.day, look.scene.id


@dataclass(frozen=True)
class CogFiles:
    """A COG a piece."""

    store: Path

    def put(self, errand: Errand, raster: Raster) -> Path:
        """Write a piece whole, and return its file."""
        look, rect, grid = errand.look, errand.rect, errand.place.grid
        folder = f"{look.source}/{look.scene.day.year}/{grid.zone}_{rect.row}_{rect.col}"
        path = self.store / "pixels" / folder / f"{errand.read_hash[:20]}.tif"
        write_whole(path, partial(
            write_cog, pixels=raster.pixels, grid=grid, rect=rect, names=raster.bands,
            nodata=NODATA, scales=[stored_scale(band) for band in raster.bands],
            tags={"ACQUISITION_DATE": str(look.scene.day), "SCENE": look.scene.id},
        ))  # fmt: skip
        return path

    def finish(self) -> list[Path]:
        """Nothing: each says by itself what it is."""
        return []
