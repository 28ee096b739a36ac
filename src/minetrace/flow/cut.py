"""Cutting one chip: its picture in one period, and what is known of its ground."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray

from minetrace.chips.masks import label_of, paint, shares_of
from minetrace.core.data_set import IGNORE, Chip
from minetrace.core.grid import Tile
from minetrace.core.period import Period
from minetrace.core.raster import NODATA, REFLECTANCE_SCALE, stored_scale
from minetrace.flow.chip_ground import Sheet, outside_of
from minetrace.flow.plan import Job
from minetrace.flow.study_chips import ChipStudy
from minetrace.flow.tasks import Compose
from minetrace.labels.labels import Labels
from minetrace.store.cog import write_cog
from minetrace.store.files import sha256, write_whole

WHITE = 0.3  # reflectance that is 255 in an 8-bit picture


@dataclass(frozen=True)
class Cutting:
    """What all chips of a set share; made once, sent to each worker once."""

    job: Job
    settings: ChipStudy
    sheets: tuple[Sheet, ...]
    labels: Labels
    out: Path


@dataclass(frozen=True)
class Cut:
    """Make the files of one chip; may be done twice without harm."""

    period: int
    place: int
    tile: Tile
    kind: str

    def __call__(self, shared: Cutting) -> None:
        """Compose, paint, write: the image first, the mask last."""
        job, place = shared.job, shared.job.places[self.place]
        rect = self.tile.rect
        everywhere = np.ones(rect.shape, dtype=bool)
        composite, _ = Compose(self.period, self.place, self.tile, "").reduce(
            job, place, everywhere
        )
        pixels = composite[: len(job.bands)]
        write = partial(write_cog, grid=place.grid, rect=rect)
        write_whole(shared.out / image_path(shared, self), partial(
            write, pixels=pixels, names=job.bands, nodata=NODATA,
            scales=tuple(map(stored_scale, job.bands)),
        ))  # fmt: skip
        if shared.settings.png:
            write_whole(shared.out / png_path(shared, self, "png"), partial(_png, pixels=_eight_bit(
                pixels, job.bands)))  # fmt: skip
            write_whole(shared.out / png_path(shared, self, "png-masks"), partial(
                _png, pixels=mask_of(shared, self)[None]))  # fmt: skip
        write_whole(shared.out / mask_path(shared, self), partial(
            write, pixels=mask_of(shared, self)[None], names=("class",), nodata=IGNORE,
        ))  # fmt: skip


def mask_of(shared: Cutting, cut: Cut) -> NDArray[np.uint8]:
    """What is known of the ground of a chip; outside the region nobody looked."""
    job, settings, sheet = shared.job, shared.settings, shared.sheets[cut.place]
    place, period = job.places[cut.place], job.periods[cut.period]
    ground = sheet.ground(cut.tile.rect, period, outside_of(settings, shared.labels, period))
    mask = paint(ground, place.grid, cut.tile.rect, touch=settings.touch, ring_m=settings.ring_m)
    beyond = (mask == 0) & ~place.coverage.mask(cut.tile.rect)
    return np.where(beyond, np.uint8(IGNORE), mask)


def name_of_cut(shared: Cutting, cut: Cut) -> str:
    """Unique in its set."""
    return f"{cut.tile.id}_{shared.job.periods[cut.period].label}"


def image_path(shared: Cutting, cut: Cut) -> str:
    """Where its picture is, from the set's folder."""
    return f"images/{shared.job.periods[cut.period].label}/{cut.tile.id}.tif"


def mask_path(shared: Cutting, cut: Cut) -> str:
    """Where its mask is; written last."""
    return f"masks/{shared.job.periods[cut.period].label}/{cut.tile.id}.tif"


def png_path(shared: Cutting, cut: Cut, folder: str) -> str:
    """Where its 8-bit picture or mask is."""
    return f"{folder}/{shared.job.periods[cut.period].label}/{cut.tile.id}.png"


def done(shared: Cutting, cut: Cut) -> bool:
    """Whether its files are there, whole."""
    return (shared.out / mask_path(shared, cut)).is_file()


def chip_of(shared: Cutting, cut: Cut) -> Chip | None:
    """What the files of a chip say of it; None if too little of it was seen."""
    image, mask = image_path(shared, cut), mask_path(shared, cut)
    with rasterio.open(shared.out / image) as file:
        seen = float((file.read(1) != NODATA).mean())
    if seen < shared.settings.min_valid_share or seen == 0:
        return None
    with rasterio.open(shared.out / mask) as file:
        shares = shares_of(file.read(1))
    place, sheet = shared.job.places[cut.place], shared.sheets[cut.place]
    period = shared.job.periods[cut.period]
    source, region = _told_by(sheet, place.grid.bounds(cut.tile.rect), period, cut.kind)
    label = label_of(shares, sheet.points(cut.tile.rect, period).tolist())
    return Chip(
        name=name_of_cut(shared, cut), image=image, mask=mask, kind=cut.kind, label=label,
        place=cut.tile.id, period=period.label, source=source, region=region, crs=place.grid.crs,
        bounds=place.grid.bounds(cut.tile.rect), shares=shares,
        checksum=sha256(shared.out / image)[:16] + sha256(shared.out / mask)[:16],
    )  # fmt: skip


def _told_by(
    sheet: Sheet, bounds: tuple[float, float, float, float], period: Period, kind: str
) -> tuple[str, str]:
    """Who labelled a chip, and its region: that of the nearest label, which may be some way off.

    Where nobody speaks of the period, those who speak of the ground in another.
    """
    if not len(sheet.labels):
        return kind, ""
    frame = shapely.box(*bounds)
    near = sheet.near(frame)
    region = str(sheet.labels.region[near[0] if len(near) else sheet.nearest(frame)])
    if not len(near):
        return kind, region
    now = near[sheet.holds(near, period)]
    return "; ".join(
        sorted({str(s) for s in sheet.labels.source[now if len(now) else near]})
    ), region


def _eight_bit(pixels: NDArray[np.int16], bands: tuple[str, ...]) -> NDArray[np.uint8]:
    wanted = ("red", "green", "blue")
    layers = pixels[[bands.index(b) for b in wanted]] if set(wanted) <= set(bands) else pixels[:1]
    scaled = np.clip(layers * (REFLECTANCE_SCALE / WHITE), 0, 1) * 255
    return np.where(layers == NODATA, 0, np.rint(scaled)).astype(np.uint8)


def _png(path: Path, pixels: NDArray[np.uint8]) -> None:
    import warnings

    from rasterio.errors import NotGeoreferencedWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver="PNG", height=pixels.shape[1], width=pixels.shape[2],
            count=len(pixels), dtype="uint8",
        ) as file:  # fmt: skip
            file.write(pixels)
