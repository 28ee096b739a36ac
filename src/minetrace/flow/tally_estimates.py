"""Estimated hectares beside mapped ones in a tally: in columns of their own, with an interval.

A sample tells of the territories that it was drawn for, and of all the run's ground. Both are
joined only where the sample's territories are those that are counted by, told by the checksum of
their file and the column that names them, and where the map is still the one it was drawn from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from minetrace.flow.estimated import current, sample_name
from minetrace.publish.words import ESTIMATED
from minetrace.store.files import sha256
from minetrace.store.run_folder import RunFolder

COLUMNS = ("estimated_ha", "estimated_low_ha", "estimated_high_ha")
SAYS = "estimate"  # the column that says what stands behind the others


def with_estimates(table: pd.DataFrame, run: Path | None, by: Path | None, id: str) -> pd.DataFrame:
    """The tally with what samples of its run say; unchanged where none says anything.

    Args:
        table: what ``minetrace.panel.tally`` counted; one by classes is left as it is, since no
            sample tells of them.
        run: the folder of the panel; None if there is none.
        by: the file of the territories; None for the countries that come along.
        id: the column that names a territory.
    """
    if run is None or "class" in table.columns:
        return table
    told = _told(RunFolder(run), None if by is None else {"sha256": sha256(by), "id": id})
    if not told:
        return table
    keys = zip(table["part"], table["territory"].fillna(""), table["period"], strict=True)
    rows = [told.get((str(part), str(unit), str(period))) for part, unit, period in keys]
    found = table.copy()
    for name, fact in zip(COLUMNS, ("value", "low", "high"), strict=True):
        found[name] = [np.nan if row is None else float(row[fact]) for row in rows]
    found[SAYS] = ["" if row is None else f"{ESTIMATED}: {row['sample']}" for row in rows]
    return found


def _told(run: RunFolder, layer: dict[str, str] | None) -> dict[tuple[str, str, str], Any]:
    """By part, territory and period, what the newest sample of it says, and which that is."""
    found: dict[tuple[str, str, str], Any] = {}
    for facts in current(run):
        same = layer is not None and facts.get("territories") == layer
        name = sample_name(facts)
        for row in facts["periods"]:
            period = str(row["period"])
            found["total", "", period] = {**row["estimated_ha"], "sample": name}
            for part in row["territories"] if same else ():
                key = ("territory", str(part["territory"]), period)
                found[key] = {**part["estimated_ha"], "sample": name}
    return found
