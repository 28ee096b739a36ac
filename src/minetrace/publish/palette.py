"""Colours from early to late that stay apart for every kind of colour vision."""

from __future__ import annotations

# Plasma (Smith & van der Walt, matplotlib) is even in lightness, and unlike viridis it has none of
# the greens of the forest under the outlines. Its even steps crowd the purples, though, for whoever
# lacks red cones; these are spaced anew, so that neighbours lie equally far apart (CIEDE2000) for
# the worst of four kinds of eyes: usual, and without one of the cones (Machado et al. 2009).
_STOPS = ("#0d0887", "#7201a8", "#b42e8d", "#cd4977", "#e3685f", "#f79143", "#febc2b", "#f0f821")


def palette(steps: int) -> list[str]:
    """Colours from early to late as ``#rrggbb``, safe for colour-blind eyes."""
    if steps == 1:
        return [_STOPS[4]]
    return [_blend(i * (len(_STOPS) - 1) / (steps - 1)) for i in range(steps)]


def _blend(place: float) -> str:
    left = min(int(place), len(_STOPS) - 2)
    share = place - left
    ends = [bytes.fromhex(colour[1:]) for colour in _STOPS[left : left + 2]]
    return "#" + bytes(round(a + (b - a) * share) for a, b in zip(*ends, strict=True)).hex()
