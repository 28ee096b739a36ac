"""A store of fetched pixels: one file a scene and piece of ground, and a manifest with checksums.

``fetched.jsonl`` grows by a line for each piece as it is done, so that a fetch that was stopped
goes on; ``store.json`` says what the store is. Both name files by their path within the store, so
that it may be moved, packed and checked elsewhere.
"""

from __future__ import annotations

import json
import tarfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from minetrace.core.grid import Anchor, Rect
from minetrace.errors import MissingFileError, RunError, StudyError
from minetrace.store import exports
from minetrace.store.files import PART, disk_errors, read_json, sha256, write_json, write_whole

MANIFEST, LINES, STUDY, REGION = "store.json", "fetched.jsonl", "study.yaml", "region.geojson"
STORE_RECIPE = 1


@dataclass(frozen=True)
class Piece:
    """One scene over one piece of ground.

    Attributes:
        path: within the store; "" if nothing of it is valid, so that there is no file.
        source: which of the study's sources, from 0.
        crs, resolution_m, anchor, rect: of its lattice and its pixels.
        read_hash: of all that its pixels depend on.
        bytes, sha256: of the file.
        seconds: that fetching took.
    """

    path: str
    source: int
    scene: str
    day: date
    crs: str
    resolution_m: float
    anchor: Anchor
    rect: Rect
    read_hash: str
    bytes: int = 0
    sha256: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class SourceFacts:
    """What is known of a source beside its pixels."""

    name: str
    bands: tuple[str, ...]
    resolution_m: float
    crs: str
    level: str | None
    masking: str
    licence: str
    attribution: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """Something about a store that is not as the manifest says."""

    path: str
    words: str


def note_piece(store: Path, piece: Piece) -> None:
    """Add a line for a piece that is done."""
    with disk_errors(store), (store / LINES).open("a", encoding="utf-8") as file:
        file.write(json.dumps({**asdict(piece), "day": str(piece.day)}) + "\n")


def read_pieces(store: Path) -> list[Piece]:
    """The pieces that are done; of several lines for one piece the last counts.

    A line that a kill cut short is passed over: its piece is fetched again.
    """
    path = store / LINES
    if not path.is_file():
        return []
    found: dict[tuple[Any, ...], Piece] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            piece = _piece(json.loads(line))
        except (ValueError, KeyError, TypeError):
            continue
        found[piece.source, piece.scene, piece.crs, piece.rect] = piece
    return sorted(found.values(), key=lambda p: (p.source, p.day, p.scene, p.crs, p.rect))


def write_manifest(
    store: Path, name: str, sources: Sequence[SourceFacts], pieces: Sequence[Piece],
    beside: Sequence[str] = (),
) -> None:  # fmt: skip
    """Say what the store is, once everything is in it.

    Args:
        beside: paths within the store of what belongs to it and is no piece.
    """
    listed = [{**asdict(piece), "day": str(piece.day)} for piece in pieces]
    names = (STUDY, REGION, *beside)
    files = {one: sha256(store / one) for one in names if (store / one).is_file()}
    write_json(store / MANIFEST, {
        "recipe": STORE_RECIPE, "name": name, "sources": [asdict(one) for one in sources],
        "bytes": sum(piece.bytes for piece in pieces),
        "seconds": round(sum(piece.seconds for piece in pieces), 3),
        "files": files, "pieces": listed,
    })  # fmt: skip


def read_manifest(store: Path) -> tuple[list[SourceFacts], list[Piece]]:
    """What a store holds.

    Raises:
        MissingFileError: it is not there, or was never finished.
        RunError: it is no store.
    """
    told = _told(store)
    try:
        facts = [
            SourceFacts(**{**one, "bands": tuple(one["bands"]), "notes": tuple(one["notes"])})
            for one in told["sources"]
        ]
        return facts, [_piece(one) for one in told["pieces"]]
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{store / MANIFEST}: not a store as 'minetrace fetch' makes it ({error}); fetch again"
        ) from error


def findings(store: Path) -> list[Finding]:
    """Everything that is not as the manifest says; nothing is changed.

    Raises:
        MissingFileError, RunError: see ``read_manifest``.
    """
    _, pieces = read_manifest(store)
    said = {piece.path: piece.sha256 for piece in pieces if piece.path}
    said |= {str(name): str(digest) for name, digest in _told(store)["files"].items()}
    found = []
    for name, digest in sorted(said.items()):
        path = store / name
        if not path.is_file():
            found.append(Finding(name, "is missing"))
        elif sha256(path) != digest:
            found.append(Finding(name, "is not what was fetched"))
    known = {*said, MANIFEST, LINES, exports.FILE}
    for path in sorted(store.rglob("*")):
        name = path.relative_to(store).as_posix()
        if path.is_file() and name not in known and not name.startswith(("items/", "cache/")):
            found.append(Finding(name, "belongs to no piece"))
    return found


def pack(store: Path, target: Path) -> int:
    """Put a store into one zip or tar, uncompressed, since its files already are.

    Returns:
        Its bytes.

    Raises:
        MissingFileError, RunError: see ``read_manifest``.
        StudyError: the target is called neither .zip nor .tar.
    """
    packers = {".zip": _zip, ".tar": _tar}
    if target.suffix not in packers:
        raise StudyError(f"{target}: a store is packed into a .zip or a .tar; call it so")
    _, pieces = read_manifest(store)
    names = [MANIFEST, LINES, *_told(store)["files"], *(p.path for p in pieces if p.path)]
    write_whole(target, lambda part: packers[target.suffix](part, store, names))
    return target.stat().st_size


def _zip(path: Path, store: Path, names: Iterable[str]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as packed:
        for name in names:
            packed.write(store / name, f"{store.name}/{name}")


def _tar(path: Path, store: Path, names: Iterable[str]) -> None:
    with tarfile.open(path, "w") as packed:
        for name in names:
            packed.add(store / name, f"{store.name}/{name}", recursive=False)


def _told(store: Path) -> dict[str, Any]:
    path = store / MANIFEST
    if not path.is_file():
        unfinished = (store / LINES).is_file()
        remedy = "fetch it to the end" if unfinished else "'minetrace fetch' makes one"
        raise MissingFileError(f"{path}: not there, so this is no whole store; {remedy}")
    told: dict[str, Any] = read_json(path)
    return told


def _piece(told: Mapping[str, Any]) -> Piece:
    rect = told["rect"]
    place = Rect(rect["row"], rect["col"], rect["height"], rect["width"])
    path = str(told["path"])
    if path.startswith("/") or ".." in Path(path).parts or PART in path:
        raise ValueError(f"{path} leads out of the store")
    return Piece(**{**told, "day": date.fromisoformat(told["day"]), "rect": place})
