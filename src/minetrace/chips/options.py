"""What must be said of a set of chips that does not say it itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from minetrace.core.model import Level

Layout = Literal["auto", "manifest", "smallminesds", "pairs", "npz", "zarr", "lists"]


@dataclass(frozen=True)
class SetOptions:
    """How to read what lies there.

    Attributes:
        layout: of the files; ``auto`` looks for itself.
        bands: common names in the files' order; those of the files themselves if left out.
        scale: per band, value = number * scale + offset; the files' own if left out.
        offset: likewise.
        nodata: numbers that mean nothing was seen, besides what the files say.
        classes: by index, the first of them none of the others.
        values: class of a mask's number, for masks that count otherwise, as ``{255: 1}``.
        exclude: names of chips to leave out.
        resolution_m: side of a pixel on the ground.
        level: radiometry of the optical bands.
        source: who labelled the chips.
        licence: of the chips.
    """

    layout: Layout = "auto"
    bands: tuple[str, ...] = ()
    scale: Mapping[str, float] = field(default_factory=dict)
    offset: Mapping[str, float] = field(default_factory=dict)
    nodata: tuple[float, ...] = ()
    classes: tuple[str, ...] = ("other", "mine")
    values: Mapping[int, int] = field(default_factory=dict)
    exclude: tuple[str, ...] = ()
    resolution_m: float | None = None
    level: Level = "any"
    source: str = ""
    licence: str = ""

    @property
    def data(self) -> tuple[Mapping[str, str], ...]:
        """The sources, as a model card holds them."""
        return ({"name": self.source, "licence": self.licence},) if self.source else ()
