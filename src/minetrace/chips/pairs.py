"""Folders of images and masks as pairs, whatever their names are, SmallMinesDS among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

from minetrace.chips.names import FileName, understand
from minetrace.chips.options import SetOptions
from minetrace.chips.raster_files import Frame, RasterChips, band_order, frame_of
from minetrace.chips.values import Values, glance, refuse_guesses
from minetrace.core.data_set import IGNORE, Chip, DataSet
from minetrace.errors import DataSetError
from minetrace.store.files import sha256

SUFFIXES = frozenset({".tif", ".tiff", ".png", ".jp2"})

SMALL_MINES = SetOptions(
    layout="smallminesds",
    bands=("blue", "green", "red", "rededge071", "rededge075", "rededge078", "nir", "nir08",
           "swir16", "swir22", "vv", "vh", "elevation"),
    scale=dict.fromkeys(
        ("blue", "green", "red", "rededge071", "rededge075", "rededge078", "nir", "nir08",
         "swir16", "swir22"), 1e-4),
    nodata=(-9999.0, -32768.0), resolution_m=10.0, level="boa",
    source="SmallMinesDS", licence="CC BY-SA 4.0",
)  # fmt: skip
"""What the publishers of SmallMinesDS say of it; 255 is nodata in its masks."""


def open_pairs(root: Path, options: SetOptions) -> DataSet:
    """A folder of images with masks.

    Args:
        root: whatever lies under it is taken apart by its names.
        options: a mask that is missing is an error, since no label is not "no mine".

    Raises:
        DataSetError: there are no pairs, an image and its mask differ in shape, or the numbers of
            two files mean different things.
        BandError: nobody names the bands.
        RadiometryError: optical bands hold no reflectance, and nobody says what they hold.
        ReadFailedError: a file cannot be read.
    """
    images, masks = _by_role(root)
    left_out = set(options.exclude)
    taken = [path for path in sorted(images)
             if not {path.stem, path.with_suffix("").as_posix()} & left_out]  # fmt: skip
    if not taken:
        raise DataSetError(
            f"{root}: holds no images with masks; their names must say which is which, such as "
            "1_image.tif and 1_mask.tif, or img_dir/train/a.png and ann_dir/train/a.png"
        )
    frames = {path: frame_of(root / path) for path in taken}
    first = frames[taken[0]]
    bands, values = _common_meaning(root, frames, options)
    chips = [_chip(root, path, frames[path], images[path], masks, options) for path in taken]
    reader = RasterChips(
        root, values, len(options.classes), options.values,
        (-9999.0,) if options.layout == "smallminesds" else (),
    )  # fmt: skip
    for chip in glance(chips):
        refuse_guesses(reader.image(chip), bands, str(root / chip.image))
    _refuse_two_valued(chips, reader, root)
    metres = first.resolution if first.crs and not first.crs.startswith("EPSG:4326") else None
    return DataSet(
        root.name, tuple(chips), bands, options.classes, reader, options.resolution_m or metres,
        options.level, options.data,
    )  # fmt: skip


def _by_role(root: Path) -> tuple[dict[Path, FileName], dict[str, Path]]:
    images: dict[Path, FileName] = {}
    masks: dict[str, Path] = {}
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        inside = path.relative_to(root)
        name = understand(inside)
        if name.role == "mask":
            masks[name.key] = inside
        elif name.role == "image":
            images[inside] = name
    return images, masks


def _common_meaning(
    root: Path, frames: Mapping[Path, Frame], options: SetOptions
) -> tuple[tuple[str, ...], Values]:
    """Bands and values of all files, which must be one."""
    found = {path: _meaning(root / path, frame, options) for path, frame in frames.items()}
    first, common = next(iter(found.items()))
    for path, own in found.items():
        for what in common:
            if own[what] != common[what]:
                raise DataSetError(
                    f"{root / path}: its {what} is {_said(own[what])}, that of {first} is "
                    f"{_said(common[what])}; say {what} for all files, or leave this one out with "
                    f"exclude: [{path.stem}]"
                )
    return common["bands"], Values(common["scale"], common["offset"], common["nodata"])


def _meaning(path: Path, frame: Frame, options: SetOptions) -> dict[str, tuple[Any, ...]]:
    """What a file's numbers are, as the user says it, or else the file, by option."""
    bands = band_order(frame, options.bands, path)
    own = {frame.nodata} if frame.nodata is not None and isfinite(frame.nodata) else set()
    return {
        "bands": bands,
        "scale": tuple(options.scale.get(b, s) for b, s in zip(bands, frame.scales, strict=True)),
        "offset": tuple(
            options.offset.get(b, o) for b, o in zip(bands, frame.offsets, strict=True)
        ),
        "nodata": tuple(sorted({*options.nodata, *own})),
    }


def _said(values: tuple[Any, ...]) -> str:
    return f"[{', '.join(v if isinstance(v, str) else f'{v:g}' for v in values)}]"


def _chip(
    root: Path, path: Path, frame: Frame, name: FileName, masks: Mapping[str, Path],
    options: SetOptions,
) -> Chip:  # fmt: skip
    mask = masks.get(name.key)
    if mask is None:
        raise DataSetError(
            f"{root / path}: has no mask; add it, or leave the image out with "
            f"exclude: [{path.stem}] (an image without labels is not an image without mines)"
        )
    other = frame_of(root / mask)
    if frame.shape != other.shape:
        raise DataSetError(
            f"{root / path}: is {_size(frame)} pixels and its mask {_size(other)}; "
            f"mend one of them, or leave it out with exclude: [{path.stem}]"
        )
    return Chip(
        name=path.with_suffix("").as_posix(), image=path.as_posix(), mask=mask.as_posix(),
        split=name.split, place=name.place, period=name.period, source=options.source,
        crs=frame.crs, bounds=frame.bounds,
        checksum=sha256(root / path)[:16] + sha256(root / mask)[:16],
    )  # fmt: skip


def _size(frame: Frame) -> str:
    return f"{frame.shape[0]} x {frame.shape[1]}"


def _refuse_two_valued(chips: list[Chip], reader: RasterChips, root: Path) -> None:
    """A mask of 0 and 255 alone is more likely a picture of mines than of ignorance."""
    if IGNORE in reader.known:
        return
    plain = replace(reader, mask_nodata=(), known={})
    seen = {int(v) for chip in glance(chips) for v in set(plain.mask(chip).flat)}
    if seen == {0, IGNORE}:
        raise DataSetError(
            f"{root}: its masks hold only 0 and 255, and 255 stands for 'nobody knows'; "
            "if 255 is the mine, say values: {255: 1}"
        )
