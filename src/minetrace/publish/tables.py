"""The table of hectares per period, for a spreadsheet."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from minetrace.publish.words import INTERVAL
from minetrace.store.files import write_whole

_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def write_hectares(path: Path, table: pd.DataFrame) -> None:
    """Write a panel's summary as CSV, with a column that says what stands behind the hectares."""

    def write(part: Path) -> None:
        table.assign(interval=INTERVAL).to_csv(part, index=False, float_format="%.6g")

    write_whole(path, write)


def write_plain(path: Path, table: pd.DataFrame) -> None:
    """Write any table as CSV."""
    write_whole(path, lambda part: table.to_csv(part, index=False, float_format="%.10g"))


def read_hectares(path: Path) -> pd.DataFrame:
    """The table as it was written; ``start`` and ``end`` are dates."""
    return pd.read_csv(path, dtype={"period": str}, parse_dates=["start", "end"])


def quoted(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a quote before each text that a spreadsheet would run as a formula.

    Such a text begins with ``=``, ``+``, ``-``, ``@``, a tab or a return. What people type or bring
    along must not run on the machine of whoever opens the table. Numbers stay as they are.

    Source: OWASP, CSV Injection.
    """
    return table.map(lambda cell: f"'{cell}" if _runs(cell) else cell)


def unquoted(table: pd.DataFrame) -> pd.DataFrame:
    """The table as it was before `quoted`."""
    return table.map(lambda cell: cell[1:] if _runs(cell) and cell[0] == "'" else cell)


def _runs(cell: object) -> bool:
    return isinstance(cell, str) and _FORMULA.match(cell) is not None
