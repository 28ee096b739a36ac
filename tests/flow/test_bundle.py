"""Quick tasks go together, and what is not come to comes back."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from operator import add
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minetrace.flow import bundle
from minetrace.flow.bundle import Bundle, Bundled, Bundler, in_stretches
from minetrace.flow.engine import Died, Engine, Trial


class Hands:
    """A crew of this process whose tasks take as long as it is told, some to their death."""

    workers = 2

    def __init__(self, dies: Callable[[Trial], bool] = lambda _: False) -> None:
        self.given: list[Trial] = []
        self.sizes: list[int] = []
        self._dies = dies

    def room(self) -> int:
        return 2

    def begin(self, trial: Trial) -> None:
        self.given.append(trial)
        self.sizes.append(len(trial.task.tasks) if isinstance(trial.task, Bundle) else 1)

    def landed(self) -> tuple[Trial, Any]:
        trial = self.given.pop(0)
        return trial, Died("it died") if self._dies(trial) else trial.task(0)


def test_quick_tasks_go_together_and_each_is_done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "QUICK_S", 60.0)  # however busy the machine is
    crew, done = Hands(), []
    Engine(crew).each((partial(add, n) for n in range(5000)), done.append)
    assert sorted(done) == list(range(5000))
    assert len(crew.sizes) < 100
    assert max(crew.sizes) <= bundle.MOST


@given(st.sets(st.integers(0, 199), max_size=5))
def test_of_a_bundle_only_the_poisonous_task_is_given_up(poison: set[int]) -> None:
    def dies(trial: Trial) -> bool:
        tasks = trial.task.tasks if isinstance(trial.task, Bundle) else (trial.task,)
        return any(task.args[0] in poison for task in tasks)

    done: list[int] = []
    lost: list[int] = []
    tasks = [partial(add, n) for n in range(200)]
    Engine(Hands(dies)).each(tasks, done.append, lambda task, _: lost.append(task.args[0]))
    assert sorted(done) == [n for n in range(200) if n not in poison]
    assert sorted(lost) == sorted(poison)


def test_a_bundle_with_a_slow_task_gives_back_what_comes_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bundle, "QUICK_S", 0.01)
    slow, quick = partial(_wait, 0.02), partial(add, 1)
    assert Bundle((quick, slow, quick, quick))(0) == Bundled((1, 0), (quick, quick))
    bundler = Bundler([quick] * 3)
    assert bundler.next() is quick
    bundler.learn(1.0, [slow, quick])
    assert [bundler.next() for _ in range(5)] == [slow, quick, quick, quick, None]


def test_what_a_task_raises_waits_for_the_results_before_it() -> None:
    good, bad = partial(add, 1), partial(add, "x")
    assert Bundle((good, good, bad, good))(0) == Bundled((1, 1), (bad, good))
    with pytest.raises(TypeError):
        Bundle((bad, good))(0)


def _wait(seconds: float, shared: int) -> int:
    time.sleep(seconds)
    return shared


@given(tasks=st.integers(0, 40), workers=st.integers(1, 9))
def test_workers_who_take_turns_stay_with_neighbours(tasks: int, workers: int) -> None:
    order = in_stretches(range(tasks), workers)
    assert sorted(order) == list(range(tasks))
    if tasks and tasks % workers == 0:
        for worker in range(workers):
            taken = order[worker::workers]
            assert taken == list(range(taken[0], taken[0] + len(taken)))
