"""What the service answers when it cannot do what was asked: one table from error to HTTP status.

Routes raise; nothing else turns an error into an answer. A message of ours is passed on only where
it speaks of the request; what went wrong inside is told in the server's log and not to the asker,
since it may name files. Answers are problem details, RFC 9457.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from minetrace.errors import (
    BandError,
    MinetraceError,
    ModelError,
    OutlineError,
    PeriodError,
    RadiometryError,
    RasterError,
    RegionError,
    UserError,
)


class UnknownNameError(UserError, LookupError):
    """Something of that name is not served."""


class BadQueryError(UserError, ValueError):
    """A parameter or body that cannot be understood."""


class NoTokenError(UserError, PermissionError):
    """A token is needed, or the one given is not known."""


class NoRoleError(UserError, PermissionError):
    """The token is known and may not do this."""


class CrossSiteError(UserError, PermissionError):
    """A page of another site sent this."""


class WrongHostError(UserError, ValueError):
    """The Host header names another server."""


class TooSlowError(UserError, TimeoutError):
    """The request did not arrive in time."""


class TooLargeError(UserError, ValueError):
    """More than the service takes at once."""


class WrongMediaError(UserError, ValueError):
    """A body of a kind that is not read here."""


class TooOftenError(UserError, RuntimeError):
    """More requests than a client may send."""


class BusyError(MinetraceError, RuntimeError):
    """All places for such work are taken."""


class TimeUpError(MinetraceError, TimeoutError):
    """The work took longer than it may."""


STATUS: tuple[tuple[type[Exception], HTTPStatus], ...] = (
    (UnknownNameError, HTTPStatus.NOT_FOUND),
    (NoTokenError, HTTPStatus.UNAUTHORIZED),
    (NoRoleError, HTTPStatus.FORBIDDEN),
    (CrossSiteError, HTTPStatus.FORBIDDEN),
    (WrongHostError, HTTPStatus.MISDIRECTED_REQUEST),
    (TooSlowError, HTTPStatus.REQUEST_TIMEOUT),
    (TooLargeError, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (WrongMediaError, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    (TooOftenError, HTTPStatus.TOO_MANY_REQUESTS),
    (BusyError, HTTPStatus.SERVICE_UNAVAILABLE),
    (TimeUpError, HTTPStatus.SERVICE_UNAVAILABLE),
    (BadQueryError, HTTPStatus.BAD_REQUEST),
    (BandError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (ModelError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (OutlineError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (PeriodError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (RadiometryError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (RasterError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (RegionError, HTTPStatus.UNPROCESSABLE_ENTITY),
)
"""The first that fits counts; what fits none is 500."""

PROBLEM = "application/problem+json"
_INSIDE = "something went wrong inside; whoever runs this service finds it in its log"
_LATER = {HTTPStatus.TOO_MANY_REQUESTS: "1", HTTPStatus.SERVICE_UNAVAILABLE: "2"}


def status_of(error: Exception) -> HTTPStatus:
    """The status that an error is answered with."""
    found = (status for kind, status in STATUS if isinstance(error, kind))
    return next(found, HTTPStatus.INTERNAL_SERVER_ERROR)


def problem(error: Exception) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Status, body and further headers of the answer to an error."""
    status = status_of(error)
    detail = _INSIDE if status == HTTPStatus.INTERNAL_SERVER_ERROR else str(error)
    return told(status, detail)


def told(status: HTTPStatus, detail: str) -> tuple[int, dict[str, Any], dict[str, str]]:
    """The same of a status that a library chose."""
    headers = {"retry-after": _LATER[status]} if status in _LATER else {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    body = {"type": "about:blank", "title": status.phrase, "status": int(status), "detail": detail}
    return int(status), body, headers
