"""What a user may say about files of imagery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from minetrace.sources.bands import BandSpec
from minetrace.sources.dates import DateOptions
from minetrace.sources.masks import MaskOptions


@dataclass(frozen=True)
class FileOptions:
    """Files of imagery, and what they do not say about themselves.

    Attributes:
        path: a folder, a file, a pattern, or several of these.
        bands: by common name; empty to go by the bands' descriptions.
        scale: reflectance per count, for bands without one of their own; default: the files' tags.
            Thermal bands are in kelvin, so this never applies to them.
        offset: added to it; -0.1 for Sentinel-2 from baseline 04.00 on.
        date: where the date is.
        mask: which pixels are clear; None to use a band described SCL or QA_PIXEL if there
            is one, grown by one of its pixels.
        nodata: the count that means that nothing was seen; default: the files' tags.
    """

    path: Path | str | Sequence[Path | str]
    bands: Mapping[str, BandSpec] = field(default_factory=dict)
    scale: float | None = None
    offset: float | None = None
    date: DateOptions = field(default_factory=DateOptions)
    mask: MaskOptions | None = None
    nodata: float | None = None


def as_json(mask: MaskOptions) -> dict[str, Any]:
    """Mask options as JSON can hold them."""
    return asdict(mask)
