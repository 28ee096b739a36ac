"""The design of a sample: what was asked, what it came to, and how it is kept.

``design.json`` holds all that an estimate needs besides the answers, so that a spreadsheet may sort
or cut the table of points without harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from minetrace.assess.allocation import MINIMUM, Allocation
from minetrace.assess.stratified import Strata
from minetrace.errors import MissingFileError, RunError
from minetrace.store.files import read_json

FORMAT = "minetrace-sample/1"
DESIGN, TABLE, PACKAGE = "design.json", "sample.csv", "sample.gpkg"
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
        expected: share of mines by stratum, in place of the built-in guess.
        territories: polygons to estimate by, with
        territory_id: the column that names them.
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
    def strata(self) -> Strata:
        """What was drawn from, in hectares."""
        rows = self.facts["strata"]
        return Strata.of(
            [row["name"] for row in rows], [row["area_ha"] for row in rows],
            [row["units"] for row in rows],
        )  # fmt: skip

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
