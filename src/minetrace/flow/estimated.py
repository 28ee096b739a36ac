"""What samples have said of a run, for its data card, its map and whoever asks.

A run keeps a copy of each estimate under ``estimates/``. Only those count that were made from the
map as it is now; one of an older map stays where it is and is not shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from minetrace.flow.verified import map_checksum
from minetrace.store.files import read_json, write_json
from minetrace.store.run_folder import RunFolder

FOLDER = "estimates"


def keep(run: Path, label: str, facts: dict[str, Any]) -> Path | None:
    """Put an estimate beside its run; None if the run's map is another one by now."""
    if facts["run"].get("map_sha256") != map_checksum(run):
        return None
    path = run / FOLDER / f"{label}.json"
    write_json(path, facts)
    return path


def current(run: RunFolder) -> Iterator[dict[str, Any]]:
    """Estimates that were made from the map as it is now."""
    paths = sorted((run.root / FOLDER).glob("*.json"))
    now = map_checksum(run.root) if paths else None
    for path in paths:
        facts: dict[str, Any] = read_json(path)
        if facts["run"].get("map_sha256") == now:
            yield facts


def estimated(run: RunFolder) -> dict[str, dict[str, Any]]:
    """By period, what the surest sample of it says: value, standard_error, low and high, in ha."""
    found: dict[str, dict[str, Any]] = {}
    for facts in current(run):
        for row in facts["periods"]:
            told = row["estimated_ha"]
            known = found.get(row["period"])
            if known is None or told["standard_error"] < known["standard_error"]:
                found[row["period"]] = {**told, "frame_ha": facts["frame_ha"]}
    return found
