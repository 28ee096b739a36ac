"""One HTTP client for catalogs and pixels: few requests a host, patient retries, no secrets told.

What may pass by itself (429, 5xx, time-outs, broken or short answers) is tried again after a wait
that doubles and is drawn by chance; every other answer is handed back for the caller to judge. An
address in a message never holds its query or its user, since that is where secrets are.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import HTTPError, LocationParseError

from minetrace.errors import ReadFailedError, StudyError
from minetrace.store.files import disk_errors

PASSING = (408, 425, 429, 500, 502, 503, 504)  # answers that may be another one next time
_REDIRECTS = urllib3.Retry(
    total=None, connect=0, read=0, redirect=4, status=0, other=0, raise_on_redirect=False
)
_POLL_S = 0.02
_SECRETS = {  # names in a query that stand for who asks
    "access_token", "api_key", "apikey", "auth", "googleaccessid", "key", "key-pair-id", "password",
    "policy", "sig", "signature", "subscription-key", "token",
}  # fmt: skip
_NO_HOST = "no such host, or no network"


@dataclass(frozen=True)
class HttpOptions:
    """How patient and how modest the client is.

    Attributes:
        per_host: requests under way at one host at a time, all workers of a run together.
        attempts: how often a request is tried in all.
        backoff_s: the first wait is up to this; each further one up to twice the one before.
        longest_wait_s: no wait is longer, whatever the server asks for.
        connect_s: how long a connection may take.
        read_s: how long the server may be silent.
    """

    per_host: int = 8
    attempts: int = 6
    backoff_s: float = 0.5
    longest_wait_s: float = 60.0
    connect_s: float = 10.0
    read_s: float = 30.0


PATIENT = HttpOptions()


class _Meter:
    """Counts the requests of this process; threads may count at once."""

    def __init__(self) -> None:
        self._lock, self.requests = threading.Lock(), 0

    def __call__(self) -> None:
        with self._lock:
            self.requests += 1


_meter = _Meter()


def requests_made() -> int:
    """How many requests this process has sent so far, those of another try included."""
    return _meter.requests


@dataclass(frozen=True)
class Reply:
    """An answer that came whole.

    Attributes:
        headers: names in lower case.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


Signer = Callable[[str, str], tuple[str, Mapping[str, str]]]
"""From method and address to the address and the headers to send; called anew for each try."""


class HttpClient:
    """Sends requests; one per process, safe to share among its threads.

    Args:
        options: patience and modesty.
        slots: a folder shared by all processes of a run, through which they keep to ``per_host``
            together; None to keep to it in this process alone.
    """

    def __init__(self, options: HttpOptions = PATIENT, slots: Path | None = None) -> None:
        self.options = options
        self._slots = slots
        self._gates: dict[str, threading.BoundedSemaphore] = {}
        self._lock = threading.Lock()

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None,
        body: bytes | None = None, sign: Signer | None = None,
    ) -> Reply:  # fmt: skip
        """Ask until an answer comes that will not pass by itself.

        Args:
            sign: makes each try's address and headers, so that a token may be renewed meanwhile.

        Returns:
            Whatever was answered, 4xx included.

        Raises:
            ReadFailedError: no attempt brought a whole answer; names the address, not its query.
            StudyError: this is no address.
        """
        host = _host(url)
        problem = ""
        for attempt in range(self.options.attempts):
            wanted_s: float | None = None
            try:
                # inside the loop: a token may end while we wait
                signed, extra = sign(method, url) if sign else (url, {})
                with self._turn(host):
                    reply = self._once(method, signed, {**(headers or {}), **extra}, body)
                if reply.status not in PASSING:
                    return reply
                problem = f"HTTP {reply.status}"
                wanted_s = _retry_after_s(reply.headers)
            except HTTPError as error:
                problem = _in_words(error)
            if attempt + 1 < self.options.attempts:
                time.sleep(self._wait_s(attempt, wanted_s))
        remedy = "run the same command again when the server answers"
        if problem == _NO_HOST:
            remedy = "check the address and the network, then run the same command again"
        raise ReadFailedError(
            f"{redacted(url)}: {problem} ({self.options.attempts} attempts); {remedy}"
        )

    def _once(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        options = self.options
        timeout = urllib3.Timeout(connect=options.connect_s, read=options.read_s)
        _meter()
        sent = {"User-Agent": "minetrace", "Accept-Encoding": "identity", **headers}
        try:
            answer = _pool(_proxy(url)).request(
                method, url, headers=sent, body=body, timeout=timeout, retries=_REDIRECTS,
            )  # fmt: skip
        except LocationParseError as error:
            raise StudyError(f"{redacted(url)}: not an address") from error
        found = {key.lower(): value for key, value in answer.headers.items()}
        return Reply(answer.status, found, answer.data)

    def _wait_s(self, attempt: int, wanted_s: float | None) -> float:
        ceiling = min(self.options.backoff_s * 2.0**attempt, self.options.longest_wait_s)
        drawn = random.uniform(0.2, 1.0) * ceiling
        return min(max(drawn, wanted_s or 0.0), self.options.longest_wait_s)

    @contextmanager
    def _turn(self, host: str) -> Iterator[None]:
        """Wait until fewer than ``per_host`` requests are under way at a host."""
        with self._lock:
            gate = self._gates.setdefault(host, threading.BoundedSemaphore(self.options.per_host))
        with gate, ExitStack() as stack:
            if self._slots is not None:
                stack.enter_context(_slot(self._slots, host, self.options.per_host))
            yield


@lru_cache(maxsize=8)
def client(options: HttpOptions = PATIENT, slots: Path | None = None) -> HttpClient:
    """The client of this process with these options."""
    return HttpClient(options, slots)


@contextmanager
def _slot(folder: Path, host: str, count: int) -> Iterator[None]:
    """Hold one of so many locks; the operating system lets go of it however the process ends."""
    name = hashlib.sha256(host.encode()).hexdigest()[:12]
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    number = random.randrange(count)
    while True:
        for turn in range(count):
            path = folder / f"{name}-{(number + turn) % count}"
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                continue
            try:
                yield
            finally:
                os.close(handle)
            return
        time.sleep(random.uniform(0.2, 1.0) * _POLL_S)


def redacted(url: str) -> str:
    """An address that may be shown, even if it is none: without user, password, query, fragment."""
    try:
        parts = _split(url)
    except StudyError:
        return _bare(url)
    if not parts.netloc:
        return url.partition("?")[0]
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def holds_secret(url: str) -> bool:
    """True if an address has a user, a password, a key or a signature in it."""
    parts = _split(url)
    names = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    signed = any(name.startswith(("x-amz-", "x-goog-")) for name in names)
    return "@" in parts.netloc or signed or not names.isdisjoint(_SECRETS)


def _split(url: str) -> SplitResult:
    """The parts of an address.

    Raises:
        StudyError: it is none.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise StudyError(f"{_bare(url)}: not an address of a server ({error})") from error
    return parts


def _bare(url: str) -> str:
    return url.partition("?")[0].rpartition("@")[2].partition("#")[0]


def _host(url: str) -> str:
    parts = _split(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise StudyError(f"{redacted(url)}: not an address that begins with http:// or https://")
    return parts.netloc.rpartition("@")[2]


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for an address."""
    parts = urlsplit(url)
    if proxy_bypass(parts.hostname or ""):
        return None
    return getproxies().get(parts.scheme)


class _WithoutQueries(logging.Filter):
    """Cuts the query, where secrets are, from addresses that urllib3 logs."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                one.partition("?")[0] if isinstance(one, str) else one for one in record.args
            )
        return True


_quiet = _WithoutQueries()


@lru_cache(maxsize=4)
def _pool(proxy: str | None) -> urllib3.PoolManager:
    for name in ("urllib3.connectionpool", "urllib3.util.retry", "urllib3.poolmanager"):
        logging.getLogger(name).addFilter(_quiet)  # added once, however often it is asked for
    if proxy:
        return urllib3.ProxyManager(proxy, num_pools=16, maxsize=64)
    return urllib3.PoolManager(num_pools=16, maxsize=64)


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    said = headers.get("retry-after", "")
    if re.fullmatch(r"\d+(\.\d+)?", said):
        return float(said)
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and those that it wraps."""
    yield error
    for inner in (getattr(error, "reason", None), error.__cause__, *error.args):
        if isinstance(inner, BaseException):
            yield from _chain(inner)


def _in_words(error: HTTPError) -> str:
    """What went wrong, without the library's text, which holds the whole address."""
    names = {type(one).__name__ for one in _chain(error)}
    if names & {"ReadTimeoutError", "TimeoutError"}:
        return "timed out"
    if "ConnectTimeoutError" in names:
        return "timed out while connecting"
    if "NameResolutionError" in names:
        return _NO_HOST
    if "IncompleteRead" in names:
        return "answered with less than it announced"
    if "SSLError" in names:
        return "its certificate cannot be trusted"
    if names & {"NewConnectionError", "ConnectionRefusedError"}:
        return "refused the connection"
    return "broke the connection"


def refuse(reply: Reply, url: str) -> None:
    """Raise unless an answer holds what was asked for.

    Raises:
        ReadFailedError: any other status than 200 or 206.
    """
    if reply.status in (200, 206):
        return
    words = {401: "wants an account", 403: "forbids it", 404: "has no such file",
             410: "has it no more"}.get(reply.status, "does not answer with it")  # fmt: skip
    raise ReadFailedError(
        f"{redacted(url)}: the server {words} (HTTP {reply.status}); "
        "search again with sources.refresh, or leave the scene out with sources.exclude"
    )
