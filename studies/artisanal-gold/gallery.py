"""The gallery: labelled chips with the sources they came from and the folds that part sources.

Chips of one source share a place, a season and a way of picking, so a figure means something only
on sources that were not trained on: a fold holds whole sources out.
"""

from __future__ import annotations

import csv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from minetrace.errors import MissingFileError, ModelError


@dataclass(frozen=True)
class ChipSource:
    """Where a group of chips came from.

    Attributes:
        name: of the list of places.
        window: the span of days and the clear-sky rule of their composite.
        fold: the part of the data that it is held out with.
    """

    name: str
    window: str
    fold: int


@dataclass(frozen=True)
class ChipSet:
    """Chips, each with a label and a source.

    Attributes:
        pixels: (n, bands, side, side) uint8; what a value means is for the reader's caller to say.
        label: (n,) True where there is a mine.
        source: (n,) index into ``sources``.
        sources: every source.
    """

    pixels: NDArray[np.uint8]
    label: NDArray[np.bool_]
    source: NDArray[np.int64]
    sources: tuple[ChipSource, ...]

    @property
    def fold(self) -> NDArray[np.int64]:
        """(n,) the fold of each chip."""
        return np.array([source.fold for source in self.sources])[self.source]

    def named(self, start: str) -> NDArray[np.bool_]:
        """(n,) whether the name of the chip's source starts so."""
        return np.array([source.name.startswith(start) for source in self.sources])[self.source]

    def windowed(self, start: str) -> NDArray[np.bool_]:
        """(n,) whether the window of the chip's source starts so."""
        return np.array([source.window.startswith(start) for source in self.sources])[self.source]


def read_chip_set(folder: Path) -> ChipSet:
    """Read ``chips.npz`` (chips (n, side, side, bands), label, source) and ``sources.csv``.

    Raises:
        MissingFileError: a file is not there.
        ModelError: the files do not hold what they should.
    """
    try:
        with np.load(folder / "chips.npz") as held:
            pixels, label, source = (held[key] for key in ("chips", "label", "source"))
        with (folder / "sources.csv").open(newline="", encoding="utf-8") as file:
            sources = tuple(
                ChipSource(row["source"], row["window"], int(row["fold"]))
                for row in csv.DictReader(file)
            )
    except FileNotFoundError as error:
        raise MissingFileError(
            f"{folder}: holds no {Path(error.filename).name}; give the folder of chips.npz and "
            "sources.csv"
        ) from error
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ModelError(f"{folder}: not a chip set ({error}); get its files again") from error
    if source.max(initial=0) >= len(sources):
        raise ModelError(
            f"{folder}: chips.npz names source {source.max()}, sources.csv has {len(sources)} "
            "rows; get both files of one version"
        )
    return ChipSet(
        np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)),
        label.astype(bool),
        source.astype(np.int64),
        sources,
    )
