"""Quick tasks given together, since giving one costs milliseconds and some take less.

How many is learned from how long the last ones took, from one upwards; a bundle that holds slow
tasks after all gives back what it did not come to. One that costs its worker is held against none
of its tasks, since nobody knows which it was: they are then given alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

QUICK_S = 0.1  # a bundle ends with the task that passes this
FIRST = 4  # tasks that are given alone before any go together
MOST = 512  # tasks in a bundle


@dataclass(frozen=True)
class Bundled:
    """What became of a bundle.

    Attributes:
        results: of its first tasks, at least of one.
        rest: how many it did not come to.
    """

    results: tuple[Any, ...]
    rest: int = 0


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
        return Bundled(tuple(results), len(self.tasks) - len(results))


@dataclass(frozen=True)
class Share:
    """Where something given lies among all tasks.

    Attributes:
        stretch: that it was taken from.
        numbers: of its tasks.
    """

    stretch: int
    numbers: range


class Bundler:
    """Gives tasks out, one by one or in bundles, as quick as they turn out to be.

    Neighbouring tiles read the same blocks of a scene, and a worker that goes from one to the next
    still holds them; two who shared the tiles out one by one would both unpack them. So each worker
    has a stretch of its own, and one that has none left takes the farther half of the longest.
    """

    def __init__(self, tasks: Sequence[Any]) -> None:
        self._tasks = tasks
        self._left: list[range] = []
        self._size, self._quick = 1, 0

    def next(self, last: Share | None = None) -> tuple[Any, Share] | None:
        """A task or a bundle, and where it lies; None if there are no more.

        Args:
            last: what the worker did before; None for one that comes anew.
        """
        stretch = self._new() if last is None or not self._left[last.stretch] else last.stretch
        left = self._left[stretch]
        if not left:
            return None
        share = Share(stretch, left[: self._size])
        self._left[stretch] = left[self._size :]
        tasks = tuple(self._tasks[number] for number in share.numbers)
        return (Bundle(tasks) if len(tasks) > 1 else tasks[0]), share

    def learn(self, seconds: float, share: Share, rest: int = 0) -> None:
        """How long the last one took; as many of its tasks as it did not come to are left again."""
        if rest:
            self._give_back(share.stretch, share.numbers[-rest:])
        if rest or seconds > QUICK_S / 2:
            self._size = max(1, self._size // 2)
            return
        self._quick += 1
        if self._quick >= FIRST:
            self._size = min(2 * self._size, MOST)

    def _new(self) -> int:
        """A stretch for who has none: everything at first, then half of the longest."""
        if not self._left:
            self._left.append(range(len(self._tasks)))
            return 0
        longest = max(range(len(self._left)), key=lambda number: len(self._left[number]))
        left = self._left[longest]
        if not left:
            return longest
        self._left[longest] = left[: len(left) // 2]
        self._left.append(left[len(left) // 2 :])
        return len(self._left) - 1

    def _give_back(self, stretch: int, numbers: range) -> None:
        left = self._left[stretch]
        if left.start == numbers.stop:
            self._left[stretch] = range(numbers.start, left.stop)
        else:  # whoever was given the bundle died, and somebody went on with the stretch
            self._left.append(numbers)
