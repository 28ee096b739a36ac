"""The table of hectares per period, for a spreadsheet."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from minetrace.publish.words import INTERVAL
from minetrace.store.files import write_whole


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
