"""What stands between a socket and the routes: nobody gets further than they may.

`guard` wraps any ASGI application. It refuses a Host that is not ours (so that no page can reach a
loopback service through a name of its own), writes from pages of other sites, bodies that are too
large or too slow, work that takes too long, and clients that ask too often. It adds the headers
that keep a page from running what it was not given, and writes one line of audit for each request,
without query, body or token.

On loopback, whoever asks is the person at this machine and may do everything. On any other address,
or behind a proxy that is named, whatever computes or writes needs a token; see `needs`. What a
proxy that is not named passes on is refused, for it would make everybody the person at this
machine.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from minetrace.errors import MinetraceError
from minetrace.faces.api.rates import Buckets, Rate
from minetrace.faces.api.refusals import (
    PROBLEM,
    BadQueryError,
    CrossSiteError,
    NoRoleError,
    NoTokenError,
    TimeUpError,
    TooLargeError,
    TooOftenError,
    TooSlowError,
    WrongHostError,
    problem,
)
from minetrace.faces.api.tokens import Role, Tokens, Who

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

WHO = "minetrace.who"  # in the scope: who asks
AUDIT = logging.getLogger("minetrace.audit")
LOG = logging.getLogger("minetrace.service")
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_SAFE = ("GET", "HEAD", "OPTIONS")
READS, ASKS = Rate(500, 2000), Rate(5, 40)
_OWN_PAGE = ("same-origin", "none")
_PASSED_ON = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self' blob: data:; worker-src blob:; child-src blob:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", CONTENT_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)


@dataclass(frozen=True)
class Limits:
    """What one client, and one request, may cost.

    Attributes:
        body_bytes: of a request.
        body_s: until the body is there.
        answer_s: until the answer is written.
        url_bytes: path and query together.
        reads: requests that only read.
        asks: requests with a body.
    """

    body_bytes: int = 8 << 20
    body_s: float = 10.0
    answer_s: float = 60.0
    url_bytes: int = 8192
    reads: Rate = READS
    asks: Rate = ASKS


@dataclass(frozen=True)
class Safety:
    """How a service is reached, and who may do what there.

    Attributes:
        host: the address that it is bound to.
        names: host names by which a proxy passes it on; with any, it is not local.
        tokens: who may compute or write where it is not local.
    """

    host: str = "127.0.0.1"
    names: tuple[str, ...] = ()
    tokens: Tokens = field(default_factory=Tokens)
    limits: Limits = field(default_factory=Limits)

    @property
    def local(self) -> bool:
        """True if only people at this machine can reach it."""
        return not self.names and is_loopback(self.host)

    def knows(self, host: str) -> bool:
        """True if a Host header means this service."""
        name = host_name(host)
        bound = f"[{self.host}]" if ":" in self.host else self.host
        return name in {*_LOOPBACK, bound.lower(), *(n.lower() for n in self.names)}

    def who(self, authorization: str) -> Who:
        """Who asks, by the ``Authorization`` header.

        Raises:
            NoTokenError: a token that is not known.
        """
        kind, _, secret = authorization.partition(" ")
        if not authorization:
            return Who("local", "write") if self.local else Who("anybody", "read")
        found = self.tokens.who(secret.strip()) if kind.lower() == "bearer" else None
        if found is None:
            raise NoTokenError("this token is not known; ask whoever runs the service for one")
        return found


def is_loopback(host: str) -> bool:
    """True for an address that only this machine can reach."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_name(host: str) -> str:
    """A Host header without its port, in small letters."""
    end = host.find("]") + 1
    return (host[:end] if end else host.partition(":")[0]).lower()


def needs(scope: Scope, role: Role) -> Who:
    """Check that whoever asks has a role.

    Raises:
        NoTokenError: nobody said who asks.
        NoRoleError: they may not do this.
    """
    who: Who = scope.get(WHO, Who("anybody", "read"))
    if who.may(role):
        return who
    if who.name == "anybody":
        raise NoTokenError(
            f"this needs a token with the role {role!r}: send Authorization: Bearer TOKEN"
        )
    raise NoRoleError(f"{who.name} has the role {who.role!r}, and this needs {role!r}")


class Guard:
    """An ASGI application behind all that this module refuses."""

    def __init__(self, app: App, safety: Safety) -> None:
        self._app, self._safety = app, safety
        self._reads, self._asks = Buckets(safety.limits.reads), Buckets(safety.limits.asks)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # nothing here speaks websocket
        answer = _Answer(scope, send)
        try:
            heard = await self._admit(scope, receive)
            async with asyncio.timeout(self._safety.limits.answer_s):
                await self._app(scope, heard, answer.send)
        except MinetraceError as error:
            await answer.refuse(error)
        except TimeoutError:
            limit = self._safety.limits.answer_s
            await answer.refuse(TimeUpError(f"this took longer than {limit:g} s; ask for less"))
        except Exception as error:  # noqa: BLE001  the one place that answers for all
            await answer.refuse(error)
        finally:
            answer.audit()

    async def _admit(self, scope: Scope, receive: Receive) -> Receive:
        """Check what can be known before a route is chosen, and read the body.

        Raises:
            UserError: the request is refused.
        """
        headers = headers_of(scope)
        safety, limits = self._safety, self._safety.limits
        if not safety.knows(headers.get("host", "")):
            raise WrongHostError(
                "the Host header names another server; a service behind a proxy is told its name "
                "with --name"
            )
        if safety.local and any(name in headers for name in _PASSED_ON):
            raise WrongHostError(
                "a proxy passed this on, so whoever asks is not at this machine; start the service "
                "with --name and the host name of the proxy"
            )
        if len(scope.get("raw_path", b"")) + len(scope["query_string"]) > limits.url_bytes:
            raise BadQueryError(f"the address is longer than {limits.url_bytes} bytes")
        reading = scope["method"] in _SAFE
        client = (scope.get("client") or ("?",))[0]
        if not (self._reads if reading else self._asks).take(client):
            raise TooOftenError("too many requests; wait a moment")
        if not reading:
            refuse_cross_site(headers)
        scope[WHO] = safety.who(headers.get("authorization", ""))
        body = b"" if reading else await _body(receive, headers, limits)
        return _replay(body, receive)


def guard(app: App, safety: Safety) -> Guard:
    """Put an application behind the checks of this module."""
    return Guard(app, safety)


def headers_of(scope: Scope) -> dict[str, str]:
    """Header names in small letters, to their values."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def refuse_cross_site(headers: dict[str, str]) -> None:
    """Let only our own pages, and programs, send what is more than a read.

    A page of another site can send a form to a loopback service, and the browser would add what it
    knows of the user. Browsers say where a request comes from; programs say nothing.

    Raises:
        CrossSiteError: a page of another site sent this.
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    own = origin is None or origin.partition("://")[2].lower() == headers.get("host", "").lower()
    if not own or (site is not None and site not in _OWN_PAGE):
        raise CrossSiteError("a page of another site sent this; only the service's own pages may")


async def _body(receive: Receive, headers: dict[str, str], limits: Limits) -> bytes:
    """All of the body.

    Raises:
        TooLargeError: it is larger than a body may be.
        TooSlowError: it is not there in time, or the client left.
    """
    refusal = TooLargeError(f"a body may have {limits.body_bytes} bytes")
    said = headers.get("content-length", "0")
    if not said.isascii() or not said.isdigit() or int(said) > limits.body_bytes:
        raise refusal
    parts, size = [], 0
    try:
        async with asyncio.timeout(limits.body_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise TooSlowError("the client left before its request was whole")
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > limits.body_bytes:
                    raise refusal
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TooSlowError:
        raise
    except TimeoutError as error:
        raise TooSlowError(f"the body was not there within {limits.body_s:g} s") from error


def _replay(body: bytes, receive: Receive) -> Receive:
    """What the application hears: the body at once, then whatever comes."""
    told = False

    async def heard() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return heard


class _Answer:
    """The way back: headers are added, and what was answered is remembered for the audit."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope, self._send = scope, send
        self._status: int | None = None
        self._begun = time.perf_counter()

    async def send(self, message: Message) -> None:
        """Pass a message on, its headers made safe."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            given = {name.lower() for name, _ in message.get("headers", ())}
            more = [pair for pair in HEADERS if pair[0] not in given]
            message = {**message, "headers": [*message.get("headers", ()), *more]}
        await self._send(message)

    async def refuse(self, error: Exception) -> None:
        """Answer an error, unless an answer has begun."""
        status, body, headers = problem(error)
        if status == 500:
            LOG.error("%s %s", self._scope["method"], self._scope["path"], exc_info=error)
        if self._status is not None:
            return
        text = json.dumps(body).encode()
        pairs = {**headers, "content-type": PROBLEM, "content-length": str(len(text)),
                 "cache-control": "no-store", "connection": "close"}  # fmt: skip
        encoded = [(name.encode(), value.encode()) for name, value in pairs.items()]
        await self.send({"type": "http.response.start", "status": status, "headers": encoded})
        await self.send({"type": "http.response.body", "body": text})

    def audit(self) -> None:
        """One line, without query, body or token."""
        if not AUDIT.isEnabledFor(logging.INFO):
            return
        who: Who | None = self._scope.get(WHO)
        AUDIT.info(json.dumps({
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "client": (self._scope.get("client") or ("?",))[0], "who": who.name if who else None,
            "method": self._scope["method"], "path": self._scope["path"][:500],
            "status": self._status, "ms": round(1000 * (time.perf_counter() - self._begun)),
        }))  # fmt: skip
