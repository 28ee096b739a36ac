"""Pieces of a map that the page opens when it needs them.

A page opened from disk may not fetch, but it may add a script. So each piece is a script that hands
its content over; the same files serve from any static host.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from minetrace.store.files import write_whole

CHUNK_BYTES = 1 << 19


def put(path: Path, content: bytes) -> None:
    """Write a file whole."""

    def write(part: Path) -> None:
        part.write_bytes(content)

    write_whole(path, write)


def put_part(folder: Path, name: str, content: Any) -> Path:
    """Write a piece as ``FOLDER/NAME.js``, to be handed over under its name."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    path = folder / f"{name}.js"
    put(path, f"minetracePart({json.dumps(name)},{text});\n".encode("ascii"))
    return path


def put_chunks(folder: Path, name: str, archive: Path) -> list[Path]:
    """Cut a file into numbered pieces of ``CHUNK_BYTES`` each, in base64."""
    written: list[Path] = []
    with archive.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            code = base64.b64encode(chunk).decode("ascii")
            written.append(put_part(folder, f"{name}/{len(written):05d}", code))
    return written


def keep_only(folder: Path, kept: Iterable[Path]) -> None:
    """Delete the files of a folder of pieces that an earlier writing left."""
    names = set(kept)
    for path in folder.glob("*.js"):
        if path not in names:
            path.unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
