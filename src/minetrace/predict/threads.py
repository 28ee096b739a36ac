"""A thread that runs ahead, or none.

Beside other workers who keep every core busy a thread gains nothing; for a GPU it does what the
GPU would wait for.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any


class _AtOnce(Executor):
    """Does what is submitted there and then."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  whoever asks for the result gets it
            future.set_exception(error)
        return future


def one_thread(name: str, *, ahead: bool) -> Executor:
    """An executor of one thread, or of the caller's own."""
    return ThreadPoolExecutor(1, thread_name_prefix=name) if ahead else _AtOnce()
