"""How far a run is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from minetrace.errors import NoPermissionError, RunInUseError
from minetrace.store.files import read_json
from minetrace.store.ledger import Count, Ledger
from minetrace.store.run_folder import Key, RunFolder

SMALL = 20_000  # artefacts whose sidecars are looked at again, however the last run ended


@dataclass(frozen=True)
class StageTotal:
    """What a stage took, over all attempts.

    Attributes:
        tiles: artefacts made.
        km2: ground under them; 0 where a stage works on no tiles.
        bytes_read: of pixels, as numbers.
        requests: sent to servers.
    """

    name: str
    tiles: int
    km2: float
    bytes_read: int
    requests: int
    seconds: float

    @classmethod
    def of(cls, name: str, parts: Sequence[Mapping[str, Any]]) -> StageTotal:
        """Add up what attempts say of it."""

        def total(key: str) -> Any:
            return sum(part.get(key, 0) for part in parts)

        return cls(name, total("tasks"), round(total("km2"), 3), total("bytes_read"),
                   total("requests"), round(total("seconds"), 3))  # fmt: skip

    @property
    def km2_per_s(self) -> float | None:
        """Speed; None where there is no ground or no time to speak of."""
        return self.km2 / self.seconds if self.km2 and self.seconds else None

    def cost(self, price_per_hour: float) -> float | None:
        """Of 1,000 km², at the price of an hour of everything that worked at once."""
        speed = self.km2_per_s
        return 1000 / speed / 3600 * price_per_hour if speed else None


@dataclass(frozen=True)
class Status:
    """What of a run is done, failed and missing."""

    running: bool
    finished: bool
    counts: tuple[Count, ...]
    failures: tuple[tuple[Key, str], ...]
    stages: tuple[StageTotal, ...] = ()

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

    def facts(self, price_per_hour: float | None = None) -> dict[str, Any]:
        """For JSON; a stage's cost is that of 1,000 km²."""
        stages = [{**asdict(s), "km2_per_s": s.km2_per_s} for s in self.stages]
        if price_per_hour is not None:
            for said, stage in zip(stages, self.stages, strict=True):
                said["cost_per_1000_km2"] = stage.cost(price_per_hour)
        return {
            "running": self.running,
            "finished": self.finished,
            "verdict": self.verdict,
            "counts": [asdict(count) for count in self.counts],
            "failures": [{"artefact": str(key), "reason": reason} for key, reason in self.failures],
            "stages": stages,
        }


def status(out: Path | str) -> Status:
    """Ask a run folder how far it is; reads the index, made anew if a run was cut off.

    Raises:
        MissingFileError: there is no such folder.
        RunError: it is not the folder of a run.
    """
    run = RunFolder.existing(out)
    if run.mirror:
        return _remote(run)
    running = False
    try:
        with run.claimed(clean=False), Ledger.open(run) as ledger:
            count = len(ledger)
            if not count:
                from minetrace.flow.plan import plan
                from minetrace.flow.study import Study

                ledger.expect(plan(Study.read(run.study), run).artefacts())
            elif not ledger.settled or count <= SMALL:
                ledger.refresh()
            ledger.settle()
    except RunInUseError:
        running = True
    except NoPermissionError:  # somebody else's run: what its index says must do
        running = False
    with Ledger.reading(run) as ledger:
        finished = ledger.finished if ledger.finished is not None else _ended_well(run)
        return Status(
            running, finished, tuple(ledger.counts()), tuple(ledger.failures()), _totals(run)
        )


def _remote(run: RunFolder) -> Status:
    """By the index that a run at an address ended with; by its sidecars if it did not end."""
    if run.table.is_file():
        opened = Ledger.saved(run)
    else:
        from minetrace.flow.plan import plan
        from minetrace.flow.study import Study

        run.pull()
        opened = Ledger.afresh(run, plan(Study.read(run.study), run).artefacts())
    with opened as ledger:
        finished = bool(ledger.finished)
        return Status(
            False, finished, tuple(ledger.counts()), tuple(ledger.failures()), _totals(run)
        )


def _totals(run: RunFolder) -> tuple[StageTotal, ...]:
    """What all attempts together put into each stage, in the order of the stages."""
    if not run.report.is_file():
        return ()
    stages = [stage for attempt in read_json(run.report)["attempts"] for stage in attempt["stages"]]
    names = dict.fromkeys(str(stage["name"]) for stage in stages)
    return tuple(StageTotal.of(n, [s for s in stages if s["name"] == n]) for n in names)


def _ended_well(run: RunFolder) -> bool:
    """What the report of the last attempt says, where the index was lost."""
    if not run.report.is_file():
        return False
    return bool(read_json(run.report)["attempts"][-1]["outcome"] == "done")
