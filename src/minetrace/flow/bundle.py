"""Quick tasks given together, since giving one costs milliseconds and some take less.

How many is learned from how long the last ones took, from one upwards; a bundle that holds slow
tasks after all gives back what it did not come to. One that costs its worker is held against none
of its tasks, since nobody knows which it was: they are then given alone.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

QUICK_S = 0.1  # a bundle ends with the task that passes this
FIRST = 4  # tasks that are given alone before any go together
MOST = 512  # tasks in a bundle
Given = TypeVar("Given")


@dataclass(frozen=True)
class Bundled:
    """What became of a bundle.

    Attributes:
        results: of its first tasks, at least of one.
        rest: the tasks that it did not come to.
    """

    results: tuple[Any, ...]
    rest: tuple[Callable[[Any], Any], ...]


@dataclass(frozen=True)
class Bundle:
    """Tasks done by one worker in one go, as far as that goes quickly."""

    tasks: tuple[Callable[[Any], Any], ...]

    def parts(self) -> Sequence[Callable[[Any], Any]]:
        """Its tasks one by one, for when one of them cost the worker."""
        return self.tasks

    def __call__(self, shared: Any) -> Bundled:
        """Do them until the time is over, or up to one that raises; that one is then the rest."""
        began, results = time.monotonic(), []
        for task in self.tasks:
            try:
                results.append(task(shared))
            except Exception:
                if not results:
                    raise
                break
            if time.monotonic() - began > QUICK_S:
                break
        return Bundled(tuple(results), self.tasks[len(results) :])


def in_stretches(tasks: Sequence[Given], workers: int) -> list[Given]:
    """Order tasks so that workers who take them in turns stay with neighbours.

    Neighbouring tiles read the same blocks of a scene. A worker that goes from one to the next
    still holds them; two who share the tiles out one by one would both unpack them.
    """
    length = -(-len(tasks) // max(1, workers))
    return [task for first in range(length) for task in tasks[first::length]]


class Bundler:
    """Takes tasks from a list, one by one or in bundles, as quick as they turn out to be."""

    def __init__(self, tasks: Iterable[Any]) -> None:
        self._tasks, self._back = iter(tasks), deque[Any]()
        self._size, self._quick = 1, 0

    def next(self) -> Any:
        """A task, a bundle, or None if there are no more."""
        taken = [self._back.popleft() for _ in range(min(self._size, len(self._back)))]
        taken += islice(self._tasks, self._size - len(taken))
        return Bundle(tuple(taken)) if len(taken) > 1 else next(iter(taken), None)

    def learn(self, seconds: float, rest: Sequence[Any] = ()) -> None:
        """How long the last one took; the tasks that it did not come to are next."""
        self._back.extend(rest)
        if rest or seconds > QUICK_S / 2:
            self._size = max(1, self._size // 2)
            return
        self._quick += 1
        if self._quick >= FIRST:
            self._size = min(2 * self._size, MOST)
