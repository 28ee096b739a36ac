"""Doing what comes next while what came before is still being used.

Reading waits for servers, computing does not: with a few reads under way beforehand, a task takes
about as long as the slower of the two and not as long as both.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def in_order(jobs: Iterable[Callable[[], Result]], at_once: int) -> Iterator[Result]:
    """Results of jobs in their order, with so many begun before they are asked for.

    Args:
        jobs: taken one by one as there is room; each may run in a thread of its own.
        at_once: 1 or less to do each in this thread when it is asked for.

    Raises:
        Exception: whatever a job raises, when its turn has come; later jobs are let go.
    """
    if at_once <= 1:
        for job in jobs:
            yield job()
        return
    begun: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(at_once, "minetrace-read") as pool:
        try:
            for job in jobs:
                begun.append(pool.submit(job))
                if len(begun) > at_once:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()
