"""Text that fits: measured with the font that draws it, in millimetres."""

from __future__ import annotations

from collections.abc import Sequence

from minetrace.publish.figures.style import MM_PER_PT

HINTED = 1.04


def width_mm(words: str, size_pt: float, weight: str = "normal") -> float:
    """How wide a line of text is, with a little to spare: a screen's grid widens small letters."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=size_pt, weight=weight)
    width, _, _ = text_to_path.get_text_width_height_descent(words or " ", font, ismath=False)
    return float(width) * MM_PER_PT * HINTED


def fitted(words: str, room_mm: float, size_pt: float, weight: str = "normal") -> str:
    """The text, or its two ends with ``…`` between them where it is too long."""
    if not words or width_mm(words, size_pt, weight) <= room_mm:
        return words
    for keep in range(len(words) - 1, 0, -1):
        head, tail = (keep + 1) // 2, keep // 2
        short = f"{words[:head]}…{words[len(words) - tail :] if tail else ''}"
        if width_mm(short, size_pt, weight) <= room_mm:
            return short
    return "…"


def longest_that_fits(
    variants: Sequence[str], room_mm: float, size_pt: float, weight: str = "normal"
) -> str:
    """The first of several wordings that fits; the last, shortened, if none does."""
    for words in variants:
        if width_mm(words, size_pt, weight) <= room_mm:
            return words
    return fitted(variants[-1], room_mm, size_pt, weight)


def wrapped(words: str, room_mm: float, size_pt: float) -> list[str]:
    """The text in lines that fit; a word longer than a line is shortened."""
    lines: list[str] = []
    for word in words.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width_mm(longer, size_pt) <= room_mm:
            lines[-1] = longer
        else:
            lines.append(fitted(word, room_mm, size_pt))
    return lines
