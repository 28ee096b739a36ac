"""From chips and a detector to a SAM 2 that delineates its detections better."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from minetrace.core.data_set import IGNORE, Chip, DataSet
from minetrace.core.grid import Grid, Rect
from minetrace.core.model import Scorer
from minetrace.core.raster import NODATA, Raster, stored_scale
from minetrace.core.scores import NOT_LOOKED
from minetrace.errors import ModelError
from minetrace.flow.sites import sites
from minetrace.models.machine import need_torch
from minetrace.models.sam2 import Sam2
from minetrace.predict.scan import scan
from minetrace.predict.sites import Site
from minetrace.store.files import write_json

if TYPE_CHECKING:
    from minetrace.models.sam2_tuning import Lesson, OnStep, Tuning

NOTE = "tuning.json"
ANYWHERE = "EPSG:32631"  # chips are looked at one by one, wherever they lie


@dataclass(frozen=True)
class Tuned:
    """What came of it.

    Attributes:
        model: the network.
        lessons: detections of the part ``train`` that it learnt from.
        tested: detections that it was judged on, of the part ``val``.
        before, after: intersection over union on those; NaN if there are none.
    """

    model: Sam2
    lessons: int
    tested: int
    before: float
    after: float


def tune_sam2(
    delineator: Sam2, data: DataSet, detector: Scorer, out: Path, how: Tuning,
    *, on_step: OnStep | None = None,
) -> Tuned:  # fmt: skip
    """Tune a decoder on what a detector detects in chips.

    Args:
        delineator: the network to begin with.
        data: chips with masks; the part ``train`` is learnt from, ``val`` is judged on.
        detector: a patch model: what it detects is what the network is told.
        out: the folder to write.
        how: it learns.
        on_step: told of each step.

    Raises:
        ModelError: the detector is no patch model, or detects nothing in the part ``train``.
        BandError: the chips lack a band.
        MissingExtraError: torch or transformers is not installed.
    """
    need_torch()
    from minetrace.models.sam2_tuning import agreement, tune

    if detector.card.output != "patch":
        raise ModelError(f"{detector.card.name}: is no patch model; only its detections need one")
    lessons, tested = (
        [lesson for chip in data.split(part).chips
         for lesson in lessons_of(data, chip, detector, delineator)]
        for part in ("train", "val")
    )  # fmt: skip
    if not lessons:
        raise ModelError(
            f"{data.name}: {detector.card.name} detects nothing in the part 'train' on ground "
            "whose class is known; take chips with mines, or another detector"
        )
    before = agreement(delineator, tested)
    made = tune(delineator, lessons, out, how, on_step=on_step)
    after = agreement(made, tested)
    write_json(out / NOTE, {
        "begun_with": delineator.card.sha256, "detector": detector.card.sha256,
        "set": data.name, "version": data.version, "how": asdict(how),
        "prompts": delineator.prompts, "white": delineator.white, "lessons": len(lessons),
        "tested": len(tested), "iou_before": _number(before), "iou_after": _number(after),
    })  # fmt: skip
    return Tuned(made, len(lessons), len(tested), before, after)


def lessons_of(
    data: DataSet, chip: Chip, detector: Scorer, delineator: Sam2
) -> Iterator[Lesson]:  # fmt: skip
    """Each detection in a chip, and what is known of its ground."""
    from minetrace.models.sam2_tuning import Lesson

    image, mask = data.read(chip)
    read = _Picture.of(data, image)
    whole = Rect(0, 0, *mask.shape)
    for site in _detected(read, whole, detector):
        frame = delineator.frame(site)
        known = np.full(frame.shape, IGNORE, np.uint8)
        part = whole & frame & site.box
        inside = site.mask(part)
        known[part.within(frame)] = np.where(inside, mask[part.within(whole)], IGNORE)
        counts = known != IGNORE
        if counts.any():
            yield Lesson(read(frame), frame, site, counts & (known > 0), counts)


def _detected(read: _Picture, whole: Rect, detector: Scorer) -> tuple[Site, ...]:
    card = detector.card
    scored = list(scan(read, detector, read.grid, [whole]))
    cells = whole.cells(card.cell_px)
    values = scored[0][1].band("max") if scored else np.full(cells.shape, NOT_LOOKED, np.uint16)

    def stored(rect: Rect) -> NDArray[np.uint16]:
        found = np.full(rect.shape, NOT_LOOKED, np.uint16)
        part = rect & cells
        if not part.empty:
            found[part.within(rect)] = values[part.within(cells)]
        return found

    grid = read.grid.coarsened(card.cell_px)
    return sites([cells], stored, grid, card.cell_px, threshold=card.threshold)


@dataclass(frozen=True)
class _Picture:
    """A chip as composites are: any rectangle, not valid outside of it."""

    bands: tuple[str, ...]
    pixels: NDArray[np.int16]
    valid: NDArray[np.bool_]
    grid: Grid

    @classmethod
    def of(cls, data: DataSet, image: NDArray[np.float32]) -> _Picture:
        valid: NDArray[np.bool_] = np.asarray(np.isfinite(image).all(axis=0))
        scales = np.array([stored_scale(band) for band in data.bands])[:, None, None]
        counts = np.clip(np.rint(np.where(valid, image, 0) / scales), -32767, 32767)
        pixels = np.where(valid, counts, NODATA).astype(np.int16)
        return cls(data.bands, pixels, valid, Grid(ANYWHERE, data.resolution_m or 10.0))

    def __call__(self, rect: Rect) -> Raster:
        """Pixels of a rectangle."""
        whole = Rect(0, 0, *self.valid.shape)
        pixels = np.full((len(self.bands), *rect.shape), NODATA, np.int16)
        valid, part = np.zeros(rect.shape, bool), whole & rect
        if not part.empty:
            pixels[(slice(None), *part.within(rect))] = self.pixels[
                (slice(None), *part.within(whole))
            ]
            valid[part.within(rect)] = self.valid[part.within(whole)]
        return Raster(self.bands, pixels, valid, self.grid.geobox(rect))


def _number(share: float) -> float | None:
    return round(share, 4) if np.isfinite(share) else None
