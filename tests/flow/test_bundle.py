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
from minetrace.flow.bundle import Bundle, Bundled, Bundler, Share
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
    Engine(crew).each([partial(add, n) for n in range(5000)], done.append)
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
    assert Bundle((quick, slow, quick, quick))(0) == Bundled((1, 0), 2)


def test_what_a_task_raises_waits_for_the_results_before_it() -> None:
    good, bad = partial(add, 1), partial(add, "x")
    assert Bundle((good, good, bad, good))(0) == Bundled((1, 1), 2)
    with pytest.raises(TypeError):
        Bundle((bad, good))(0)


def _wait(seconds: float, shared: int) -> int:
    time.sleep(seconds)
    return shared


@given(tasks=st.integers(0, 60), steps=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 9))))
def test_every_task_is_given_and_workers_stay_with_neighbours(
    tasks: int, steps: list[tuple[int, int]]
) -> None:
    """Each step: one of nine workers is done, and did not come to so many of what it had."""
    bundler, at, done = Bundler(range(tasks)), dict[int, Share | None](), list[int]()

    def land(worker: int, rest: int) -> None:
        share = at.get(worker)
        if share is not None:
            rest = min(rest, len(share.numbers) - 1)
            done.extend(share.numbers[: len(share.numbers) - rest])
            bundler.learn(0.0 if rest == 0 else 1.0, share, rest)
        found = bundler.next(share)
        at[worker] = found[1] if found else None
        if found and share and found[1].stretch == share.stretch:
            assert found[1].numbers.start == share.numbers.stop - rest

    for worker, rest in steps:
        land(worker, rest)
    while any(at.values()) or not at:
        for worker in list(at) or [0]:
            land(worker, 0)
        if not any(at.values()):
            break
    assert sorted(done) == list(range(tasks))


def test_two_workers_have_a_half_each() -> None:
    bundler = Bundler(range(10))
    (_, first), (_, second) = bundler.next(), bundler.next()
    taken = [list(first.numbers), list(second.numbers)]
    for _ in range(4):
        (_, first), (_, second) = bundler.next(first), bundler.next(second)
        taken[0] += first.numbers
        taken[1] += second.numbers
    assert taken == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    assert bundler.next(first) is None


def test_what_the_bundle_of_a_dead_worker_did_not_come_to_is_given_again() -> None:
    bundler = Bundler(range(40))
    share = None
    for _ in range(4):
        _, share = bundler.next(share)
        bundler.learn(0.0, share)
    _, lost = bundler.next(share)  # two tasks
    _, later = bundler.next(lost)  # somebody goes on with the stretch
    bundler.learn(0.0, later)
    bundler.learn(1.0, lost, 1)
    given = [*range(4), lost.numbers[0], *later.numbers]
    while (found := bundler.next(later)) is not None:
        _, later = found
        given += later.numbers
    assert sorted(given) == list(range(40))
