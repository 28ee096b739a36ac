"""Byte ranges of remote files, kept on disk so that no worker of a run fetches one twice.

Blocks of a scene are wanted again by the next strip of a tile and by the tiles beside it, which
other processes may be working on. What is kept is bounded: beyond the cap the oldest goes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from minetrace.store.files import disk_errors

CAP_BYTES = 4 << 30
_LOOK_EVERY = 16  # the folder is measured each time that a 16th of the cap was written
_written: dict[Path, int] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class RangeCache:
    """A folder of byte ranges, shared by the processes of a run.

    Attributes:
        folder: made when first needed; may be deleted at any time.
        cap_bytes: about how much is kept.
    """

    folder: Path
    cap_bytes: int = CAP_BYTES

    def get(self, name: str, offset: int, length: int) -> bytes | None:
        """The bytes of a range, or None if they are not kept."""
        try:
            content = self._path(name, f"{offset}-{length}").read_bytes()
        except OSError:
            return None
        return content if len(content) == length else None

    def put(self, name: str, offset: int, content: bytes) -> None:
        """Keep a range."""
        self._write(self._path(name, f"{offset}-{len(content)}"), content)

    def file(self, name: str, suffix: str) -> Path:
        """Where a whole file is kept, if it is."""
        return self._path(name, f"whole{suffix}")

    def put_file(self, name: str, suffix: str, content: bytes) -> Path:
        """Keep a whole file."""
        path = self.file(name, suffix)
        self._write(path, content)
        return path

    def cut(self, name: str, suffix: str, offset: int, length: int) -> bytes | None:
        """A part of a whole file, shorter where that ends; None if it is not kept."""
        try:
            with self.file(name, suffix).open("rb") as file:
                file.seek(offset)
                return file.read(length)
        except OSError:
            return None

    def note(self, name: str) -> bytes | None:
        """What is noted of a file, if anything."""
        try:
            return self._path(name, "note").read_bytes()
        except OSError:
            return None

    def put_note(self, name: str, content: bytes) -> None:
        """Note something of a file, such as its size."""
        self._write(self._path(name, "note"), content)

    def drop(self, name: str) -> None:
        """Forget all of a file."""
        for path in self._folder(name).glob("*"):
            if path.name != "lock":
                path.unlink(missing_ok=True)

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Keep other threads and processes from fetching the same file meanwhile."""
        folder = self._folder(name)
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def remove(self) -> None:
        """Delete it all."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _folder(self, name: str) -> Path:
        key = hashlib.sha256(name.encode()).hexdigest()[:32]
        return self.folder / key[:2] / key

    def _path(self, name: str, part: str) -> Path:
        return self._folder(name) / part

    def _write(self, path: Path, content: bytes) -> None:
        part = path.with_name(f".{os.getpid()}-{threading.get_ident()}-{path.name}")
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(content)
            part.replace(path)
        with _lock:
            _written[self.folder] = _written.get(self.folder, 0) + len(content)
            due = _written[self.folder] > self.cap_bytes / _LOOK_EVERY
            if due:
                _written[self.folder] = 0
        if due:
            self._shrink()

    def _shrink(self) -> None:
        """Let the oldest ranges go until the cap is kept."""
        found, total = [], 0
        for path in self.folder.glob("*/*/*"):
            with suppress(OSError):
                stat = path.stat()
                found.append((stat.st_mtime_ns, stat.st_size, path))
                total += stat.st_size
        for _, size, path in sorted(found):
            if total <= self.cap_bytes * (1 - 1 / _LOOK_EVERY):
                return
            if path.name not in ("lock", "note"):
                path.unlink(missing_ok=True)
                total -= size
