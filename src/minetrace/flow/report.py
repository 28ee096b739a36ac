"""What a run tells while it works, and what it leaves in ``run.json``."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

from minetrace.store.files import read_json, write_json
from minetrace.store.run_folder import RunFolder

_LIBRARIES = (
    "minetrace", "numpy", "rasterio", "shapely", "pyproj", "geopandas", "pyogrio",
    "pyarrow", "onnxruntime", "odc-geo",
)  # fmt: skip


class Reporter(Protocol):
    """Who is told how a run goes on; a progress bar, or nobody."""

    def start(self, stage: str, tasks: int, km2: float) -> None:
        """A stage begins, with so much left to do."""

    def advance(self, tasks: int, km2: float, failed: int) -> None:
        """Some of it is done."""

    def finish(self) -> None:
        """The stage is over."""

    def note(self, text: str) -> None:
        """Something worth knowing."""

    def warn(self, text: str) -> None:
        """Something that the user should look at."""


class Silent:
    """Tells nobody."""

    def start(self, stage: str, tasks: int, km2: float) -> None:
        """Say nothing."""

    def advance(self, tasks: int, km2: float, failed: int) -> None:
        """Say nothing."""

    def finish(self) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def warn(self, text: str) -> None:
        """Say nothing."""


@dataclass
class Stage:
    """What one stage took."""

    name: str
    tasks: int = 0
    skipped: int = 0
    failed: int = 0
    km2: float = 0.0
    bytes_read: int = 0
    requests: int = 0
    seconds: float = 0.0


@dataclass
class Attempt:
    """One go at a run; a run that was interrupted has several."""

    workers: int
    started: str = field(default_factory=lambda: _now())
    ended: str = ""
    outcome: str = "running"
    seconds: float = 0.0
    stages: list[Stage] = field(default_factory=list)
    _clock: float = field(default_factory=time.monotonic, repr=False)

    def end(self, outcome: str) -> None:
        """Note how it ended."""
        self.ended, self.outcome = _now(), outcome
        self.seconds = round(time.monotonic() - self._clock, 3)

    def facts(self) -> dict[str, Any]:
        """For ``run.json``."""
        facts = {k: v for k, v in asdict(self).items() if not k.startswith("_")}
        for stage in facts["stages"]:
            stage["seconds"] = round(stage["seconds"], 3)
            stage["km2"] = round(stage["km2"], 3)
        return facts


def write_report(run: RunFolder, attempt: Attempt, facts: dict[str, Any]) -> None:
    """Add an attempt to ``run.json``."""
    earlier: Sequence[Any] = read_json(run.report)["attempts"] if run.report.is_file() else ()
    write_json(run.report, {
        "versions": versions(), **facts, "attempts": [*earlier, attempt.facts()],
    })  # fmt: skip


def versions() -> dict[str, str]:
    """Versions of everything that has a say in the numbers."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "absent"
    return found


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
