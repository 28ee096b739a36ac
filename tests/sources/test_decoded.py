"""Decoded blocks stay below their cap, and never change what is read."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from minetrace.sources.decoded import DecodedBlocks

BLOCK = np.zeros(100, np.uint8)


@given(
    cap=st.integers(0, 1000),
    steps=st.lists(st.tuples(st.sampled_from(["put", "get", "drop"]), st.integers(0, 12))),
)
def test_what_is_kept_stays_below_the_cap(cap: int, steps: list[tuple[str, int]]) -> None:
    kept = DecodedBlocks(cap)
    for what, key in steps:
        if what == "put":
            kept.put(key, BLOCK)
        elif what == "drop":
            kept.drop(key)
        else:
            kept.get(key)
        assert kept.held_bytes == 100 * sum(kept.get(k) is not None for k in range(13)) <= cap


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    kept = DecodedBlocks(200)
    kept.put("a", BLOCK)
    kept.put("b", BLOCK)
    assert kept.get("a") is not None
    kept.put("c", BLOCK)
    assert kept.get("b") is None
    assert kept.get("a") is not None
    kept.clear()
    assert kept.get("a") is None
    assert kept.held_bytes == 0
