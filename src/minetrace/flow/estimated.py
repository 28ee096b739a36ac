"""What samples have said of a run, for its data card, its map and whoever asks.

A run keeps a copy of each sample's estimate under ``estimates/``. Only those count that were made
from the map as it is now; one of an older map stays where it is and is not shown. Of several
samples of a period the one that was estimated last is shown, by name: choosing the surest, or the
one that suits, would make its interval untrue. Estimating an older one again shows that.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from minetrace.flow.verified import map_checksum
from minetrace.store.files import read_json, write_json
from minetrace.store.run_folder import RunFolder

FOLDER = "estimates"


def keep(run: Path, label: str, facts: dict[str, Any], when: datetime) -> Path | None:
    """Put an estimate beside its run; None if the run's map is another one by now."""
    if facts["run"].get("map_sha256") != map_checksum(run):
        return None
    path = run / FOLDER / f"{label}-{facts['sample']['id']}.json"
    write_json(path, {**facts, "estimated_at": when.isoformat(timespec="microseconds")})
    return path


def kept(run: RunFolder) -> list[dict[str, Any]]:
    """All estimates of whichever map, those that were made last at the end."""
    found: list[dict[str, Any]] = [read_json(p) for p in sorted((run.root / FOLDER).glob("*.json"))]
    return sorted(found, key=lambda facts: str(facts.get("estimated_at", "")))


def current(run: RunFolder) -> Iterator[dict[str, Any]]:
    """Estimates that were made from the map as it is now, the newest last."""
    every = kept(run)
    now = map_checksum(run.root) if every else None
    return (facts for facts in every if facts["run"].get("map_sha256") == now)


def sample_name(facts: dict[str, Any]) -> str:
    """What a sample is called where its estimate is shown: its folder."""
    return str(facts.get("sample", {}).get("name", "-to-".join(_labels(facts))))


def estimated(run: RunFolder) -> dict[str, dict[str, Any]]:
    """By period, what its newest sample says: value, standard_error, low and high, in ha.

    Beside them the hectares that it holds for and the name of the sample.
    """
    found: dict[str, dict[str, Any]] = {}
    for facts in current(run):
        for row in facts["periods"]:
            found[row["period"]] = {
                **row["estimated_ha"], "frame_ha": facts["frame_ha"], "sample": sample_name(facts),
            }  # fmt: skip
    return found


def _labels(facts: dict[str, Any]) -> list[str]:
    return [str(row["period"]) for row in facts["periods"]]
