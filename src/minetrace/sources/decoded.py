"""Decoded blocks of remote rasters, kept until the strip below wants the rest of them.

A composite is made strip by strip, and the blocks of a COG are often higher than a strip: without
this each block would be decoded once for every strip that it reaches into.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

CAP_BYTES = 512 << 20  # a worker keeps at most so much


@dataclass(eq=False)
class DecodedBlocks:
    """Blocks by what tells them apart; beyond the cap, those asked for longest ago go.

    Safe to share among threads. Blocks are handed out as they are and never written to.

    Attributes:
        cap_bytes: of pixels.
    """

    cap_bytes: int = CAP_BYTES
    _blocks: OrderedDict[Hashable, NDArray[Any]] = field(default_factory=OrderedDict)
    _bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def held_bytes(self) -> int:
        """Bytes of pixels that are kept now."""
        return self._bytes

    def get(self, key: Hashable) -> NDArray[Any] | None:
        """A block, or None if it is not kept."""
        with self._lock:
            if key in self._blocks:
                self._blocks.move_to_end(key)
            return self._blocks.get(key)

    def put(self, key: Hashable, block: NDArray[Any]) -> None:
        """Keep a block, unless it alone is beyond the cap."""
        if block.nbytes > self.cap_bytes:
            return
        with self._lock:
            self._drop(key)
            self._blocks[key] = block
            self._bytes += block.nbytes
            while self._bytes > self.cap_bytes:
                self._drop(next(iter(self._blocks)))

    def drop(self, key: Hashable) -> None:
        """Let a block go, because nobody will want it again."""
        with self._lock:
            self._drop(key)

    def clear(self) -> None:
        """Let all go."""
        with self._lock:
            self._blocks.clear()
            self._bytes = 0

    def _drop(self, key: Hashable) -> None:
        gone = self._blocks.pop(key, None)
        self._bytes -= 0 if gone is None else gone.nbytes
