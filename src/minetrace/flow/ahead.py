"""Doing what comes next while what came before is still being used.

Reading waits for servers, computing does not: with reads under way beforehand, a task takes about
as long as the slower of the two and not as long as both.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True)
class Ahead:
    """How far jobs may run ahead of whoever uses their results.

    Attributes:
        at_once: jobs under way, each in a thread of its own; 1 or less does each job when its
            result is asked for.
        held: results that are there or under way before they are asked for.
    """

    at_once: int = 1
    held: int = 1

    @classmethod
    def within(cls, budget_bytes: int, *, wanted: int, job_bytes: int, result_bytes: int) -> Ahead:
        """As far as memory allows.

        Args:
            budget_bytes: for jobs under way and results that wait.
            wanted: jobs that should be under way at once.
            job_bytes: what a job takes while it is under way, its result included.
            result_bytes: what its result takes.
        """
        at_once = max(1, min(wanted, budget_bytes // job_bytes))
        left = max(0, budget_bytes - at_once * job_bytes)
        return cls(at_once, at_once + left // result_bytes)


def in_order(jobs: Iterable[Callable[[], Result]], ahead: Ahead) -> Iterator[Result]:
    """Results of jobs in their order, some begun before they are asked for.

    Args:
        jobs: taken one by one as there is room.
        ahead: how many.

    Raises:
        Exception: whatever a job raises, when its turn has come; later jobs are let go.
    """
    if ahead.at_once <= 1:
        for job in jobs:
            yield job()
        return
    begun: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(ahead.at_once, "minetrace-read") as pool:
        try:
            for job in jobs:
                begun.append(pool.submit(job))
                if len(begun) > ahead.held:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()
