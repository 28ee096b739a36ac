"""A tally in a few lines, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from minetrace.publish.words import INTERVAL, count, hectares

TOP = 12
WIDE = 28, 60  # columns of a territory's name and class, least and most
OVERLAP_HA = 0.01  # less is the rounding of a border
SILENT = {
    "no site given": "nobody told whether it was looked at, so it may have mines",
    "not looked": "nobody looked there, so it may have mines",
}


def lines(table: pd.DataFrame) -> Iterator[str]:
    """The last period: the largest territories, the sums, and what overlaps."""
    last = table[table["period"] == table["period"].iloc[-1]]
    measure = "present_ha" if last["present_ha"].notna().any() else "new_ha"
    units = last[last["part"] == "territory"].sort_values(
        [measure, "cumulative_ha"], ascending=False
    )
    yield f"period {last['period'].iloc[0]}, the last of {table['period'].nunique()}"
    names = [_name(row) for _, row in units.head(TOP).iterrows()]
    wide = min(max([WIDE[0], *(len(name) + 1 for name in names)]), WIDE[1])
    yield f"{'territory':<{wide}}{measure:>14}{'cumulative_ha':>16}{'sites':>8}"
    for name, (_, row) in zip(names, units.head(TOP).iterrows(), strict=True):
        yield _line(name, row, measure, wide)
    if len(units) > TOP:
        yield f"and {len(units) - TOP:,} more"
    for _, row in last[last["part"] != "territory"].iterrows():
        yield _line(row["part"], row, measure, wide)
    for state, meaning in SILENT.items():
        some = (units["state"] == state).sum()
        if some:
            yield f"{count(some, 'row')} with {state}: {meaning}"
    shared = units[units["overlap_ha"] > OVERLAP_HA]
    if len(shared):
        yield (
            f"{len(shared)} territories overlap others (overlap_ha): do not add them up; "
            "'together' counts that ground once"
        )
    yield f"together and outside add up to the panel to the square metre; hectares {INTERVAL}"


def _name(row: pd.Series) -> str:
    """The territory's name with its id, and its class."""
    words = [row["territory"]]
    if "name" in row and not pd.isna(row["name"]):
        words.append(row["name"])
    if "class" in row:
        words.append("–" if pd.isna(row["class"]) else row["class"])
    return " ".join(words)


def _line(words: str, row: pd.Series, measure: str, wide: int) -> str:
    if row["state"] in SILENT and pd.isna(row["cumulative_ha"]):
        return f"{words:<{wide}.{wide - 1}}{row['state']:>38}"
    sites = "–" if pd.isna(row["sites"]) else f"{row['sites']:,}"
    values = f"{hectares(row[measure]):>14}{hectares(row['cumulative_ha']):>16}"
    return f"{words:<{wide}.{wide - 1}}{values}{sites:>8}"
