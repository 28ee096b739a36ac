"""How often a client may ask: a bucket of requests that refills at an even rate."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """``per_s`` requests a second, and ``burst`` at once after a rest."""

    per_s: float
    burst: int


class Buckets:
    """One bucket per client; those that were not used for longest are let go."""

    def __init__(
        self, rate: Rate, *, most: int = 4096, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._most, self._clock = rate, most, clock
        self._filled: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> bool:
        """Take one request out of a client's bucket; False if it is empty."""
        now = self._clock()
        left, then = self._filled.pop(client, (float(self._rate.burst), now))
        left = min(self._rate.burst, left + (now - then) * self._rate.per_s)
        self._filled[client] = (max(0.0, left - 1), now) if left >= 1 else (left, now)
        while len(self._filled) > self._most:
            self._filled.popitem(last=False)
        return left >= 1
