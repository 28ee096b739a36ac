"""A model file: a folder or zip of ``model.onnx`` and ``model.json``.

A network too large for one message of protobuf (2 GB) has its weights beside, in ``model.weights``.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import shutil
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

from minetrace.core.model import ONNX, WEIGHTS, ModelCard
from minetrace.errors import MissingFileError, ModelError, NoPermissionError
from minetrace.store.files import PART, disk_errors, write_json, write_whole

CARD = "model.json"
_SPOILT = (  # what the ways of packing say of a damaged, encrypted or strange file
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError,
)  # fmt: skip


def read_model(path: Path) -> tuple[bytes, ModelCard]:
    """The network and the card, checked to belong together.

    Args:
        path: a folder that holds both files, or a zip with both at its top or in one folder.

    Returns:
        The graph as bytes, without weights that lie beside it (`read_weights`), and the card.

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
    found = _signature(onnx, card.weights_sha256)
    if found != card.sha256:
        raise ModelError(
            f"{path}: {ONNX} is not the file that {CARD} was written for (sha256 {found[:12]}..., "
            f"the card says {card.sha256[:12] or 'none'}...); get the model again, or write the "
            "card anew if you changed the network yourself"
        )
    return onnx, card


def read_weights(path: Path, card: ModelCard) -> bytes:
    """The weights beside the graph, checked to be those of the card; none where it holds them.

    Raises:
        MissingFileError: the card speaks of weights that are not there.
        ModelError: they are others.
        NoPermissionError: the file may not be read.
    """
    if not card.weights_sha256:
        return b""
    weights = _read(path, WEIGHTS)
    found = hashlib.sha256(weights).hexdigest()
    if found != card.weights_sha256:
        raise ModelError(
            f"{path}: {WEIGHTS} is not the file that {CARD} was written for (sha256 "
            f"{found[:12]}..., the card says {card.weights_sha256[:12]}...); get the model again"
        )
    return weights


def write_model(folder: Path, onnx: bytes, card: ModelCard, weights: bytes = b"") -> ModelCard:
    """Write a model folder whole; an older one in its place is replaced.

    Args:
        weights: what ``onnx`` refers to as ``model.weights``, if it does.

    Returns:
        The card as written, with the hashes of both.

    Raises:
        DiskFullError: no room left.
        NoPermissionError: the folder may not be written.
    """
    beside = hashlib.sha256(weights).hexdigest() if weights else ""
    signed = replace(card, weights_sha256=beside, sha256=_signature(onnx, beside))
    folder = Path(folder)
    with disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = folder.with_name(f"{PART}{os.getpid()}-{folder.name}")
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            write_whole(fresh / ONNX, lambda part: _put(part, onnx))
            if weights:
                write_whole(fresh / WEIGHTS, lambda part: _put(part, weights))
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
    weights = read_weights(path, card)

    def pack(part: Path) -> None:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in (CARD, ONNX):
                archive.writestr(zipfile.ZipInfo(f"{card.name}/{name}"), _read(path, name),
                                 zipfile.ZIP_DEFLATED)  # fmt: skip
            if weights:  # which hardly shrink
                archive.writestr(zipfile.ZipInfo(f"{card.name}/{WEIGHTS}"), weights)

    write_whole(target, pack)
    return card


def _signature(onnx: bytes, weights_sha256: str) -> str:
    """What stands for a model: another graph or other weights give another."""
    digest = hashlib.sha256(onnx)
    digest.update(weights_sha256.encode())
    return digest.hexdigest()


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
            f"{path}: holds no {name}; a model is a folder or zip of {ONNX} and {CARD}, with "
            f"{WEIGHTS} where the card speaks of it"
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
            try:
                return archive.read(inside[0])
            except _SPOILT as error:
                raise ModelError(
                    f"{path}: {name} cannot be unpacked ({error}); get the zip again, or pack "
                    "the model anew with 'minetrace models export'"
                ) from error
    except zipfile.BadZipFile as error:
        raise ModelError(
            f"{path}: neither a folder nor a zip; a model is a folder or zip of {ONNX} and {CARD}"
        ) from error
