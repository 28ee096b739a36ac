"""What a study says of compositing, in the words of the room that does it."""

from __future__ import annotations

from minetrace.composites.composite import Composer
from minetrace.composites.methods import CHOICE_PX, begin
from minetrace.core.grid import Tile
from minetrace.core.period import Period
from minetrace.flow.plan import Job, Look, Place


def begin_composite(job: Job, period: Period) -> Composer:
    """An empty composite of a period, as the study wants it."""
    settings = job.study.composite
    return begin(
        settings.method, settings.min_looks, percent=settings.percent,
        preferences=settings.preferences(period),
    )  # fmt: skip


def looks_near(job: Job, place: Place, period: Period, tile: Tile) -> list[Look]:
    """All looks that the composite of a tile may depend on."""
    blocks = tile.rect.snapped(CHOICE_PX).expand(begin_composite(job, period).margin_px)
    return [look for look in place.looks[period.label] if not (look.rect & blocks).empty]
