"""What a study says of compositing, in the words of the room that does it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from minetrace.composites.composite import Composer
from minetrace.composites.harmonise import harmonised, sensor_of
from minetrace.composites.methods import CHOICE_PX, begin
from minetrace.composites.stack import Stack, kinds_of
from minetrace.core.grid import Rect, Tile
from minetrace.core.period import Period
from minetrace.core.raster import Raster
from minetrace.errors import StudyError
from minetrace.flow.plan import Job, Look, Place
from minetrace.sources.decoded import CAP_BYTES

LOW_ROWS = 256  # of a piece that is reduced while the next is waited for
TALL_PX = 1024  # the highest blocks of common COGs


def begin_composite(job: Job, period: Period) -> Composer:
    """An empty composite of a period, as the study wants it."""
    settings = job.study.composite
    empty = partial(
        begin, settings.method, settings.min_looks, percent=settings.percent,
        preferences=settings.preferences(period),
    )  # fmt: skip
    kinds = kinds_of(job.bands, [source.bands for source in job.sources])
    if len(kinds) == 1:
        return empty()
    return Stack(kinds, empty, partial(begin, "median"))


def looks_near(job: Job, place: Place, period: Period, tile: Tile) -> list[Look]:
    """All looks that the composite of a tile may depend on."""
    blocks = tile.rect.snapped(CHOICE_PX).expand(begin_composite(job, period).margin_px)
    near = (look for look in place.looks[period.label] if not (look.rect & blocks).empty)
    return [look for look in near if bands_of(job, look)]


def bands_of(job: Job, look: Look) -> tuple[str, ...]:
    """The composite's bands that a look has: all, or those of its kind where kinds are stacked."""
    return tuple(band for band in job.bands if band in job.sources[look.source].bands)


def read_look(job: Job, place: Place, look: Look, rect: Rect) -> Raster:
    """A scene on a rectangle, adjusted to another sensor where the study says so."""
    bands = bands_of(job, look)
    raster = job.sources[look.source].read(look.scene, bands, place.grid, rect)
    sensor = seen_by(job, look)
    return raster if sensor is None else harmonised(raster, sensor)


def seen_by(job: Job, look: Look) -> str | None:
    """The sensor whose bands are to be adjusted; None if they are taken as they are.

    Raises:
        StudyError: the study leaves it to the scene's name, and that does not say it; or the
            reflectance is not that of the surface, for which the adjustment was made.
    """
    said = getattr(job.study.sources[look.source], "harmonise", None)
    if said and job.sources[look.source].level == "toa":
        raise StudyError(
            "sources.harmonise: made for reflectance at the surface, and this is that at the top "
            "of the atmosphere; leave it out, or use Level-2 products"
        )
    return sensor_of(look.scene.id) if said == "by-name" else said


def most_rows(job: Job, looks: Sequence[Look], rect: Rect) -> int | None:
    """How high a piece of a composite may be, so that reading and reducing overlap.

    Returns:
        None where no source waits for servers: then memory alone decides.
    """
    if not any(job.sources[look.source].reads_ahead > 1 for look in looks):
        return None
    return low_rows(len(looks), len(job.bands), rect)


def low_rows(n_dates: int, n_bands: int, rect: Rect) -> int:
    """Low, if the decoded blocks of all looks can be kept for the pieces below; else as blocks are.

    A piece lower than the blocks that it is read from would else have them decoded many times.
    """
    kept_bytes = n_dates * (2 * n_bands + 1) * TALL_PX * rect.snapped(TALL_PX).width
    return LOW_ROWS if kept_bytes <= CAP_BYTES else TALL_PX
