"""Write hectares in the keys of Amazon Mining Watch: for its web page, and for the calculator.

    python payload.py run/tallies.json

Beside the tallies it writes ``yearly.json`` (id, admin_year as yyyyqq, newly mined and cumulative
hectares; null where nobody looked) and ``calculator.json``, the body of a request to the Mining
Impact Calculator: the cumulative hectares of each territory that it knows, by country and number.

Source of the keys: mining-detector, ``preprocess_mining_areas_and_query_calculator.py``.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

NOT_THERE = frozenset({"VE", "GF"})  # countries that the calculator does not know
THEIR_CODE = {"SR": "SU", "GY": "GU"}
REGION = re.compile(r"([A-Z]{2})(\d+)")  # a country's code and a number, as their ids are
PERIOD = re.compile(r"(\d{4})(?:-q([1-4]))?")

Row = dict[str, Any]


def yearly(rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    """One row for each territory and period: legality classes are added up."""
    sums: dict[tuple[str, int], list[float]] = {}
    seen: set[tuple[str, int]] = set()
    for row in rows:
        if row["part"] == "territory":
            key = row["territory"], admin_year(row["period"])
            sums.setdefault(key, []).append(row["cumulative_ha"] or 0.0)
            if (row["present_ha"], row["new_ha"]) != (None, None):
                seen.add(key)
    found: list[Row] = []
    for code, year in sorted(sums):
        before = found[-1] if found and found[-1]["id"] == code else {}
        total = round(sum(sums[code, year]), 6)
        new = round(total - before.get("intersected_area_ha_cumulative", 0.0), 6)
        found.append({
            "id": code, "admin_year": year,
            "intersected_area_ha": new if (code, year) in seen else None,
            "intersected_area_ha_cumulative": total,
        })  # fmt: skip
    return found


def admin_year(period: str) -> int:
    """2020 is 202000, and 2022-q3 is 202203."""
    known = PERIOD.fullmatch(period)
    if known is None:
        raise SystemExit(f"{period}: is neither a year nor a quarter, which is all that they count")
    return int(known[1]) * 100 + int(known[2] or 0)


def locations(rows: Iterable[Row]) -> list[Row]:
    """What the calculator is asked: hectares of each of its regions at the last period."""
    last = {row["id"]: row["intersected_area_ha_cumulative"] for row in rows}
    known = {REGION.fullmatch(code): ha for code, ha in last.items() if ha > 0}
    return [
        {"country": THEIR_CODE.get(code[1], code[1]), "regionId": int(code[2]), "affectedArea": ha}
        for code, ha in known.items()
        if code and code[1] not in NOT_THERE
    ]


def main(tallies: Path) -> None:
    rows = yearly(json.loads(tallies.read_text(encoding="utf-8"))["rows"])
    asked = {"locations": locations(rows)}
    for name, content in (("yearly.json", rows), ("calculator.json", asked)):
        (tallies.parent / name).write_text(json.dumps(content, indent=1), encoding="utf-8")
    print(f"{len(rows)} rows, and {len(asked['locations'])} regions for the calculator")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
