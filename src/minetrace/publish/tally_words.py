"""A tally in a few lines, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from minetrace.publish.words import INTERVAL, hectares

TOP = 12
OVERLAP_HA = 0.01  # less is the rounding of a border


def lines(table: pd.DataFrame) -> Iterator[str]:
    """The last period: the largest territories, the sums, and what overlaps."""
    last = table[table["period"] == table["period"].iloc[-1]]
    measure = "present_ha" if last["present_ha"].notna().any() else "new_ha"
    units = last[last["part"] == "territory"].sort_values(
        [measure, "cumulative_ha"], ascending=False
    )
    names = units["territory"] + (" " + units["class"].fillna("–") if "class" in units else "")
    yield f"{'':<24}{measure:>14}{'cumulative_ha':>16}{'sites':>8}   {last['period'].iloc[0]}"
    shown = zip(names, units[measure], units["cumulative_ha"], units["sites"], strict=True)
    for name, value, so_far, sites in list(shown)[:TOP]:
        yield f"{name:<24.24}{hectares(value):>14}{hectares(so_far):>16}{sites:>8,}"
    if len(units) > TOP:
        yield f"and {len(units) - TOP:,} more"
    for _, row in last[last["part"] != "territory"].iterrows():
        sums = f"{hectares(row[measure]):>14}{hectares(row['cumulative_ha']):>16}{row['sites']:>8,}"
        yield f"{row['part']:<24}{sums}"
    shared = units[units["overlap_ha"] > OVERLAP_HA]
    if len(shared):
        yield (
            f"{len(shared)} territories overlap others (overlap_ha): do not add them up; "
            "'together' counts that ground once"
        )
    yield f"together and outside add up to the panel to the square metre; hectares {INTERVAL}"
