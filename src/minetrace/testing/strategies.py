"""Hypothesis strategies for the nouns of ``core``; needs hypothesis, which only tests have."""

from __future__ import annotations

from hypothesis import strategies as st

from minetrace.core.grid import Grid, Rect
from minetrace.core.period import Period


def rects(
    *, far_px: int = 5000, smallest_px: int = 1, largest_px: int = 900
) -> st.SearchStrategy[Rect]:
    """Rectangles of lattice pixels, on either side of the origin."""
    place, size = st.integers(-far_px, far_px), st.integers(smallest_px, largest_px)
    return st.builds(Rect, place, place, size, size)


def grids() -> st.SearchStrategy[Grid]:
    """Grids in metres, anchored by edge or by centre."""
    return st.builds(
        Grid,
        st.sampled_from(["EPSG:32719", "EPSG:32623", "EPSG:6933"]),
        st.sampled_from([4.77, 10.0, 30.0]),
        st.sampled_from(["edge", "center"]),
    )


def years(*, first: int = 2016, last: int = 2030) -> st.SearchStrategy[list[Period]]:
    """Different calendar years, in any order."""
    number = st.integers(first, last)
    return st.lists(number, min_size=1, max_size=8, unique=True).map(
        lambda chosen: [Period.year(year) for year in chosen]
    )
