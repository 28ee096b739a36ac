"""``minetrace.estimate``: hectares with an interval, from an answered sample."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minetrace.flow.estimates import Estimates


def estimate(
    sample: Path | str, *, answers: Path | str | None = None, draws: int = 1000, write: bool = True
) -> Estimates:
    """Estimate mined hectares and the map's accuracy from an answered sample.

    Args:
        sample: the folder that ``minetrace sample`` wrote.
        answers: a filled table, if it is not the folder's own: CSV, GeoPackage or GeoJSON.
        draws: of the bootstrap that checks the standard errors.
        write: put ``estimates.json``, ``.csv`` and ``.html`` into the folder, and a copy of the
            first beside the run.

    Returns:
        ``table()`` has one row a figure with its 95 % interval, ``facts`` everything, and
        ``files`` names what was written.

    Raises:
        MissingFileError: there is no such sample or table.
        RunError: the design cannot be read.
        LabelError: answers are missing, strange or too few.
    """
    from minetrace.flow.estimates import estimate as work

    return work(
        Path(sample), answers=None if answers is None else Path(answers), draws=draws, write=write
    )
