"""Exports that nobody will come for: found, and given up there and here."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from minetrace.sources.earthengine_api import EarthEngineApi
from minetrace.sources.earthengine_exports import ExportDesk
from minetrace.sources.earthengine_meter import Ceiling, Meter
from minetrace.store.exports import Export, Exports
from minetrace.store.http import client
from minetrace.store.run_folder import RunFolder

STALE_DAYS = 7.0


def exports_of(store: Path) -> list[Export]:
    """All exports of a store, in order of state; asks nobody.

    Raises:
        MissingFileError: nothing was exported into it.
    """
    with Exports.open(store, make=False) as ledger:
        return sorted(ledger.all(), key=lambda one: (one.state, one.key))


def stale(exports: Sequence[Export], days: float = STALE_DAYS) -> list[Export]:
    """Those that failed for good, and those to which nothing has happened for some days."""
    now = time.time()
    return [one for one in exports if one.stale(days, now)]


def forget(store: Path, days: float = STALE_DAYS) -> list[Export]:
    """Give up what is stale: stop it there, delete what it has put into the bucket, forget it here.

    The next fetch that wants it orders it anew; what it took still counts.

    Returns:
        What was given up.

    Raises:
        RunInUseError: a fetch is working on the store.
        NoPermissionError: Earth Engine or the bucket does not let the project in.
        ReadFailedError: no answer; what was given up by then is.
    """
    with Exports.open(store, make=False) as ledger, RunFolder(store).claimed():
        gone = stale(ledger.all(), days)
        for one in gone:
            desk = _desk(store, one)
            if one.operation and one.state == "submitted":
                desk.cancel(one.operation)
            if one.operation:
                desk.remove(one.folder)
            ledger.forget(one.key)
        return gone


def _desk(store: Path, one: Export) -> ExportDesk:
    folder = RunFolder(store)
    meter = Meter(folder.items / "earthengine-meter.json", Ceiling(None, None))
    api = EarthEngineApi(one.url, one.project, client(), meter)
    return ExportDesk(api, one.bucket, one.storage)
