"""How far a run is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from minetrace.errors import NoPermissionError, RunInUseError
from minetrace.flow.plan import plan
from minetrace.flow.study import Study
from minetrace.store.files import read_json
from minetrace.store.ledger import Count, Ledger
from minetrace.store.run_folder import Key, RunFolder

SMALL = 20_000  # artefacts whose sidecars are looked at again, however the last run ended


@dataclass(frozen=True)
class Status:
    """What of a run is done, failed and missing."""

    running: bool
    finished: bool
    counts: tuple[Count, ...]
    failures: tuple[tuple[Key, str], ...]

    @property
    def verdict(self) -> str:
        """The whole in a word or two."""
        if self.running:
            return "running"
        if any(count.failed for count in self.counts):
            return "failed in part"
        missing = any(count.missing for count in self.counts)
        whole = self.finished and not missing
        return "complete" if whole else "not complete: the same command goes on"

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "running": self.running,
            "finished": self.finished,
            "verdict": self.verdict,
            "counts": [asdict(count) for count in self.counts],
            "failures": [{"artefact": str(key), "reason": reason} for key, reason in self.failures],
        }


def status(out: Path) -> Status:
    """Ask a run folder how far it is; reads the index, made anew if a run was cut off.

    Raises:
        MissingFileError: there is no such folder.
        RunError: it is not the folder of a run.
    """
    run = RunFolder.existing(out)
    running = False
    try:
        with run.claimed(), Ledger.open(run) as ledger:
            keys = ledger.keys()
            if not keys:
                ledger.expect(plan(Study.read(run.study), run).artefacts())
            elif not ledger.settled or len(keys) <= SMALL:
                ledger.refresh()
            ledger.settle()
    except RunInUseError:
        running = True
    except NoPermissionError:  # somebody else's run: what its index says must do
        running = False
    with Ledger.reading(run) as ledger:
        finished = ledger.finished if ledger.finished is not None else _ended_well(run)
        return Status(running, finished, tuple(ledger.counts()), tuple(ledger.failures()))


def _ended_well(run: RunFolder) -> bool:
    """What the report of the last attempt says, where the index was lost."""
    if not run.report.is_file():
        return False
    return bool(read_json(run.report)["attempts"][-1]["outcome"] == "done")
