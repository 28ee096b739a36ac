"""Open files that are kept for the next read, and let go before the interpreter goes."""

from __future__ import annotations

import atexit
from typing import Any, Protocol, TypeVar


class _Cached(Protocol):
    def cache_clear(self) -> Any: ...


Opener = TypeVar("Opener", bound=_Cached)


def closed_at_exit(opener: Opener) -> Opener:
    """Decorate a cached opener, so that what it holds is closed while libraries still stand."""
    atexit.register(opener.cache_clear)
    return opener
