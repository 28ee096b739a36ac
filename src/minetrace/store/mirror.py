"""A run at an address: built in local scratch, put there file by file.

The scratch folder looks as a local run folder does, so that no room knows of addresses. What is
made is put when it is whole: the artefact first, its sidecar last. Several processes may write one
run: each has a scratch of its own, puts are atomic, and what is fetched is held against the
checksum that its sidecar names.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from minetrace.errors import (
    MissingExtraError,
    NoPermissionError,
    ReadFailedError,
    RunError,
    StudyError,
)
from minetrace.store.files import PART, write_whole
from minetrace.store.http import holds_secret, redacted

AT_ONCE = 16  # transfers
_synced: dict[Path, tuple[int, int]] = {}  # what this process put or fetched: time and size


@dataclass(frozen=True)
class Mirror:
    """Where the files of a scratch folder are put.

    Attributes:
        url: of the run, such as ``s3://bucket/runs/gold``; no secret may stand in it.
        root: the scratch folder.
    """

    url: str
    root: Path

    @classmethod
    def of(cls, url: str) -> Mirror:
        """An address with a scratch folder that goes when this process does.

        Raises:
            StudyError: the address holds a secret, or is of no known kind.
            MissingExtraError: what its kind needs is not installed.
        """
        if holds_secret(url):
            raise StudyError(
                f"{redacted(url)}: keys do not belong into an address; "
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment"
            )
        _filesystem(url)
        root = Path(tempfile.mkdtemp(prefix="minetrace-"))
        atexit.register(shutil.rmtree, root, ignore_errors=True)
        return cls(url.rstrip("/"), root)

    def put(self, path: Path) -> None:
        """Put a local file in its place.

        Raises:
            ReadFailedError: the store does not take it.
        """
        with _told(self.url):
            _filesystem(self.url).put_file(str(path), self._there(path))
        _synced[path] = _state(path)

    def get(self, path: Path) -> bool:
        """Fetch a file into its local place; False if it is not there.

        Raises:
            ReadFailedError: the store does not answer.
        """
        store, there = _filesystem(self.url), self._there(path)
        try:
            with _told(self.url):
                write_whole(path, lambda part: store.get_file(there, str(part)))
        except FileNotFoundError:
            return False
        _synced[path] = _state(path)
        return True

    def drop(self, path: Path) -> None:
        """Take a file away; nothing happens if it is not there."""
        with _told(self.url):
            try:
                _filesystem(self.url).rm_file(self._there(path))
            except FileNotFoundError:
                return

    def pull(self, wanted: Callable[[str], bool]) -> None:
        """Fetch every file whose name, from the run's root on, is wanted and not here yet."""
        base = self._there(self.root)
        with _told(self.url):
            try:
                found = _filesystem(self.url).find(base)
            except FileNotFoundError:
                found = []
        names = [str(name)[len(base) :].lstrip("/") for name in found]
        missing = [self.root / n for n in names if wanted(n) and not (self.root / n).is_file()]
        with ThreadPoolExecutor(AT_ONCE, "minetrace-pull") as pool:
            list(pool.map(self.get, missing))

    def push(self, wanted: Callable[[str], bool]) -> None:
        """Put every local file whose name is wanted and that changed since it was put."""
        files = (path for path in sorted(self.root.rglob("*")) if path.is_file())
        changed = [
            path for path in files
            if not path.name.startswith(PART)
            and wanted(path.relative_to(self.root).as_posix())
            and _synced.get(path) != _state(path)
        ]  # fmt: skip
        with ThreadPoolExecutor(AT_ONCE, "minetrace-push") as pool:
            list(pool.map(self.put, changed))

    def _there(self, path: Path) -> str:
        base = PurePosixPath(self.url.partition("://")[2])
        return str(base / path.relative_to(self.root).as_posix())


def _state(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size


@lru_cache(maxsize=4)
def _filesystem(url: str) -> Any:
    """The store of an address; what it needs to be let in comes from the environment."""
    import fsspec  # type: ignore[import-untyped]

    scheme = url.partition("://")[0]
    try:
        return fsspec.filesystem(scheme, use_listings_cache=False, skip_instance_cache=True)
    except ImportError as error:
        extra = "minetrace[s3]" if scheme == "s3" else f"the fsspec driver of {scheme}://"
        raise MissingExtraError(f"{redacted(url)}: needs {extra}: pip install it") from error
    except ValueError as error:
        raise StudyError(f"{redacted(url)}: not an address that can hold a run") from error


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Say what a store says in our own words; that a file is not there passes through."""
    try:
        yield
    except FileNotFoundError as error:
        if "bucket" in str(error).lower():
            raise RunError(f"{url}: there is no such bucket; make it first") from error
        raise
    except PermissionError as error:
        raise NoPermissionError(
            f"{url}: no permission; check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the "
            "rights of their owner"
        ) from error
    except OSError as error:
        raise ReadFailedError(f"{url}: {_in_short(error)}; run the same command again") from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("botocore", "aiohttp", "aiobotocore"):
            raise
        if "Credentials" in type(error).__name__:
            raise NoPermissionError(
                f"{url}: nobody is signed in; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            ) from error
        raise ReadFailedError(
            f"{url}: the store does not answer ({type(error).__name__}); check AWS_ENDPOINT_URL "
            "and the network, then run the same command again"
        ) from error


def _in_short(error: OSError) -> str:
    return error.strerror or type(error).__name__
