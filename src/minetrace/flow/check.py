"""Whether what lies in a run folder is what its sidecars say, and mending it if it is not.

Looking changes nothing, the index included. Mending throws away only what can be made again: an
artefact that is not what its sidecar says, one half of a pair, and what was half written. The names
of sites live in the panel and nowhere else, so a panel that can be read stays where it is: the next
run makes it anew and takes the names from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from minetrace.errors import MinetraceError, RunError
from minetrace.flow import hashes
from minetrace.flow.plan import Job, plan
from minetrace.flow.study import Study
from minetrace.store import sidecar
from minetrace.store.files import PART, read_json, sha256
from minetrace.store.ledger import Ledger
from minetrace.store.outlines import read_table
from minetrace.store.run_folder import KINDS, Key, RunFolder

Fault = Literal["damaged", "orphan", "half-written", "stale", "stray", "failed"]
PANEL = "panel.parquet"
WHOLE = (PANEL, "panel.gpkg")  # artefacts of the whole run
MENDED: tuple[Fault, ...] = ("damaged", "orphan", "half-written")
MEANING: dict[Fault, str] = {
    "damaged": "is not what its sidecar says",
    "orphan": "has lost its other half",
    "half-written": "was left by a process that was killed",
    "stale": "was made from something that is no longer so",
    "stray": "belongs to an earlier study",
    "failed": "could not be made",
}


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be, and what can be said of it."""

    fault: Fault
    path: Path
    detail: str


@dataclass(frozen=True)
class Check:
    """What was found.

    Attributes:
        looked_at: artefacts whose bytes were read and compared.
        findings: by fault, then by path.
        unknown: why nobody can say what is stale; empty if it was found out.
    """

    run: RunFolder
    looked_at: int
    findings: tuple[Finding, ...]
    unknown: str = ""

    @property
    def mendable(self) -> tuple[Finding, ...]:
        """What `repair` throws away."""
        return tuple(found for found in self.findings if found.fault in MENDED)

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        findings = [
            {**asdict(found), "path": str(found.path.relative_to(self.run.root))}
            for found in self.findings
        ]
        return {"looked_at": self.looked_at, "findings": findings, "unknown": self.unknown}


def check(out: Path | str) -> Check:
    """Read every artefact and compare it to its sidecar; changes nothing.

    Raises:
        MissingFileError: there is no such folder.
        RunError: it is not the folder of a run.
    """
    run = RunFolder.existing(out)
    if run.mirror:
        run.mirror.pull(lambda _: True)
    findings, looked_at = list(_half_written(run)), 0
    for key in _keys_on_disk(run):
        found = _compared(run, key)
        looked_at += run.path(key).is_file()
        findings += [found] if found else []
    try:
        job = plan(Study.read(run.study), run)
    except MinetraceError as error:  # the imagery may be elsewhere
        unknown = str(error)
    else:
        unknown = ""
        named = {found.path for found in findings}
        findings += [found for found in _stale(job) if found.path not in named]
    order = list(MEANING)
    findings.sort(key=lambda found: (order.index(found.fault), found.path))
    return Check(run, looked_at, tuple(findings), unknown)


def repair(found: Check) -> int:
    """Throw away what can be made again, and make the index anew; returns how many files.

    Raises:
        RunInUseError: a run is working there.
    """
    with found.run.claimed() as run:
        gone = 0
        for finding in found.mendable:
            for path in _pair(finding.path):
                gone += path.is_file()
                run.drop(path)
        run.index.unlink(missing_ok=True)
    return gone


def _pair(path: Path) -> tuple[Path, ...]:
    """A file and what stands beside it; of the panel that names sites only the latter."""
    if path.suffix == ".json" or path.name.startswith(PART):
        return (path,)
    if path.name not in WHOLE:
        return path, path.with_suffix(".json")
    beside = path.with_name(path.name + ".json")
    return (beside,) if _names_sites(path) else (path, beside)


def _names_sites(path: Path) -> bool:
    if path.name != PANEL or not path.is_file():
        return False
    try:
        return "site_id" in read_table(path).columns
    except RunError:
        return False


def _half_written(run: RunFolder) -> Iterator[Finding]:
    for path in run.root.rglob(f"{PART}*"):
        yield Finding("half-written", path, MEANING["half-written"])


def _keys_on_disk(run: RunFolder) -> Iterator[Key]:
    """Everything that has an artefact, a sidecar or a failure in its place."""
    for kind in KINDS:
        depth = "*" if kind == "footprints" else "*/*"
        places = (run.root / kind).glob(depth)
        stems = {_stem(path) for path in places if _counts(path)}
        for stem in sorted(stems):
            yield Key(kind, *stem.relative_to(run.root / kind).parts)
    for name in WHOLE:
        if run.path(Key(name)).exists() or run.sidecar(Key(name)).exists():
            yield Key(name)


def _counts(path: Path) -> bool:
    named = path.suffix in (".tif", ".parquet", ".json") and not path.name.startswith(PART)
    return named and path.name != sidecar.COLLECTION


def _stem(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(".failed.json")) if _failed(path) else (
        path.with_suffix("")
    )  # fmt: skip


def _failed(path: Path) -> bool:
    return path.name.endswith(".failed.json")


def _compared(run: RunFolder, key: Key) -> Finding | None:
    path, place = run.path(key), run.sidecar(key)
    reason = sidecar.failure(run, key)
    if not path.is_file() and not place.is_file():
        return Finding("failed", run.failure(key), reason or MEANING["failed"])
    if not place.is_file() and _names_sites(path):
        return Finding("stale", path, "has no sidecar; a run makes it anew and keeps its names")
    if not place.is_file():
        return Finding("orphan", path, "an artefact without its sidecar does not exist")
    if not path.is_file():
        return Finding("orphan", place, "a sidecar without its artefact")
    try:
        said = read_json(place)["properties"]["minetrace:sha256"]
    except (RunError, KeyError, TypeError):
        return Finding("damaged", path, "its sidecar cannot be read")
    if sha256(path) != said:
        return Finding("damaged", path, "its checksum is not the one that its sidecar names")
    return None


def _stale(job: Job) -> Iterator[Finding]:
    """Sound artefacts that this study would not make so, and those that it would not make."""
    ours = set(job.artefacts())
    for key in _keys_on_disk(job.run):
        if key not in ours:
            yield Finding("stray", job.run.path(key), MEANING["stray"])
    with Ledger.afresh(job.run, ours) as ledger:
        for key, wanted in hashes.every_hash(job, ledger):
            made = ledger.sidecar(key)
            if made is not None and made.read_hash != wanted:
                yield Finding("stale", job.run.path(key), f"{MEANING['stale']}; run it again")


def kinds_of(findings: Iterable[Finding]) -> dict[Fault, int]:
    """How many there are of each."""
    counts: dict[Fault, int] = dict.fromkeys(MEANING, 0)
    for found in findings:
        counts[found.fault] += 1
    return {fault: count for fault, count in counts.items() if count}
