"""The card of an imported network: what its file says, what is known of it, what the user says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from minetrace.core.model import ModelCard, Scaling
from minetrace.errors import ModelError
from minetrace.models.keras.head import Head
from minetrace.models.keras.notes import Notes
from minetrace.models.keras.published import (
    EMBEDDINGS,
    LICENCE,
    SCALINGS,
    SOURCE,
    Published,
    family_of,
    scaling_called,
)
from minetrace.models.naming import band_called, slug

RESOLUTION_M = 10.0
THRESHOLD = 0.5
FILL = 0.1  # reflectance that holes take


@dataclass(frozen=True)
class Overrides:
    """What the user says of a model; whatever is None comes from the table of published files.

    Attributes:
        bands: in input order, common names or Sentinel-2 identifiers.
        scaling: a recipe of `published.SCALINGS`.
        stride: distance between windows, pixels.
        window: side of the input, pixels; checked against the file.
        threshold: from which probability on a window is a detection.
        level: radiometry that it was made for.
    """

    bands: tuple[str, ...] | None = None
    scaling: str | None = None
    stride: int | None = None
    window: int | None = None
    threshold: float | None = None
    level: Literal["toa", "boa", "any"] | None = None


def image_card(
    name: str, shape: Sequence[int], head: Head, notes: Notes | None, says: Overrides
) -> ModelCard:  # fmt: skip
    """The card of a network that takes images.

    Args:
        shape: (h, w, bands) of its input.

    Raises:
        ModelError: its bands, scaling or window are not known, or do not fit the file.
    """
    window, known = _window(name, shape, says), family_of(name)
    if known is not None and (known.window != window or len(known.bands) != shape[2]):
        known = None  # the name misleads; what it says would be a guess
    bands = _bands(name, shape, known, says)
    pixels = head.image is not None
    if head.image not in (None, (window, window)):
        raise ModelError(
            f"{name}: answers for {head.image} pixels of a window of {window}; it must be as many "
            "pixels as it takes in, or one answer for the window"
        )
    return ModelCard(
        name=slug(name), bands=bands, window=window,
        stride=_stride(name, window, known, pixels, says),
        output="pixels" if pixels else "patch", extent="mined" if pixels else "footprint",
        scaling=_scaling(name, bands, known, says), fill=(FILL,) * len(bands),
        level=says.level or ("toa" if known else "any"), resolution_m=RESOLUTION_M,
        threshold=_threshold(notes, says), licence=LICENCE if known else "",
        description=_description(head, known), data=_data(known), metrics=_metrics(notes),
    )  # fmt: skip


def array_card(
    name: str, shape: Sequence[int], head: Head, notes: Notes | None, says: Overrides
) -> ModelCard:  # fmt: skip
    """The card of a network that takes something else: embeddings, or a pixel's series."""
    vector = len(shape) == 1
    what = EMBEDDINGS.get(shape[0], "vectors") if vector else "arrays"
    known = vector and shape[0] in EMBEDDINGS and "SSL4EO" in name
    return ModelCard(
        name=slug(name), bands=("embedding" if vector else "array",), window=1, stride=1,
        output="patch", extent="footprint", input_shape=tuple(shape), fill=(0.0,),
        threshold=_threshold(notes, says), licence=LICENCE if known else "",
        description=f"A probe on {what} of shape {tuple(shape)}; it takes no image and cannot be "
        f"run over imagery. {head.says}",
        data=({"source": SOURCE, "licence": LICENCE},) if known else (), metrics=_metrics(notes),
    )  # fmt: skip


def _window(name: str, shape: Sequence[int], says: Overrides) -> int:
    if says.window is not None and says.window != shape[0]:
        raise ModelError(
            f"{name}: its input is {shape[0]} x {shape[1]} px, so --window {says.window} cannot "
            "be; leave it out"
        )
    return shape[0]


def _bands(
    name: str, shape: Sequence[int], known: Published | None, says: Overrides
) -> tuple[str, ...]:  # fmt: skip
    if says.bands is None:
        if known is None:
            raise ModelError(
                f"{name}: which {shape[2]} bands it takes is not known by its name; say so with "
                "--bands, in its order, and --scaling"
            )
        return known.bands
    bands = tuple(band_called(word) for word in says.bands)
    if len(bands) != shape[2] or len(set(bands)) != len(bands):
        raise ModelError(
            f"{name}: takes {shape[2]} bands, --bands names {len(set(bands))}: {', '.join(bands)}"
        )
    return bands


def _scaling(
    name: str, bands: tuple[str, ...], known: Published | None, says: Overrides
) -> dict[str, Scaling]:  # fmt: skip
    recipe = says.scaling or (known.scaling if known else None)
    if recipe is None:
        raise ModelError(
            f"{name}: how its input is scaled is not known by its name; say so with --scaling "
            f"({', '.join(SCALINGS)})"
        )
    if recipe not in SCALINGS:
        raise ModelError(f"--scaling: no recipe {recipe!r}; choose among {', '.join(SCALINGS)}")
    try:
        return scaling_called(recipe, bands)
    except KeyError as error:
        raise ModelError(
            f"--scaling {recipe}: it has no figures for the band {error.args[0]}; choose another "
            "or write the scaling into model.json"
        ) from error


def _stride(
    name: str, window: int, known: Published | None, pixels: bool, says: Overrides
) -> int:  # fmt: skip
    stride = says.stride or (known.stride if known else _coarsest_half(window, pixels))
    if not 0 < stride <= window or (window % stride and not pixels):
        raise ModelError(
            f"{name}: --stride {stride} must divide the window, {window}; choose among "
            f"{', '.join(str(s) for s in range(1, window + 1) if window % s == 0)}"
        )
    return stride


def _coarsest_half(window: int, pixels: bool) -> int:
    """Half a window, or the next finer stride that divides it."""
    return next(s for s in range(max(1, window // 2), 0, -1) if pixels or window % s == 0)


def _threshold(notes: Notes | None, says: Overrides) -> float:
    if says.threshold is not None:
        return says.threshold
    return (notes.threshold if notes else None) or THRESHOLD


def _description(head: Head, known: Published | None) -> str:
    made = (
        "Published by Earth Genome for artisanal gold mining in the Amazon, on Sentinel-2 "
        "Level-1C composites; not made for industrial mines or other regions. "
        if known else "Imported from Keras. "
    )  # fmt: skip
    return f"{made}{head.says} {known.why if known else ''}".strip()


def _data(known: Published | None) -> tuple[dict[str, str], ...]:
    return ({"source": SOURCE, "licence": LICENCE},) if known else ()


def _metrics(notes: Notes | None) -> dict[str, Any]:
    if notes is None:
        return {}
    figures = {f"publisher_{split}": dict(values) for split, values in notes.mine.items()}
    return {**figures, "publisher_config": notes.text}
