"""Chips: small pictures with what is known of them, and a set of them that has a version.

A chip is read as numbers that mean something, whatever its file holds: reflectance (0 to 1) for
optical bands, decibels for ``vv`` and ``vh``, metres for ``elevation``, NaN where nothing was seen.
A mask says of each pixel which class it is, or IGNORE where nobody knows. What nobody looked at
is never "no mine".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from minetrace.core.bands import nearest
from minetrace.core.model import Level
from minetrace.core.provenance import fingerprint
from minetrace.errors import BandError

IGNORE = 255
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Chip:
    """One small picture, by reference.

    Attributes:
        name: unique in its set.
        image: where its pixels are, for the set's reader: a path from the set's root, or a row.
        mask: likewise; empty if only the whole chip is labelled.
        split: ``train``, ``val``, ``test``, or empty where no split has been made.
        label: class of the whole chip; None where only its mask says it, or nobody knows.
        kind: why it was taken: ``label``, ``background``, ``hard`` (a false alarm), or empty.
        place: what ground it shows; chips of one place in other periods share it.
        period: label of the period that its pixels are of, or empty.
        source: who labelled it, or which list it came from.
        region: country or territory, or empty.
        crs: of ``bounds``; empty if nobody knows where it is.
        bounds: (left, bottom, right, top) in ``crs``.
        shares: share of its pixels by class index, IGNORE among them; None if not counted.
        checksum: of its files or rows, so that other pixels are another version of the set.
    """

    name: str
    image: str
    mask: str = ""
    split: str = ""
    label: int | None = None
    kind: str = ""
    place: str = ""
    period: str = ""
    source: str = ""
    region: str = ""
    crs: str = ""
    bounds: tuple[float, float, float, float] | None = None
    shares: Mapping[int, float] | None = None
    checksum: str = ""


class ChipReader(Protocol):
    """Reads the chips of one set; can be sent to another process."""

    @property
    def meaning(self) -> Mapping[str, Any]:
        """What makes values and classes of its files' numbers; part of the set's version."""
        ...

    def image(self, chip: Chip) -> NDArray[np.float32]:
        """(bands, height, width), NaN where nothing was seen."""
        ...

    def mask(self, chip: Chip) -> NDArray[np.uint8]:
        """(height, width), a class index or IGNORE."""
        ...


@dataclass(frozen=True)
class DataSet:
    """Chips with common bands and classes.

    Attributes:
        name: what to call it, such as its folder.
        chips: in the order of its manifest.
        bands: STAC common names, in the order in which ``read`` gives them.
        classes: by index; the first is what is none of the others, such as ``("other", "mine")``.
        reader: of its pixels.
        resolution_m: side of a pixel on the ground, None if nobody says it.
        level: radiometry of its optical bands.
        data: its sources, with their licences, as a model card holds them.
    """

    name: str
    chips: tuple[Chip, ...]
    bands: tuple[str, ...]
    classes: tuple[str, ...]
    reader: ChipReader
    resolution_m: float | None = None
    level: Level = "any"
    data: tuple[Mapping[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.chips)

    @property
    def version(self) -> str:
        """A hash of every chip, its pixels by checksum, and of what the pixels mean."""
        rows = [sorted(vars(chip).items()) for chip in self.chips]
        return fingerprint([self.bands, self.classes, self.reader.meaning, rows])

    @property
    def splits(self) -> Mapping[str, int]:
        """How many chips each split has."""
        found = [chip.split for chip in self.chips]
        return {name: found.count(name) for name in dict.fromkeys(found)}

    def split(self, name: str) -> DataSet:
        """The chips of one split."""
        return self.where(chip for chip in self.chips if chip.split == name)

    def where(self, chips: Iterable[Chip]) -> DataSet:
        """The same set with these chips only."""
        return replace(self, chips=tuple(chips))

    def read(self, chip: Chip) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Pixels and mask of a chip.

        Returns:
            image: (bands, height, width) float32, NaN where nothing was seen.
            mask: (height, width) uint8 of class indices; IGNORE where nobody knows the class, and
                where no band was seen. A chip that is labelled as a whole is 0 everywhere if it is
                of class 0, else IGNORE, since nobody said where in it the class is.

        Raises:
            ReadFailedError: its files cannot be read.
        """
        image = self.reader.image(chip)
        if chip.mask:
            mask = self.reader.mask(chip)
        else:
            mask = np.full(image.shape[1:], 0 if chip.label == 0 else IGNORE, np.uint8)
        return image, np.where(np.isnan(image).all(axis=0), np.uint8(IGNORE), mask)

    def positions(self, bands: Sequence[str]) -> list[int]:
        """Where bands stand in what ``read`` gives.

        Raises:
            BandError: one of them is not there.
        """
        missing = [band for band in bands if band not in self.bands]
        if missing:
            hint = nearest(missing[0], self.bands)
            raise BandError(
                f"{self.name}: no band {', '.join(missing)}; it has {', '.join(self.bands)}"
                + (f"; did you mean {hint}?" if hint else "")
            )
        return [self.bands.index(band) for band in bands]
