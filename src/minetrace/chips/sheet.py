"""The contact sheet: what the chips of a set look like, with their masks drawn in."""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile

from minetrace.core.data_set import IGNORE, Chip, DataSet
from minetrace.store.files import write_whole

CELL = 160
GAP = 6
MOST = 60
DARK, LIGHT = 2.0, 98.0  # percentiles of a chip that become black and white
MINE = np.array([255, 221, 51], np.uint8)
MAPPED = np.array([255, 0, 200], np.uint8)
UNKNOWN = np.array([70, 130, 255], np.uint8)
PAPER = 245


def choose(chips: Sequence[Chip], most: int = MOST) -> list[Chip]:
    """Chips of every kind and split in turn, in an order that hangs on their names."""
    groups: dict[tuple[str, str], list[Chip]] = {}
    for chip in sorted(chips, key=lambda c: hashlib.sha256(c.name.encode()).hexdigest()):
        groups.setdefault((chip.split, chip.kind), []).append(chip)
    taken: list[Chip] = []
    lines = [groups[key] for key in sorted(groups)]
    for turn in range(max(map(len, lines), default=0)):
        taken += [line[turn] for line in lines if turn < len(line)]
    return sorted(taken[:most], key=lambda c: (c.split, c.kind, c.name))


def write_sheet(path: Path, data: DataSet, chips: Sequence[Chip]) -> None:
    """A PNG of chips in rows: mines outlined in yellow, what nobody knows veiled in blue.

    Args:
        chips: of the set, in the order of the sheet.
    """
    across = max(1, min(10, math.ceil(math.sqrt(len(chips) * 1.6))))
    down = math.ceil(len(chips) / across)
    side = CELL + GAP
    sheet = np.full((down * side + GAP, across * side + GAP, 3), PAPER, np.uint8)
    for number, chip in enumerate(chips):
        row, col = divmod(number, across)
        top, left = GAP + row * side, GAP + col * side
        sheet[top : top + CELL, left : left + CELL] = cell(data, chip)
    write_whole(path, lambda part: _png(part, sheet))


def cell(data: DataSet, chip: Chip) -> NDArray[np.uint8]:
    """(CELL, CELL, 3): one chip, stretched, with its mask."""
    image, mask = data.read(chip)
    return painted(image, mask, data.bands)


def painted(
    image: NDArray[np.float32], mask: NDArray[np.uint8], bands: Sequence[str],
    mapped: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint8]:  # fmt: skip
    """(CELL, CELL, 3): a picture with its mines in yellow, and in magenta what a model mapped."""
    rows, cols = (np.arange(CELL) * n // CELL for n in mask.shape)
    rgb = picture(image[:, rows][:, :, cols], bands)
    mask = mask[rows][:, cols]
    veiled = mask == IGNORE
    rgb[veiled] = (rgb[veiled] * 0.6 + UNKNOWN * 0.4).astype(np.uint8)
    if mapped is not None:
        rgb[_edges(mapped[rows][:, cols])] = MAPPED
    rgb[_edges((mask > 0) & ~veiled)] = MINE
    return rgb


def png_of(rgb: NDArray[np.uint8]) -> bytes:
    """A (height, width, 3) picture as the bytes of a PNG."""
    with MemoryFile(ext=".png") as memory:
        _png(memory.name, rgb)
        return bytes(memory.read())


def picture(image: NDArray[np.float32], bands: Sequence[str]) -> NDArray[np.uint8]:
    """(height, width, 3): true colour if the bands have it, else the first bands; grey if one."""
    wanted = ("red", "green", "blue")
    here = [bands.index(b) for b in wanted] if set(wanted) <= set(bands) else [0, 1, 2]
    layers = image[here] if len(image) >= 3 else image[[0, 0, 0]]
    seen = np.isfinite(layers)
    if not seen.any():
        return np.full((*image.shape[1:], 3), PAPER - 20, np.uint8)
    low, high = np.percentile(layers[seen], (DARK, LIGHT))
    scaled = (np.where(seen, layers, low) - low) / max(float(high - low), 1e-6)
    return np.ascontiguousarray((np.clip(scaled, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0))


def _edges(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    inner = mask.copy()
    inner[1:] &= mask[:-1]
    inner[:-1] &= mask[1:]
    inner[:, 1:] &= mask[:, :-1]
    inner[:, :-1] &= mask[:, 1:]
    return mask & ~inner


def _png(path: Path | str, rgb: NDArray[np.uint8]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver="PNG", height=rgb.shape[0], width=rgb.shape[1], count=3, dtype="uint8"
        ) as file:
            file.write(rgb.transpose(2, 0, 1))
