"""A model file: a folder or zip of ``model.onnx`` and ``model.json``."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

from minetrace.core.model import ModelCard
from minetrace.errors import MissingFileError, ModelError, NoPermissionError
from minetrace.store.files import PART, disk_errors, write_json, write_whole

ONNX, CARD = "model.onnx", "model.json"


def read_model(path: Path) -> tuple[bytes, ModelCard]:
    """The network and the card, checked to belong together.

    Args:
        path: a folder that holds both files, or a zip with both at its top or in one folder.

    Raises:
        MissingFileError: the path or one of the files is not there.
        ModelError: the card is no card, or the network is not the one it was written for.
        NoPermissionError: a file may not be read.
    """
    onnx, text = _read(path, ONNX), _read(path, CARD)
    try:
        item = json.loads(text)
    except ValueError as error:
        raise ModelError(f"{path}: {CARD} is not JSON ({error}); export the model again") from error
    card = ModelCard.from_json(item, origin=f"{path}/{CARD}")
    found = hashlib.sha256(onnx).hexdigest()
    if found != card.sha256:
        raise ModelError(
            f"{path}: {ONNX} is not the file that {CARD} was written for (sha256 {found[:12]}..., "
            f"the card says {card.sha256[:12] or 'none'}...); get the model again, or write the "
            "card anew if you changed the network yourself"
        )
    return onnx, card


def write_model(folder: Path, onnx: bytes, card: ModelCard) -> ModelCard:
    """Write a model folder whole; an older one in its place is replaced.

    Returns:
        The card as written, with the hash of ``onnx``.

    Raises:
        DiskFullError: no room left.
        NoPermissionError: the folder may not be written.
    """
    signed = replace(card, sha256=hashlib.sha256(onnx).hexdigest())
    folder = Path(folder)
    with disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = folder.with_name(f"{PART}{os.getpid()}-{folder.name}")
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            write_whole(fresh / ONNX, lambda part: _put(part, onnx))
            write_json(fresh / CARD, signed.to_json())
            _take_place(fresh, folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return signed


def zip_model(path: Path, target: Path) -> ModelCard:
    """Pack a model into one file to hand on; the same model gives the same bytes.

    Raises:
        MissingFileError: the model is not there.
        ModelError: it is none, or was tampered with.
        DiskFullError: no room left.
        NoPermissionError: the file may not be written.
    """
    _, card = read_model(path)

    def pack(part: Path) -> None:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in (CARD, ONNX):
                archive.writestr(zipfile.ZipInfo(f"{card.name}/{name}"), _read(path, name),
                                 zipfile.ZIP_DEFLATED)  # fmt: skip

    write_whole(target, pack)
    return card


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _take_place(fresh: Path, folder: Path) -> None:
    if not folder.exists():
        fresh.replace(folder)
        return
    old = folder.with_name(f"{PART}{os.getpid()}-old-{folder.name}")
    folder.replace(old)
    fresh.replace(folder)
    shutil.rmtree(old)


def _read(path: Path, name: str) -> bytes:
    if not path.exists():
        raise MissingFileError(f"{path}: no such model; give a folder or zip of {ONNX} and {CARD}")
    try:
        return (path / name).read_bytes() if path.is_dir() else _unzip(path, name)
    except FileNotFoundError as error:
        raise MissingFileError(
            f"{path}: holds no {name}; a model is a folder or zip of {ONNX} and {CARD}"
        ) from error
    except PermissionError as error:
        raise NoPermissionError(f"{path}: may not be read; ask its owner") from error


def _unzip(path: Path, name: str) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            inside = sorted(
                (n for n in archive.namelist() if n.split("/")[-1] == name and n.count("/") <= 1),
                key=len,
            )
            if not inside:
                raise FileNotFoundError(name)
            return archive.read(inside[0])
    except zipfile.BadZipFile as error:
        raise ModelError(
            f"{path}: neither a folder nor a zip; a model is a folder or zip of {ONNX} and {CARD}"
        ) from error
