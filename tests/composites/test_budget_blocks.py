"""Pieces that fit the memory budget cover a rectangle once, in whole lattice blocks."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from minetrace.composites.blocks import BLOCK_PX, blocks_for_budget, bytes_per_px
from minetrace.core.grid import Rect

rects = st.builds(
    Rect, st.integers(-900, 900), st.integers(-900, 900), st.integers(1, 1500), st.integers(1, 1500)
)


@given(
    rect=rects,
    dates=st.integers(0, 300),
    bands=st.integers(1, 8),
    megabytes=st.integers(1, 900),
    most_rows=st.none() | st.integers(1, 2000),
)
@settings(max_examples=80, deadline=None)
def test_pieces_partition_and_never_cut_a_block(
    rect: Rect, dates: int, bands: int, megabytes: int, most_rows: int | None
) -> None:
    pieces = blocks_for_budget(dates, bands, rect, megabytes << 20, most_rows=most_rows)
    assert most_rows is None or all(p.height <= max(most_rows, BLOCK_PX) for p in pieces)
    count = np.zeros(rect.shape, dtype=int)
    seen: set[Rect] = set()
    for piece in pieces:
        count[piece.within(rect)] += 1
        blocks = {block for block in piece.blocks(BLOCK_PX) if not (block & rect).empty}
        assert not blocks & seen
        seen |= blocks
    assert (count == 1).all()
    assert pieces == sorted(pieces)


@given(rect=rects, dates=st.integers(1, 300), megabytes=st.integers(64, 900))
@settings(max_examples=80, deadline=None)
def test_memory_follows_the_budget_down_to_one_block(
    rect: Rect, dates: int, megabytes: int
) -> None:
    for piece in blocks_for_budget(dates, 6, rect, megabytes << 20):
        around = piece.snapped(BLOCK_PX)
        memory = around.height * around.width * bytes_per_px(dates, 6)
        assert memory <= megabytes << 20 or around.shape == (BLOCK_PX, BLOCK_PX)


def test_more_dates_make_smaller_pieces() -> None:
    rect = Rect(0, 0, 4096, 4096)
    sizes = [
        blocks_for_budget(dates, 6, rect, 512 << 20)[0] for dates in (1, 4, 12, 40, 200)
    ]  # fmt: skip
    areas = [piece.height * piece.width for piece in sizes]
    assert areas == sorted(areas, reverse=True)
    assert areas[0] > areas[-1]


def test_nothing_comes_of_nothing() -> None:
    assert blocks_for_budget(3, 6, Rect(0, 0, 0, 5), 1 << 20) == []
