"""The design of a sample: what was asked, what it came to, and how it is kept.

``design.json`` holds all that an estimate needs besides the answers, so that a spreadsheet may sort
or cut the table of points without harm.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from minetrace.assess.allocation import ALLOCATIONS, MINIMUM, Allocation
from minetrace.assess.strata import STRATA
from minetrace.assess.stratified import Drawn, Strata
from minetrace.core.provenance import fingerprint
from minetrace.errors import MissingFileError, PeriodError, RunError, StudyError
from minetrace.store.files import read_json

FORMAT = "minetrace-sample/1"
DESIGN, TABLE, PACKAGE = "design.json", "sample.csv", "sample.gpkg"
SIZE = "size_ha"  # ground of a block; points are all alike
ALONG = "along"  # place of a point in its stratum along the curve that it was drawn from
ANSWERS = ("mine", "not", "unsure")


@dataclass(frozen=True)
class SampleRequest:
    """What to draw.

    Attributes:
        periods: one label, or two for what changed between them.
        points: how many; or
        standard_error_ha: how sure the mined hectares are to be.
        seed: another one draws other points.
        allocation: how points are divided among strata.
        minimum: points in a small stratum, of the allocation ``rare``.
        buffer_m: how far the buffer reaches around mapped mines.
        uncertain: score from which unmapped ground is uncertain; half the threshold if left out.
        expected: share of mines in ground of a stratum, in place of the built-in guess.
        territories: polygons to estimate by, with
        territory_id: the column that names them.
        block_m: side of the squares that are drawn, a multiple of the pixel; None for points.
    """

    periods: tuple[str, ...]
    points: int | None = None
    standard_error_ha: float | None = None
    seed: int = 1
    allocation: Allocation = "rare"
    minimum: int = MINIMUM
    buffer_m: float = 100.0
    uncertain: float | None = None
    expected: Mapping[str, float] = field(default_factory=dict)
    territories: Path | None = None
    territory_id: str | None = None
    block_m: float | None = None

    def side_px(self, pixel_m: float) -> int:
        """Side of a unit, in pixels.

        Raises:
            StudyError: a block is no multiple of the pixel.
        """
        if self.block_m is None:
            return 1
        side = round(self.block_m / pixel_m)
        if side < 1 or abs(side * pixel_m - self.block_m) > 1e-6 * pixel_m:
            raise StudyError(
                f"--block-m {self.block_m:g}: the side of a block is a multiple of the run's "
                f"pixels, {pixel_m:g} m; try {max(side, 1) * pixel_m:g}"
            )
        return side

    def refuse(self) -> None:
        """Refuse what cannot be drawn from any run.

        Raises:
            PeriodError, StudyError: no period, or more than two; a number is no use.
        """
        if not 1 <= len(set(self.periods)) <= 2:
            raise PeriodError("give one --period, or two for what changed between them")
        if self.block_m is not None and len(set(self.periods)) == 2:
            raise StudyError(
                "--block-m with two periods: shares of a block do not tell what came and went "
                "inside it; draw points, or blocks of one --period each"
            )
        if (self.points is None) == (self.standard_error_ha is None):
            raise StudyError("give either --n, how many points, or --standard-error, such as 20ha")
        if self.buffer_m < 0:
            raise StudyError(f"--buffer-m {self.buffer_m:g}: a buffer cannot be below 0 m")
        for name, share in self.expected.items():
            if name not in STRATA or not 0 <= share <= 1:
                raise StudyError(
                    f"--expect {name}={share:g}: give one of {', '.join(STRATA)}, and 0 to 1"
                )


@dataclass(frozen=True)
class Design:
    """A drawn sample without its answers.

    Attributes:
        folder: where it lies.
        facts: ``design.json`` as it stands.
    """

    folder: Path
    facts: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Design:
        """A folder that ``minetrace sample`` wrote.

        Raises:
            MissingFileError: there is none.
            RunError: its design cannot be used.
        """
        path = folder / DESIGN
        if not path.is_file():
            raise MissingFileError(f"{folder}: has no {DESIGN}; 'minetrace sample' writes one")
        facts = read_json(path)
        if not isinstance(facts, dict) or facts.get("format") != FORMAT:
            raise RunError(f"{path}: not a design that this version reads ({FORMAT}); draw again")
        return cls(folder, facts)

    @property
    def periods(self) -> tuple[str, ...]:
        """Labels, in time order."""
        return tuple(self.facts["periods"])

    @property
    def label(self) -> str:
        """A name for its files."""
        return "-to-".join(self.periods)

    @property
    def id(self) -> str:
        """Follows from what was drawn, from where; other samples of a period have others."""
        return fingerprint([self.facts["run"].get("map_sha256"), self.facts["points"]])[:8]

    @property
    def strata(self) -> Strata:
        """What was drawn from, in hectares."""
        rows = self.facts["strata"]
        return Strata.of(
            [row["name"] for row in rows], [row["area_ha"] for row in rows],
            [row["units"] for row in rows],
        )  # fmt: skip

    @property
    def of_blocks(self) -> bool:
        """Whether its units are squares, answered by the share that is mined; or else points."""
        return bool(self.facts["unit"] == "block")

    @property
    def noun(self) -> str:
        """What its units are called, several of them."""
        return f"{self.facts['unit']}s"

    @property
    def drawn(self) -> Drawn:
        """Its units, each in its stratum."""
        place = {name: i for i, name in enumerate(self.strata.names)}
        stratum = np.array([place[s] for s in self.column("stratum")], dtype=np.intp)
        size = self.column(SIZE).astype(np.float64) if self.of_blocks else None
        return Drawn(self.strata, stratum, size)

    @property
    def ids(self) -> list[str]:
        """Of the points."""
        return list(self.facts["points"]["id"])

    def column(self, name: str) -> np.ndarray[tuple[int], np.dtype[Any]]:
        """What is known of every point, such as ``stratum``."""
        return np.asarray(self.facts["points"][name])

    @property
    def run_folder(self) -> Path | None:
        """The run that it was drawn from, if that is still where it was."""
        path = (self.folder / str(self.facts["run"]["path"])).resolve()
        return path if path.is_dir() else None


def as_allocation(word: str) -> Allocation:
    """An allocation by its name.

    Raises:
        StudyError: nothing is called so.
    """
    for known in ALLOCATIONS:
        if word == known:
            return known
    raise StudyError(f"allocation {word!r} is none of {', '.join(ALLOCATIONS)}")


def as_hectares(text: str | None) -> float | None:
    """Hectares as somebody writes them: ``20ha``, ``20`` or ``1.5 km2``.

    Raises:
        StudyError: it is no area.
    """
    if text is None:
        return None
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(ha|km2|km²)?\s*", text.lower())
    if found is None or float(found[1]) <= 0:
        raise StudyError(f"--standard-error {text!r}: give hectares, such as 20ha, or 1.5km2")
    return float(found[1]) * (100.0 if (found[2] or "ha").startswith("km") else 1.0)


def as_shares(words: Sequence[str]) -> dict[str, float]:
    """Shares by stratum, from words such as ``rest=0.001``.

    Raises:
        StudyError: a word is not of that kind.
    """
    shares = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            shares[name.strip()] = float(value)
        except ValueError:
            raise StudyError(f"--expect {word!r}: give STRATUM=SHARE, such as rest=0.001") from None
    return shares
