"""How figures look in print: sizes, colours, and settings that make a rerun give equal bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from minetrace.errors import MissingExtraError

INK = "#1c2326"
MUTED = "#596266"
LINE = "#d8d4cc"
PAPER = "#ffffff"
EMPTY = "#f1efea"
HATCH = "#8d9290"
BAR = "#5b7c85"

TITLE_PT = 8.5
TEXT_PT = 7.0
SMALL_PT = 6.0
MM_PER_PT = 25.4 / 72
LINE_MM = 1.25 * MM_PER_PT  # height of a line of text per point of its size

SINGLE_MM, DOUBLE_MM = 85.0, 180.0  # the columns of most journals
TALLEST_MM = 235.0  # what fits on a page with a caption
NOT_LOOKED_HATCH = "//////"

_SETTINGS: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib, so that sizes are known
    "font.size": TEXT_PT,
    "text.color": INK,
    "text.parse_math": False,  # a title may hold a dollar sign
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.5,
    "axes.unicode_minus": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": SMALL_PT,
    "ytick.labelsize": SMALL_PT,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "xtick.major.size": 2.0,
    "ytick.major.size": 2.0,
    "hatch.linewidth": 0.35,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "image.interpolation": "nearest",
    "image.composite_image": False,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "minetrace",
    "pdf.fonttype": 42,
}


@contextmanager
def styled() -> Iterator[None]:
    """The settings of print, for as long as a figure is drawn or saved.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise MissingExtraError(
            "figures need matplotlib, which is not installed: pip install 'minetrace[plot]'"
        ) from error
    with mpl.rc_context():
        mpl.rcdefaults()
        for name, value in _SETTINGS.items():
            mpl.rcParams[name] = value  # type: ignore[index]
        yield
