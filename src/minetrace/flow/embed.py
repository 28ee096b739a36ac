"""Embeddings of chips, and of a run's composites: what a backbone says of each window or patch.

Windows lie on the lattice, each described on its own, so that a vector does not depend on how the
ground was cut. A run's embeddings are COGs with a band a dimension, a chip's are rows of Parquet.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from minetrace.core.data_set import IGNORE, Chip, DataSet
from minetrace.core.grid import Rect
from minetrace.core.model import Scaling
from minetrace.core.provenance import fingerprint
from minetrace.core.raster import NODATA, stored_scale
from minetrace.errors import ModelError, RunError
from minetrace.models.keras.published import SCALINGS, scaling_called
from minetrace.models.machine import need_torch
from minetrace.sources.image import open_raster
from minetrace.store.cog import write_cog
from minetrace.store.files import read_json, sha256, write_json, write_whole

if TYPE_CHECKING:
    from minetrace.models.backbone import Backbone

Tokens = Literal["patch", "class"]
RECIPES = (*SCALINGS, "prithvi")
NOTE, ROWS = "embedding.json", "embeddings.parquet"
MIN_SEEN = 0.5  # share of a window, or of a patch, that must be seen
FILE_PX = 2048  # about the side of the ground of one file
RECIPE = 1
MADE_OF = "composites"  # the tag of a file that tells which


@dataclass(frozen=True)
class Describing:
    """What is computed.

    Attributes:
        backbone: ``timm/NAME``, ``terratorch/NAME`` or ``prithvi/SIZE``.
        bands: common names, in the order of its input.
        window: side of its input, pixels.
        checkpoint: its weights; None for what ``pretrained`` says.
        pretrained: whether its library may fetch weights.
        scaling: how reflectance becomes input, one of `RECIPES`.
        tokens: a vector a patch, or one a window.
    """

    backbone: str
    bands: tuple[str, ...]
    window: int = 224
    checkpoint: Path | None = None
    pretrained: bool = False
    scaling: str = "standard"
    tokens: Tokens = "patch"

    def note(self) -> dict[str, Any]:
        """What is written beside the vectors: all that they follow from."""
        weights = sha256(self.checkpoint) if self.checkpoint else ""
        name = self.checkpoint.name if self.checkpoint else ""
        return {**asdict(self), "bands": list(self.bands), "checkpoint": name,
                "checkpoint_sha256": weights, "recipe": RECIPE}  # fmt: skip


@dataclass(frozen=True)
class Describer:
    """A backbone and what it is given."""

    how: Describing
    backbone: Backbone
    scaling: Mapping[str, Scaling]

    @classmethod
    def of(cls, how: Describing) -> Describer:
        """Make the backbone.

        Raises:
            ModelError: it cannot be made so, has no weights, or a band has no scaling.
            MissingExtraError: its library is not installed.
            MissingFileError: the checkpoint is not there.
        """
        need_torch()
        from minetrace.models.backbone import make_backbone

        if how.checkpoint is None and not how.pretrained:
            raise ModelError(
                f"{how.backbone}: has no weights; give a file with --checkpoint, or --pretrained "
                "to let its library fetch some"
            )
        scaling = _scaling(how)
        made = make_backbone(
            how.backbone, how.bands, how.window, checkpoint=str(how.checkpoint or ""),
            pretrained=how.pretrained,
        )  # fmt: skip
        return cls(how, made.eval(), scaling)

    @property
    def cell_px(self) -> int:
        """Side of the ground of a vector, pixels."""
        return self.how.window if self.how.tokens == "class" else self.backbone.cell_px

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Vectors (width, cells, cells) of a window.

        Args:
            image: (bands, window, window) reflectance, NaN where nothing was seen. A hole is given
                as the mean; cells that are mostly holes, and all of a window that is, are NaN.
        """
        seen = ~np.isnan(image).any(axis=0)
        scaled = np.stack([_scaled(x, self.scaling[b])
                           for x, b in zip(image, self.how.bands, strict=True)])  # fmt: skip
        given = np.where(seen, scaled, np.float32(0))[None]
        whole, patches = self.backbone.describe(given)
        vectors = whole[0, :, None, None] if self.how.tokens == "class" else patches[0]
        side, cell = vectors.shape[-1], self.cell_px
        share = seen.reshape(side, cell, side, cell).mean(axis=(1, 3))
        vectors[:, (share < MIN_SEEN) | (seen.mean() < MIN_SEEN)] = np.nan
        return vectors


def embed_chips(data: DataSet, how: Describing, out: Path) -> tuple[Path, int]:
    """Describe chips, each cut into windows that cover it.

    Args:
        data: the chips; those smaller than a window are refused.
        how: by what.
        out: a folder; ``embeddings.parquet`` has a row a vector: chip, split, label (the class that
            its ground is of, empty where nobody knows), row and col in the chip, embedding.

    Returns:
        The file, and how many vectors it holds.

    Raises:
        BandError: a band is not there.
        ModelError: the backbone cannot be made, or a chip is too small.
    """
    import pandas as pd

    describer = Describer.of(how)
    rows = [row for chip in data.chips for row in _rows(data, chip, describer)]
    if not rows:
        raise ModelError(f"{data.name}: nothing in its chips was seen; is nodata right?")
    table = pd.DataFrame(rows).astype({"label": "Int64"})
    write_whole(out / ROWS, lambda part: table.to_parquet(part, index=False))
    write_json(out / NOTE, {**how.note(), "set": data.name, "version": data.version})
    return out / ROWS, len(table)


def embed_run(root: Path, how: Describing, out: Path) -> tuple[Path, ...]:
    """Describe the composites of a run; files that were made of the same composites are kept.

    Args:
        root: the run's folder.
        how: by what.
        out: a folder; ``PERIOD/ZONE_ROW_COL.tif`` has a band a dimension, ``e000`` and on.

    Returns:
        The files.

    Raises:
        BandError: the composites lack a band.
        ModelError: the backbone cannot be made.
        RunError: the folder holds no run, or ``out`` holds embeddings of another kind.
    """
    from minetrace.flow.open_run import Run

    run = Run.open(root)
    describer = Describer.of(how)
    _settle(out, how.note())
    files = []
    for period in run.periods:
        for zone in run.zones(period):
            image = _Composite.of(run, period, zone, how.bands)
            files += list(_period(image, describer, out / period, _made_of(run.root, period)))
    return tuple(files)


@dataclass(frozen=True)
class _Composite:
    """The composite of a period in one zone, read where it is asked for."""

    data: Any
    image: Any
    bands: tuple[str, ...]

    @classmethod
    def of(cls, run: Any, period: str, zone: str, bands: Sequence[str]) -> _Composite:
        from minetrace.flow.score import XarrayImage

        data = run.composite(period, crs=zone)
        there = [str(name) for name in data.data_vars]
        if missing := [band for band in bands if band not in there]:
            raise RunError(
                f"{run.root}: its composites have no band {', '.join(missing)}, only "
                f"{', '.join(there[:-2])}; name others with --bands"
            )
        return cls(data, XarrayImage(data[list(bands)]), tuple(bands))

    def read(self, rect: Rect) -> NDArray[np.float32]:
        """(bands, height, width) reflectance, NaN where nothing was seen."""
        raster = self.image(rect).select(self.bands)
        scale = np.array([stored_scale(band) for band in self.bands], np.float32)
        values = raster.pixels * scale[:, None, None]
        return np.where(raster.pixels == NODATA, np.float32(np.nan), values).astype(np.float32)


def _made_of(root: Path, period: str) -> str:
    """Tells a period's composites, with those that failed, from others of the same name."""
    sidecars = sorted((root / "composites" / period).glob("*.json"))
    return fingerprint([[path.name, sha256(path)] for path in sidecars])


def _is_made_of(path: Path, made_of: str) -> bool:
    if not path.is_file():
        return False
    with open_raster(str(path)) as file:
        return bool(file.tags().get(MADE_OF) == made_of)


def _period(
    composite: _Composite, describer: Describer, folder: Path, made_of: str
) -> Iterator[Path]:  # fmt: skip
    """One file per square of whole windows, on the lattice."""
    grid, frame, window = composite.image.grid, composite.image.frame, describer.how.window
    for block in frame.blocks(max(1, FILE_PX // window) * window):
        path = folder / f"{grid.zone}_{block.row}_{block.col}.tif"
        if not _is_made_of(path, made_of):
            rect = (block & frame).snapped(window)
            vectors = _vectors(composite, describer, rect)
            if np.isnan(vectors).all():
                path.unlink(missing_ok=True)
                continue
            write = partial(
                write_cog, pixels=vectors, grid=grid.coarsened(describer.cell_px),
                rect=rect.cells(describer.cell_px), names=names_of(len(vectors)),
                nodata=float("nan"), tags={"backbone": describer.how.backbone, MADE_OF: made_of},
            )  # fmt: skip
            write_whole(path, write)
        yield path


def _vectors(composite: _Composite, describer: Describer, rect: Rect) -> NDArray[np.float32]:
    cells = rect.cells(describer.cell_px)
    found = np.full((describer.backbone.width, *cells.shape), np.nan, np.float32)
    for window in rect.blocks(describer.how.window):
        image = composite.read(window)
        if not np.isnan(image).all():
            place = window.cells(describer.cell_px).within(cells)
            found[(slice(None), *place)] = describer(image)
    return found


def names_of(width: int) -> tuple[str, ...]:
    """What the dimensions are called: ``e000`` and on."""
    return tuple(f"e{number:03d}" for number in range(width))


def _rows(data: DataSet, chip: Chip, describer: Describer) -> Iterator[dict[str, Any]]:
    image, mask = data.read(chip)
    image, side, cell = image[data.positions(describer.how.bands)], describer.how.window, \
        describer.cell_px  # fmt: skip
    if min(mask.shape) < side:
        raise ModelError(
            f"{chip.name}: {mask.shape[0]} x {mask.shape[1]} px, smaller than a window of {side}; "
            "say a smaller --window"
        )
    for row, col in product(*(_starts(length, side) for length in mask.shape)):
        vectors = describer(image[:, row : row + side, col : col + side])
        for at in np.argwhere(~np.isnan(vectors[0])):
            top, left = row + int(at[0]) * cell, col + int(at[1]) * cell
            known = _class_of(mask[top : top + cell, left : left + cell])
            label = known if chip.mask else chip.label
            yield {
                "chip": chip.name, "split": chip.split, "row": top, "col": left,
                "label": label,
                "embedding": vectors[:, at[0], at[1]],
            }  # fmt: skip


def _class_of(mask: NDArray[np.uint8]) -> int | None:
    """The class of most of the pixels whose class is known; None if none is."""
    counts = np.bincount(mask.ravel(), minlength=IGNORE + 1)[:IGNORE]
    return int(counts.argmax()) if counts.any() else None


def _starts(length: int, side: int) -> list[int]:
    """Where windows begin so that they cover a length; the last may overlap."""
    return sorted({*range(0, length - side + 1, side), length - side})


def _scaling(how: Describing) -> Mapping[str, Scaling]:
    if how.scaling == "prithvi":
        from minetrace.models.prithvi import scaling

        return scaling(how.bands)
    if how.scaling not in RECIPES:
        raise ModelError(f"--scaling: no recipe {how.scaling!r}; choose among {', '.join(RECIPES)}")
    try:
        return scaling_called(how.scaling, how.bands)
    except KeyError as error:
        raise ModelError(
            f"--scaling {how.scaling}: it has no figures for the band {error.args[0]}; choose "
            "another, or other --bands"
        ) from error


def _scaled(values: NDArray[np.float32], how: Scaling) -> NDArray[np.float32]:
    kept = values if how.clip is None else np.clip(values, *how.clip)
    return (kept * np.float32(how.scale) + np.float32(how.offset)).astype(np.float32)


def _settle(out: Path, note: dict[str, Any]) -> None:
    """Write what the files follow from, or see that those that are there follow from the same."""
    path, said = out / NOTE, json.loads(json.dumps(note))
    if path.is_file() and read_json(path) != said:
        raise RunError(f"{out}: holds embeddings that were made otherwise; choose another --out")
    write_json(path, said)
