"""Where every artefact of a run lives: a pure function of kind, period and tile."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from minetrace.errors import MissingFileError, ReadFailedError, RunError, RunInUseError
from minetrace.store.files import disk_errors, read_json, sha256, sweep

if TYPE_CHECKING:
    from minetrace.store.mirror import Mirror

_SUFFIX = {"composites": ".tif", "scores": ".tif", "decoded": ".tif", "footprints": ".parquet"}
_HERE_ONLY = (*(f"{kind}/" for kind in _SUFFIX), "index.sqlite", "cache/", "panel.parquet.json",
              "panel.gpkg.json", "panel.parquet", "panel.gpkg")  # fmt: skip
KINDS = tuple(_SUFFIX)
"""Kinds of artefacts with a period, in the order in which they are made."""


@dataclass(frozen=True, order=True)
class Key:
    """Names an artefact.

    Composites and scores have a period and a tile, footprints a period; what concerns the whole
    run has neither, and its kind is its file name.
    """

    kind: str
    period: str = ""
    tile: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.kind, self.period, self.tile) if part)


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run.

    Attributes:
        root: where its files are, or are built.
        mirror: where they are put as well, if the run lives at an address.
    """

    root: Path
    mirror: Mirror | None = None

    @classmethod
    def at(cls, place: Path | str) -> RunFolder:
        """A folder, or an address such as ``s3://bucket/runs/gold``.

        Raises:
            StudyError: an address that cannot hold a run.
            MissingExtraError: what it needs is not installed.
        """
        if "://" not in str(place):
            return cls(Path(place))
        from minetrace.store.mirror import Mirror

        mirror = Mirror.of(str(place))
        return cls(mirror.root, mirror)

    @property
    def shown(self) -> str:
        """What the user calls it."""
        return self.mirror.url if self.mirror else str(self.root)

    def put(self, path: Path) -> None:
        """Say that a file is whole: it goes where the run lives."""
        if self.mirror:
            self.mirror.put(path)

    def drop(self, path: Path) -> None:
        """Take a file away, here and where the run lives."""
        path.unlink(missing_ok=True)
        if self.mirror:
            self.mirror.drop(path)

    def tell(self, key: Key) -> None:
        """Learn what is known of an artefact where the run lives: its sidecar or its failure."""
        if not self.mirror:
            return
        if not self.mirror.get(self.sidecar(key)):
            self.sidecar(key).unlink(missing_ok=True)
            self.mirror.get(self.failure(key))

    def bring(self, key: Key) -> bool:
        """Have an artefact here; False if it does not exist.

        Raises:
            ReadFailedError: it cannot be fetched, or is not what its sidecar says.
        """
        if not self.mirror:
            return self.sidecar(key).is_file()
        if self.sidecar(key).is_file() and self.path(key).is_file():
            return True
        if not self.mirror.get(self.sidecar(key)):
            return False
        said = read_json(self.sidecar(key))["properties"]["minetrace:sha256"]
        if not self.mirror.get(self.path(key)) or sha256(self.path(key)) != said:
            self.path(key).unlink(missing_ok=True)
            raise ReadFailedError(
                f"{self.shown}/{key}: is not what its sidecar says; "
                "delete the sidecar and run the same command again"
            )
        return True

    def pull(self, *, tiles: str = "") -> None:
        """Have what is not a tile here, and the tiles whose names begin so."""
        if self.mirror:
            self.mirror.pull(
                lambda name: not name.endswith(".tif") or bool(tiles and name.startswith(tiles))
            )

    def push(self) -> None:
        """Put what is not an artefact of its own: the map, tables, the report."""
        if self.mirror:
            self.mirror.push(
                lambda name: name.endswith(".stac.json") or not name.startswith(_HERE_ONLY)
            )

    @property
    def study(self) -> Path:
        """The study as resolved."""
        return self.root / "study.yaml"

    @property
    def region(self) -> Path:
        """The region as it was read, so that the folder can be handed on alone."""
        return self.root / "region.geojson"

    @property
    def report(self) -> Path:
        """Versions, timings and bytes read."""
        return self.root / "run.json"

    @property
    def index(self) -> Path:
        """The ledger's index; may be deleted at any time."""
        return self.root / "index.sqlite"

    @property
    def table(self) -> Path:
        """The index of a run that lives at an address, as it was when a run there ended."""
        return self.root / "index.parquet"

    @property
    def map(self) -> Path:
        """The static map."""
        return self.root / "map"

    @property
    def items(self) -> Path:
        """What catalogs answered, so that a rerun searches nothing."""
        return self.root / "items"

    @property
    def cache(self) -> Path:
        """Bytes that were fetched; goes when the run is done, and may be deleted at any time."""
        return self.root / "cache"

    def path(self, key: Key) -> Path:
        """Where the artefact is."""
        suffix = _SUFFIX.get(key.kind)
        if suffix is None:
            return self.root / key.kind
        return self.root.joinpath(*filter(None, (key.kind, key.period, key.tile))).with_suffix(
            suffix
        )

    def sidecar(self, key: Key) -> Path:
        """Where its sidecar is."""
        path = self.path(key)
        return (
            path.with_suffix(".json")
            if key.kind in _SUFFIX
            else path.with_name(path.name + ".json")
        )

    def failure(self, key: Key) -> Path:
        """Where the reason is, if it failed."""
        return self.path(key).with_suffix(".failed.json")

    @classmethod
    def existing(cls, root: Path | str) -> RunFolder:
        """A folder that holds a run.

        Raises:
            MissingFileError: there is no such folder.
            RunError: it holds no run.
        """
        if "://" in str(root):
            return cls._remote(str(root))
        root = Path(root)
        if not root.is_dir():
            raise MissingFileError(f"{root}: no such folder; give the folder of a run")
        run = cls(root)
        if not run.study.is_file():
            raise RunError(f"{root}: no study.yaml inside, so this is not the folder of a run")
        return run

    @classmethod
    def _remote(cls, url: str) -> RunFolder:
        run = cls.at(url)
        for small in (run.study, run.report, run.region, run.table):
            if run.mirror and not run.mirror.get(small) and small == run.study:
                raise MissingFileError(f"{url}: no study.yaml there, so this is not a run")
        return run

    @contextmanager
    def claimed(self, *, clean: bool = True) -> Iterator[RunFolder]:
        """Make the folder, keep other processes out of it, and sweep what a kill left behind.

        The lock is the operating system's and goes with the process, however it ends.

        Args:
            clean: sweep; it walks through every file.

        Raises:
            RunInUseError: another process works on it.
            NoPermissionError: it may not be written.
            RunError: the path is a file.
        """
        if self.root.exists() and not self.root.is_dir():
            raise RunError(f"{self.root}: is a file; give a folder with --out")
        with disk_errors(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            if not os.access(self.root, os.W_OK | os.X_OK):
                raise PermissionError(13, "Permission denied", str(self.root))
            handle = os.open(self.root, os.O_RDONLY)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RunInUseError(
                    f"{self.root}: another run is working in this folder; "
                    "wait for it, stop it, or choose another folder with --out"
                ) from error
            if clean:
                sweep(self.root)
            yield self
        finally:
            os.close(handle)
