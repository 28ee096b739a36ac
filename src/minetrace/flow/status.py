"""How far a run is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from minetrace.errors import RunInUseError
from minetrace.flow.plan import plan
from minetrace.flow.study import Study
from minetrace.store.ledger import Count, Ledger
from minetrace.store.run_folder import Key, RunFolder


@dataclass(frozen=True)
class Status:
    """What of a run is done, failed and missing."""

    running: bool
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
        return "not complete: the same command goes on" if missing else "complete"

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "running": self.running,
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
            if not ledger.keys():
                ledger.expect(plan(Study.read(run.study), run).keys())
            elif not ledger.settled:
                ledger.refresh()
            ledger.settle()
    except RunInUseError:
        running = True
    with Ledger.open(run) as ledger:
        return Status(running, tuple(ledger.counts()), tuple(ledger.failures()))
