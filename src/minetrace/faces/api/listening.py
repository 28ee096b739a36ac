"""Listening at a port, with no patience for clients that keep a connection busy and say nothing."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import QueueHandler, QueueListener
from queue import Queue
from typing import Any

from minetrace.errors import MissingExtraError, StudyError
from minetrace.faces.api.safety import AUDIT, App, Safety, guard

HEAD_S = 10.0  # until the head of a request is there
KEEP_ALIVE_S = 15
MOST_CONNECTIONS = 400
MOST_LINES = 10_000  # of audit, that wait to be written


def refuse_without_extra() -> None:
    """Check that what a service needs is installed.

    Raises:
        MissingExtraError: it is not.
    """
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            f"a service needs {error.name}, which is not installed: pip install 'minetrace[serve]'"
        ) from error


def listen(app: App, safety: Safety, port: int, *, audit: bool = True) -> None:
    """Serve an application behind its guard until somebody stops it.

    Args:
        port: 0 takes any that is free.
        audit: write a line for each request to the standard error.

    Raises:
        StudyError: the address cannot be had.
    """
    import uvicorn

    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    AUDIT.setLevel(logging.INFO if audit else logging.WARNING)
    config = uvicorn.Config(
        guard(app, safety), host=safety.host, port=port, http=impatient(), ws="none",
        lifespan="off", access_log=False, server_header=False, date_header=False,
        log_level="warning", proxy_headers=bool(safety.names), forwarded_allow_ips="127.0.0.1",
        timeout_keep_alive=KEEP_ALIVE_S, limit_concurrency=MOST_CONNECTIONS,
        h11_max_incomplete_event_size=16 << 10, timeout_graceful_shutdown=5,
    )  # fmt: skip
    gc.collect()
    gc.freeze()  # what is read once and kept is never walked again
    try:
        with behind(AUDIT):
            uvicorn.Server(config).run()
    except SystemExit as left:
        raise StudyError(
            f"{safety.host}:{port} cannot be listened at; choose another with --port"
        ) from left


class _Patient(QueueHandler):
    """Waits for a place in the queue: a line of audit is never dropped."""

    def __init__(self, lines: Queue[logging.LogRecord]) -> None:
        super().__init__(lines)
        self._lines = lines

    def enqueue(self, record: logging.LogRecord) -> None:
        self._lines.put(record)


@contextmanager
def behind(log: logging.Logger) -> Iterator[None]:
    """Let a thread write the lines of a log, so that no answer waits for a slow terminal.

    All are written when the block ends; while more than ``MOST_LINES`` wait, so do answers.
    """
    lines: Queue[logging.LogRecord] = Queue(MOST_LINES)
    writer = QueueListener(lines, *logging.getLogger().handlers)
    front, passes_on = _Patient(lines), log.propagate
    log.addHandler(front)
    log.propagate = False
    writer.start()
    try:
        yield
    finally:
        log.removeHandler(front)
        log.propagate = passes_on
        writer.stop()


def impatient() -> Any:
    """uvicorn's protocol, less those who send the head of a request byte by byte."""
    import h11
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Impatient(H11Protocol):
        _waiting: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._wait()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.conn.their_state is h11.IDLE:
                self._wait()
            else:
                self._heard()

        def connection_lost(self, exc: Exception | None) -> None:
            self._heard()
            super().connection_lost(exc)

        def _wait(self) -> None:
            if self._waiting is None:
                self._waiting = self.loop.call_later(HEAD_S, self.transport.close)

        def _heard(self) -> None:
            if self._waiting is not None:
                self._waiting.cancel()
                self._waiting = None

    return Impatient
