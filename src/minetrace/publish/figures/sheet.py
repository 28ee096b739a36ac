"""A sheet of paper: axes, shapes and text placed in millimetres from its top left corner."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minetrace.publish.figures.style import INK, LINE_MM, MUTED, SMALL_PT, TEXT_PT, TITLE_PT, styled
from minetrace.publish.figures.words import fitted, width_mm, wrapped
from minetrace.store.files import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MM_PER_INCH = 25.4
HEAD_MM = 6.0  # room for a title
_METADATA: dict[str, dict[str, Any]] = {  # nothing that changes from one day to the next
    "png": {"Software": "minetrace"},
    "svg": {"Date": None, "Creator": "minetrace"},
    "pdf": {"CreationDate": None, "Creator": "minetrace", "Producer": None},
}
FORMATS = tuple(_METADATA)


@dataclass(frozen=True)
class Head:
    """The lines at the top of a sheet, and how high they are."""

    title: str
    beside: str
    under: tuple[str, ...]

    @classmethod
    def of(cls, title: str, headline: str, sheet_mm: float) -> Head:
        """On one line where both fit, else the headline under the title."""
        needed = width_mm(title, TITLE_PT, "bold") + width_mm(headline, SMALL_PT) + 6
        if needed <= sheet_mm:
            return cls(title, headline, ())
        short = fitted(title, sheet_mm - 2, TITLE_PT, "bold")
        return cls(short, "", tuple(wrapped(headline, sheet_mm - 2, SMALL_PT)))

    @property
    def height_mm(self) -> float:
        """Room that it takes."""
        return HEAD_MM + (len(self.under) * SMALL_PT * LINE_MM + 0.6 if self.under else 0.0)


class Sheet:
    """Where a figure is laid out; make it and draw on it within ``style.styled``.

    Attributes:
        figure: what is laid out.
        ink: axes over the whole sheet in millimetres, y downwards, for keys and text.
    """

    def __init__(self, width_mm: float, height_mm: float) -> None:
        from matplotlib.figure import Figure

        self.width_mm, self.height_mm = width_mm, height_mm
        self.figure: Figure = Figure(figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH))
        self.ink = self.axes(0, 0, width_mm, height_mm)
        self.ink.set(xlim=(0, width_mm), ylim=(height_mm, 0))
        self.ink.set_axis_off()
        self.ink.set_zorder(5)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes over a rectangle."""
        w, h = self.width_mm, self.height_mm
        return self.figure.add_axes(
            (left / w, 1 - (top + height) / h, width / w, height / h), facecolor="none"
        )

    def text(
        self, left: float, top: float, words: str, *, size: float = TEXT_PT, colour: str = INK,
        weight: str = "normal", ha: str = "left", va: str = "top",
    ) -> None:  # fmt: skip
        """A line of text with its corner at a place."""
        if words:
            self.ink.text(left, top, words, size=size, color=colour, weight=weight,
                          ha=ha, va=va)  # fmt: skip

    def head(self, head: Head) -> None:
        """A title, and what the figure says: beside it, or under it."""
        self.text(1, 1.2, head.title, size=TITLE_PT, weight="bold")
        if head.beside:
            self.text(self.width_mm - 1, 2.0, head.beside, size=SMALL_PT, colour=MUTED, ha="right")
        for i, line in enumerate(head.under):
            self.text(1, HEAD_MM - 0.6 + i * SMALL_PT * LINE_MM, line, size=SMALL_PT, colour=MUTED)

    def foot(self, lines: list[str], top: float) -> None:
        """Small print."""
        for i, line in enumerate(lines):
            self.text(1, top + i * SMALL_PT * LINE_MM, line, size=SMALL_PT, colour=MUTED)


def foot_lines(credit: str, sheet_mm: float) -> tuple[list[str], float]:
    """Small print in lines for a sheet of a width, and the height that it takes."""
    lines = wrapped(credit, sheet_mm - 2, SMALL_PT)
    return lines, len(lines) * SMALL_PT * LINE_MM + 1.5


def save_figure(figure: Figure, path: Path, *, dpi: int = 300) -> Path:
    """Write a figure whole, in the format of its suffix; drawn again, it has equal bytes.

    Args:
        figure: from one of this room's functions.
        path: ends in ``.png``, ``.svg`` or ``.pdf``.
        dpi: of a PNG, and of the pictures inside the others.
    """
    kind = path.suffix[1:]

    def write(part: Path) -> None:
        with styled():
            figure.savefig(part, format=kind, dpi=dpi, metadata=_METADATA[kind])

    write_whole(path, write)
    return path
