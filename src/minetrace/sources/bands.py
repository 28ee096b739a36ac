"""Which band of a file is which, by description or by the user's word."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from minetrace.core.bands import (
    COMMON_NAMES,
    MASK_NAMES,
    SENTINEL2,
    common_name,
    is_embedding,
    nearest,
)
from minetrace.errors import BandError

READABLE = COMMON_NAMES  # what int16 can hold, see ``stored_scale``


def readable(name: str) -> bool:
    """Whether a name is that of a band that imagery may have."""
    return name in READABLE or is_embedding(name)


@dataclass(frozen=True)
class BandSpec:
    """One band of the files, as the user says it.

    Attributes:
        name: its description in the files.
        index: or its position, from 1.
        scale: reflectance per count; default: the source's, or the file's tags.
        offset: added to it.
    """

    name: str | None = None
    index: int | None = None
    scale: float | None = None
    offset: float | None = None

    def __post_init__(self) -> None:
        if self.name is not None and self.index is not None:
            raise BandError(f"band {self.name!r} is also given as index {self.index}: keep one")


def find_bands(
    path: Path, descriptions: Sequence[str | None], asked: Mapping[str, BandSpec]
) -> dict[str, int]:
    """Positions, from 1, of a file's bands by common name, in the order of the file.

    Args:
        path: the file, for errors.
        descriptions: one per band; None where a band has none.
        asked: the user's mapping; empty to go by the descriptions.

    Raises:
        BandError: a band is not there, a name is not known, or a description is ambiguous.
    """
    if asked:
        found = {name: _position(path, descriptions, name, spec) for name, spec in asked.items()}
    else:
        found = _described(path, descriptions)
    return dict(sorted(found.items(), key=lambda item: item[1]))


def find_band(path: Path, descriptions: Sequence[str | None], name: str) -> int | None:
    """Position, from 1, of the band with a description or a common name, or None.

    Raises:
        BandError: the descriptions are ambiguous.
    """
    words = [(d or "").strip().lower() for d in descriptions]
    if name.strip().lower() in words:
        return words.index(name.strip().lower()) + 1
    wanted = common_name(name)
    names = [_common(path, descriptions, d) for d in descriptions]
    return names.index(wanted) + 1 if wanted in names and wanted is not None else None


def _position(path: Path, descriptions: Sequence[str | None], name: str, spec: BandSpec) -> int:
    if not readable(name):
        hint = nearest(name, READABLE)
        raise BandError(
            f"sources.bands: {name!r} is not a common name such as red, nir or swir16"
            + (f"; did you mean {hint}?" if hint else "")
        )
    if spec.index is not None:
        if not 1 <= spec.index <= len(descriptions):
            raise BandError(
                f"{path.name} has {len(descriptions)} bands; {name} cannot be number {spec.index}"
            )
        return spec.index
    word = spec.name or name
    position = find_band(path, descriptions, word)
    if position is None:
        have = [d for d in descriptions if d]
        hint = nearest(word, have)
        raise BandError(
            f"no band {word!r} in {path.name}, which has "
            + (", ".join(have) or f"{len(descriptions)} bands without names")
            + (f"; did you mean {hint}?" if hint else "; give its position: {index: 1}")
        )
    return position


def _described(path: Path, descriptions: Sequence[str | None]) -> dict[str, int]:
    found: dict[str, int] = {}
    for position, description in enumerate(descriptions, start=1):
        name = _common(path, descriptions, description)
        if name is None or not readable(name):
            continue
        if name in found:
            raise BandError(
                f"{path.name}: bands {found[name]} and {position} are both {name}; "
                f"say which one with sources.bands: {{{name}: {position}}}"
            )
        found[name] = position
    if not found:
        have = ", ".join(d for d in descriptions if d) or "none of them has a description"
        raise BandError(
            f"{path.name}: which of its {len(descriptions)} bands is which is not said "
            f"({have}); say it with sources.bands: {{red: 1, green: 2, ...}}; "
            "where each band is a file of its own, stack them with 'gdalbuildvrt -separate'"
        )
    return found


def _common(path: Path, descriptions: Sequence[str | None], description: str | None) -> str | None:
    """The common name of one description, in the light of the others.

    Landsat numbers its bands with one digit, and so do some services for Sentinel-2, whose
    ``B5`` or ``B8`` mean something else. B8A and two digits give Sentinel-2 away; B8 or B11 without
    them are refused.
    """
    if description is None:
        return None
    word = description.strip().upper()
    if not re.fullmatch(r"B\d{1,2}", word):
        return common_name(word)
    words = {(d or "").strip().upper() for d in descriptions}
    if words & {"B8A", "B12"} or any(re.fullmatch(r"B0\d", w) for w in words):
        return SENTINEL2.get(f"B{int(word[1:]):02d}")
    unclear = words & {"B8", "B10", "B11"}
    if unclear:
        one = sorted(unclear)[0]
        raise BandError(
            f"{path.name}: band {one} could be Sentinel-2's or Landsat's; say which band is which "
            "with sources.bands, such as {nir: B8, swir16: B11}"
        )
    return common_name(word)


def mask_band(path: Path, descriptions: Sequence[str | None]) -> tuple[str, int] | None:
    """The kind (``scl`` or ``qa_pixel``) and position of a band described as a mask, or None.

    Raises:
        BandError: there is more than one.
    """
    named = [
        (MASK_NAMES[word], position)
        for position, d in enumerate(descriptions, start=1)
        if (word := (d or "").strip().lower()) in MASK_NAMES
    ]
    if len(named) > 1:
        raise BandError(
            f"{path.name}: bands {named[0][1]} and {named[1][1]} are both masks; choose with "
            "sources.mask: {kind: scl, band: NAME}"
        )
    return named[0] if named else None
