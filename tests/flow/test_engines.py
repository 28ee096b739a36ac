"""What every engine promises: equal results, and a lost worker costs only the task it was at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cluster import dask_cluster
from minetrace.errors import FailedError, MissingExtraError
from minetrace.flow import bundle
from minetrace.flow.engine import Engine
from minetrace.flow.machine import memory_bytes, tasks_that_fit
from minetrace.flow.study_engine import EngineStudy

if TYPE_CHECKING:
    from minetrace.flow.study import Study
    from minetrace.testing.world import World


@dataclass(frozen=True)
class Deed:
    """A task that may cost its worker; it notes every try in the folder that all share."""

    number: int
    how: str = ""
    tries: int = 99

    def __call__(self, folder: Path) -> int:
        before = len(list(folder.glob(f"{self.number}-*")))
        (folder / f"{self.number}-{before}").touch()
        if before < self.tries:
            if self.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.how == "hang":
                time.sleep(600)
            if self.how == "memory":
                raise MemoryError
            if self.how == "mistake":
                raise ValueError("a mistake")
        return self.number


@dataclass(frozen=True)
class Unit:
    """Several deeds in one."""

    deeds: tuple[Deed, ...]

    def parts(self) -> tuple[Unit, ...]:
        return tuple(Unit((deed,)) for deed in self.deeds) if len(self.deeds) > 1 else ()

    def __call__(self, folder: Path) -> int:
        return sum(deed(folder) for deed in self.deeds)


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    with dask_cluster() as address:
        yield address


@pytest.fixture(params=["alone", "processes", "dask"])
def settings(request: pytest.FixtureRequest) -> tuple[int, EngineStudy]:
    """Workers and settings of each engine."""
    if request.param == "dask":
        address = request.getfixturevalue("scheduler")
        return 1, EngineStudy(kind="dask", scheduler=address, task_limit_s=2)
    if request.param == "processes":
        return 2, EngineStudy(task_limit_s=2)
    return 1, EngineStudy()


def work(
    tasks: list[Any], folder: Path, settings: tuple[int, EngineStudy]
) -> tuple[list[int], dict[int, str]]:
    done: list[int] = []
    lost: dict[int, str] = {}
    with Engine.of(folder, *settings) as engine:
        engine.each(tasks, done.append, lambda task, why: lost.update({tasks.index(task): why}))
    return sorted(done), lost


def test_each_task_is_done_once(settings: tuple[int, EngineStudy], tmp_path: Path) -> None:
    assert work([Deed(n) for n in range(9)], tmp_path, settings) == (list(range(9)), {})
    assert len(list(tmp_path.iterdir())) == 9


def test_want_of_memory_is_tried_again_and_then_named(
    settings: tuple[int, EngineStudy], tmp_path: Path
) -> None:
    tasks = [Deed(0), Deed(1, "memory"), Deed(2, "memory", tries=2), Deed(3)]
    done, lost = work(tasks, tmp_path, settings)
    assert done == [0, 2, 3]
    assert lost.keys() == {1}
    assert "3 tries" in lost[1]
    assert "memory" in lost[1]


@pytest.mark.parametrize("settings", ["processes", "dask"], indirect=True)
def test_a_worker_that_dies_or_hangs_costs_its_task_alone(
    settings: tuple[int, EngineStudy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "FIRST", 99)  # each alone: a bundle that dies is one try more
    tasks = [Deed(0), Deed(1, "kill"), Deed(2, "kill", tries=1), Deed(3), Deed(4, "hang", tries=1),
             *(Deed(n) for n in range(5, 12))]  # fmt: skip
    done, lost = work(tasks, tmp_path, settings)
    assert done == [n for n in range(12) if n != 1]
    assert lost.keys() == {1}
    assert len(list(tmp_path.glob("1-*"))) == 3


def test_a_file_of_the_current_folder_is_not_taken_for_a_library(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('this is not numpy')")
    script = tmp_path / "scripts" / "script.py"
    script.parent.mkdir()
    script.write_text(
        "from functools import partial\nfrom operator import add\n"
        "from minetrace.flow.engine import Engine\n"
        "with Engine.of(1, 2) as engine:\n"
        "    engine.each([partial(add, 1), partial(add, 2)], print)\n"
    )
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True)
    assert sorted(done.stdout.split()) == ["2", "3"], done.stderr
    assert not done.stderr


def test_a_poisonous_part_is_given_up_and_not_its_unit(tmp_path: Path) -> None:
    unit = Unit((Deed(1), Deed(2, "memory"), Deed(4)))
    done: list[int] = []
    lost: list[Unit] = []
    with Engine.of(tmp_path, 1) as engine:
        engine.each([unit], done.append, lambda task, _: lost.append(task))
    assert done == [1, 4]
    assert lost == [unit.parts()[1]]


def test_what_nobody_takes_is_an_error_and_a_mistake_is_the_tasks_own(
    settings: tuple[int, EngineStudy], tmp_path: Path
) -> None:
    with Engine.of(tmp_path, *settings) as engine:
        with pytest.raises(FailedError, match=r"Deed.*3 tries"):
            engine.each([Deed(1, "memory")], print)
        with pytest.raises(ValueError, match="a mistake"):
            engine.each([Deed(2, "mistake")], print)


def test_if_every_try_costs_its_worker_it_ends(tmp_path: Path) -> None:
    tasks = [Deed(n, "memory") for n in range(1000)]
    with Engine.of(tmp_path, 1) as engine, pytest.raises(FailedError, match="in a row"):
        engine.each(tasks, print, lambda *_: None)


def test_no_more_is_under_way_than_memory_allows() -> None:
    class Slow:
        workers, most, flying = 8, 0, 0
        queue: list[Any] = []  # noqa: RUF012

        def room(self) -> int:
            return tasks_that_fit(2.0, int(7e9))

        def begin(self, trial: Any) -> None:
            self.queue.append(trial)
            self.most = max(self.most, len(self.queue))

        def landed(self) -> tuple[Any, Any]:
            trial = self.queue.pop()
            return trial, trial.task(0)

    crew, done = Slow(), []
    Engine(crew).each([partial(add, n) for n in range(50)], done.append)
    assert crew.most == 3
    assert sorted(done) == list(range(50))
    assert tasks_that_fit(2.0, 1) == 1
    assert memory_bytes() > 1e8


@pytest.fixture
def study(world: World) -> Study:
    from minetrace.flow.study import Study
    from minetrace.testing.world import world_study

    settings = {
        **world_study(world, name="engines"),
        "periods": [2019, 2021],
        "grid": {"tile": 128},
    }
    return Study.of(settings)


def test_a_cluster_gives_equal_results(study: Study, scheduler: str, tmp_path: Path) -> None:
    from minetrace.flow.steps import run
    from minetrace.testing.results import assert_equal
    from terminal import minetrace

    run(study, tmp_path / "here", workers=1)
    file = tmp_path / "study.yaml"
    file.write_text(study.dump())
    done = minetrace("run", file, "--out", tmp_path / "there", "--scheduler", scheduler, "--quiet")
    assert done.returncode == 0, done.stderr
    assert_equal(tmp_path / "here", tmp_path / "there")


def test_a_scheduler_that_is_not_there_is_one_line(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("minetrace.flow.crew_dask.ANSWER_S", 0.5)
    from terminal import minetrace

    file = tmp_path / "study.yaml"
    file.write_text(study.dump())
    done = minetrace("run", file, "--out", tmp_path / "out", "--scheduler", "tcp://127.0.0.1:9")
    assert done.returncode == 2
    assert "tcp://127.0.0.1:9: no Dask scheduler answers" in done.stderr
    assert "Traceback" not in done.stderr
    done = minetrace("run", file, "--out", tmp_path / "out", "--engine", "dask")
    assert done.returncode == 2
    assert "dask scheduler" in done.stderr
    done = minetrace("run", file, "--out", tmp_path / "out", "--engine", "slurm")
    assert "init --slurm" in done.stderr


def test_without_the_extra_it_says_which(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    settings = EngineStudy(kind="dask", scheduler="tcp://127.0.0.1:9")
    with pytest.raises(MissingExtraError, match=r"minetrace\[dask\]"), Engine.of(1, 1, settings):
        pass


SBATCH = """#!/bin/sh
test "$1" = --parsable && shift
cp "$1" "$0.$$"  # as SLURM does: the script is gone when this returns
nohup sh "$0.$$" >/dev/null 2>&1 &
echo "Submitted batch job $!"
"""


def test_slurm_starts_jobs_and_ends_them(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs are started as SLURM would, by commands of its names that start them here."""
    pytest.importorskip("dask_jobqueue", reason="pip install 'minetrace[dask]'")
    from minetrace.flow.steps import run
    from minetrace.testing.results import assert_equal
    from terminal import minetrace

    tools = tmp_path / "tools"
    tools.mkdir()
    for name, text in (("sbatch", SBATCH), ("scancel", '#!/bin/sh\nkill "$1" 2>/dev/null || true')):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    made = minetrace("init", "--slurm", tmp_path / "template.yaml")
    assert made.returncode == 0, made.stderr
    asked = yaml.safe_load((tmp_path / "template.yaml").read_text())["engine"]
    asked["slurm"] |= {"jobs": 1, "cores": 1, "memory": "3GB", "interface": "lo"}
    file = tmp_path / "study.yaml"
    file.write_text(
        yaml.safe_dump(study.model_dump(mode="json", exclude_none=True) | {"engine": asked})
    )
    monkeypatch.chdir(tmp_path)
    done = minetrace("run", file, "--out", "there", "--quiet")
    assert done.returncode == 0, done.stderr
    run(study, tmp_path / "here", workers=1)
    assert_equal(tmp_path / "here", tmp_path / "there")
