"""Writing so that a file is either whole or not there, and saying why it cannot be written."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from minetrace.errors import DiskFullError, NoPermissionError, RunError

PART = ".part-"  # what a file is called while it is being written; swept when a run starts


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system says about a place into our own errors."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(
                f"{path}: the disk is full; free some room and run the same command again, "
                "finished tiles are kept"
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise NoPermissionError(
                f"{path}: no permission to write there; choose another folder with --out"
            ) from error
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EINVAL, errno.ENAMETOOLONG):
            raise RunError(
                f"{path}: cannot be written ({error.strerror}); choose another folder with --out"
            ) from error
        raise


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a file beside its place, sync it, then rename it into place.

    Raises:
        DiskFullError: no room left.
        NoPermissionError: the folder may not be written.
    """
    part = path.with_name(f"{PART}{os.getpid()}-{path.name}")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(part)
            _sync(part)
            part.replace(path)
        except BaseException as error:
            full = _no_room(path.parent)  # before the half-written file makes room again
            part.unlink(missing_ok=True)
            if full and getattr(error, "errno", None) is None:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
            raise
        _sync(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole, as UTF-8."""
    write_whole(path, lambda part: _put(part, text.encode()))


def write_json(path: Path, thing: Any) -> None:
    """Write JSON whole; keys keep their order."""
    write_text(path, json.dumps(thing, indent=1, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises:
        RunError: the file is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunError(f"{path}: not JSON ({error}); delete it and run again") from error


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sweep(folder: Path) -> int:
    """Delete what earlier, killed processes left half written; returns how many files."""
    leftovers = list(folder.rglob(f"{PART}*"))
    for leftover in leftovers:
        leftover.unlink(missing_ok=True)
    return len(leftovers)


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _no_room(folder: Path) -> bool:
    """True if the disk is full: libraries report it in their own words, or not at all."""
    try:
        space = os.statvfs(folder)
    except OSError:
        return False
    return space.f_bavail * space.f_frsize < 1 << 16
