"""What is kept to be told again, within a budget of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Shelf(Generic[T]):
    """Things by key; those not asked for longest go first. Threads may share it.

    Args:
        most_bytes: of all together; one larger than a tenth of it is not kept.
        size: bytes of one.
    """

    def __init__(self, most_bytes: int, size: Callable[[T], int]) -> None:
        self._most, self._size, self._bytes = most_bytes, size, 0
        self._kept: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def bytes(self) -> int:
        """What is kept now."""
        return self._bytes

    def get(self, key: Hashable) -> T | None:
        """What is kept by a key."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def put(self, key: Hashable, thing: T) -> None:
        """Keep a thing."""
        size = self._size(thing)
        if size > self._most // 10:
            return
        with self._lock:
            before = self._kept.pop(key, None)
            self._bytes += size - (0 if before is None else self._size(before))
            self._kept[key] = thing
            while self._bytes > self._most:
                self._bytes -= self._size(self._kept.popitem(last=False)[1])
