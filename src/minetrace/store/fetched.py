"""Files at an address that are known by their hash: fetched once, kept, never taken if others."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from minetrace.errors import (
    DiskFullError,
    MissingFileError,
    ModelError,
    NoPermissionError,
    ReadFailedError,
    RunError,
)
from minetrace.store.files import sha256, write_whole
from minetrace.store.http import PATIENT, HttpOptions, client, redacted

LOG = logging.getLogger(__name__)
_REMEDY = "let XDG_CACHE_HOME name a folder that you may read and write"


def cache_folder() -> Path:
    """Where fetched files are kept between runs: ``$XDG_CACHE_HOME/minetrace``, else below home.

    Raises:
        MissingFileError: neither is known.
    """
    said = os.environ.get("XDG_CACHE_HOME", "")
    try:
        kept = Path(said).absolute() if said else Path.home() / ".cache"
    except RuntimeError as error:
        raise MissingFileError(f"no home folder to keep fetched files in; {_REMEDY}") from error
    return kept / "minetrace"


def fetch_once(
    url: str, wanted: str, name: str, *, folder: Path | None = None, options: HttpOptions = PATIENT
) -> Path:
    """The file at an address, from the folder if it is there.

    Args:
        url: http or https; what came is believed by its hash alone.
        wanted: SHA-256, hexadecimal.
        name: of the file as kept.
        folder: where it is kept; None for `cache_folder`.

    Returns:
        Path of a file with that hash.

    Raises:
        ModelError: another file lies there; nothing of it is kept.
        ReadFailedError: the server does not answer, or not with a file.
        StudyError: this is no address.
        DiskFullError: no room left.
        MissingFileError: there is no home, and nothing else said where to keep it.
        NoPermissionError: the folder cannot be read or written.
    """
    path = (cache_folder() if folder is None else folder) / wanted[:16] / name
    with _kept_at(path):
        if path.is_file() and sha256(path) == wanted:
            return path
    LOG.warning("%s: fetching it once from %s", name, redacted(url))
    reply = client(options).request("GET", url)
    if reply.status != 200:
        raise ReadFailedError(
            f"{redacted(url)}: HTTP {reply.status} instead of {name}; check the address, or fetch "
            f"the file by hand and put it at {path}"
        )
    found = hashlib.sha256(reply.body).hexdigest()
    if found != wanted:
        raise ModelError(
            f"{redacted(url)}: not the file that was named (sha256 {found[:12]}..., wanted "
            f"{wanted[:12]}...); it was changed, or damaged on the way: ask whoever named it"
        )
    with _kept_at(path):
        write_whole(path, lambda part: _put(part, reply.body))
    return path


@contextmanager
def _kept_at(path: Path) -> Iterator[None]:
    """Say what to do about a folder that cannot be used; a run's remedies do not fit here."""
    try:
        yield
    except DiskFullError:
        raise
    except (OSError, RunError) as error:
        reason = getattr(error.__cause__ or error, "strerror", error)
        raise NoPermissionError(
            f"{path}: fetched files cannot be kept there ({reason}); {_REMEDY}"
        ) from error


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)
