"""The card of an imported network: what its file says, what is known of it, what the user says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minetrace.core.model import ModelCard, Scaling
from minetrace.errors import ModelError
from minetrace.models.naming import band_called, slug
from minetrace.models.pytorch.layouts import Network

_NUMBERS = r"\b{name}\s*=\s*[\[(]([-\d.,\s]+)[\])]"


@dataclass(frozen=True)
class Said:
    """What the user says of a model; whatever is None is taken from the file, if it is there.

    Attributes:
        bands: in input order, common names or identifiers.
        classes: names of the classes, the first, which is no mine, left out.
        mean: per band, in values that the network was fed before they were standardised.
        std: likewise.
        values: how many such values a reflectance of 1 is; thermal bands are in kelvin.
        clip: reflectance below and above which values were cut off.
        window: side of the input, pixels.
        stride: distance between windows, pixels.
        threshold: from which probability on a pixel is a mine.
        resolution_m: ground size of a pixel.
        licence: of the weights.
    """

    bands: tuple[str, ...] | None = None
    classes: tuple[str, ...] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    values: float | None = None
    clip: tuple[float, float] | None = None
    window: int | None = None
    stride: int | None = None
    threshold: float | None = None
    resolution_m: float | None = None
    licence: str = ""


def pixel_card(name: str, network: Network, notes: Mapping[str, Any], said: Said) -> ModelCard:
    """The card of a network that answers for pixels.

    Raises:
        ModelError: its bands or scaling are not known, or do not fit it.
    """
    bands = _bands(network, said)
    window = said.window or network.window
    if window % network.multiple:
        raise ModelError(
            f"--window {window} is no multiple of {network.multiple}, by which the network divides "
            f"its input; choose {max(1, round(window / network.multiple)) * network.multiple}"
        )
    return ModelCard(
        name=slug(name), bands=bands, window=window,
        stride=said.stride or max(1, window * 3 // 4), output="pixels", extent="mined",
        classes=_classes(network, notes, said), scaling=_scaling(bands, notes, said),
        fill=tuple(_middle(band, notes, said, n) for n, band in enumerate(bands)),
        min_valid_share=0.5, resolution_m=said.resolution_m or network.resolution_m,
        threshold=said.threshold or 0.5, licence=said.licence,
        description=f"Imported from a PyTorch checkpoint: {network.says} ({network.source}); what "
        "it was trained on is not in the file. Not calibrated.",
    )  # fmt: skip


def _bands(network: Network, said: Said) -> tuple[str, ...]:
    if said.bands is None and not network.known:
        raise ModelError(
            f"which {network.bands} bands it takes is not in the file; say so with --bands, in "
            "its order, such as B04,B03,B02"
        )
    bands = network.known if said.bands is None else tuple(map(band_called, said.bands))
    if len(bands) != network.bands or len(set(bands)) != len(bands):
        raise ModelError(
            f"it takes {network.bands} bands, --bands names {len(set(bands))}: {', '.join(bands)}"
        )
    return bands


def _classes(network: Network, notes: Mapping[str, Any], said: Said) -> tuple[str, ...]:
    count = max(1, network.logits - 1)
    noted = _noted_classes(notes)
    names = said.classes or (noted[1:] if len(noted) == count + 1 > 2 else ())
    if not names and count == 1:
        return ("mine",)
    if len(names) != count:
        raise ModelError(
            f"it tells {network.logits} classes apart, the first of which is no mine; name the "
            f"{count} others with --classes"
        )
    return tuple(names)


def _noted_classes(notes: Mapping[str, Any]) -> tuple[str, ...]:
    """What MMSegmentation notes beside the weights, in either of its versions."""
    meta = notes.get("meta")
    meta = meta if isinstance(meta, Mapping) else {}
    inner = meta.get("dataset_meta")
    named = (inner if isinstance(inner, Mapping) else {}).get("classes") or meta.get("CLASSES")
    return tuple(map(str, named)) if isinstance(named, Sequence) else ()


def _scaling(
    bands: tuple[str, ...], notes: Mapping[str, Any], said: Said
) -> dict[str, Scaling]:  # fmt: skip
    mean, std = (_statistic(name, bands, notes, said) for name in ("mean", "std"))
    if said.values is None:
        raise ModelError(
            f"its input is (value - mean) / deviation (mean of {bands[0]} {mean[0]:g}), and what a "
            "value stands for is not in the file; say with --values how many a reflectance of 1 "
            "is: 10000 for digital numbers, 850 for 8-bit pictures that are white at 0.3"
        )
    return {
        band: Scaling(_unit(band, said) / s, -m / s, None if _thermal(band) else said.clip)
        for band, m, s in zip(bands, mean, std, strict=True)
    }


def _statistic(
    name: str, bands: tuple[str, ...], notes: Mapping[str, Any], said: Said
) -> tuple[float, ...]:  # fmt: skip
    values = (said.mean if name == "mean" else said.std) or _noted(name, notes)
    if values is None:
        raise ModelError(
            f"the {name} of its bands is not in the file; give it with --{name}, one number a band "
            f"({', '.join(bands)}); 0 and 1 as mean and std for values that are taken as they are"
        )
    if len(values) != len(bands) or (name == "std" and min(values) <= 0):
        raise ModelError(
            f"--{name}: {len(values)} numbers ({', '.join(map(str, values))}) for {len(bands)} "
            "bands; give one each, deviations above 0"
        )
    return values


def _noted(name: str, notes: Mapping[str, Any]) -> tuple[float, ...] | None:
    """Out of the configuration that MMSegmentation keeps as a text beside the weights."""
    meta = notes.get("meta")
    text = " ".join(str(meta.get(k, "")) for k in ("cfg", "config")) if isinstance(meta, Mapping) \
        else ""  # fmt: skip
    found = re.search(_NUMBERS.format(name=name), text)
    return tuple(float(n) for n in found[1].split(",") if n.strip()) if found else None


def _middle(band: str, notes: Mapping[str, Any], said: Said, number: int) -> float:
    """The mean of a band as reflectance, or kelvin: what holes take, 0 once scaled."""
    mean = said.mean or _noted("mean", notes) or ()
    return mean[number] / _unit(band, said) if number < len(mean) else 0.1


def _unit(band: str, said: Said) -> float:
    return 1.0 if _thermal(band) else said.values or 1.0


def _thermal(band: str) -> bool:
    return band.startswith("lwir")
