"""Folders of images and masks as pairs, whatever their names are, SmallMinesDS among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from minetrace.chips.names import FileName, understand
from minetrace.chips.options import SetOptions
from minetrace.chips.raster_files import Frame, RasterChips, band_order, frame_of
from minetrace.chips.values import Values, refuse_guesses
from minetrace.core.data_set import IGNORE, Chip, DataSet
from minetrace.errors import DataSetError
from minetrace.store.files import sha256

SUFFIXES = frozenset({".tif", ".tiff", ".png", ".jp2"})
GLANCE = 24  # masks that are looked at to see whether their numbers are classes

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
        DataSetError: there are no pairs, or an image and its mask differ in shape.
        BandError: nobody names the bands.
        RadiometryError: optical bands hold no reflectance, and nobody says what they hold.
        ReadFailedError: a file cannot be read.
    """
    images, masks = _by_role(root)
    left_out = set(options.exclude)
    chips = [
        _chip(root, path, name, masks, options)
        for path, name in sorted(images.items())
        if not {path.stem, path.with_suffix("").as_posix()} & left_out
    ]
    if not chips:
        raise DataSetError(
            f"{root}: holds no images with masks; their names must say which is which, such as "
            "1_image.tif and 1_mask.tif, or img_dir/train/a.png and ann_dir/train/a.png"
        )
    first = frame_of(root / chips[0].image)
    bands = band_order(first, options.bands, root / chips[0].image)
    reader = RasterChips(
        root, _values(first, bands, options), len(options.classes), options.values,
        (-9999.0,) if options.layout == "smallminesds" else (),
    )  # fmt: skip
    refuse_guesses(reader.image(chips[0]), bands, str(root / chips[0].image))
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


def _chip(
    root: Path, path: Path, name: FileName, masks: Mapping[str, Path], options: SetOptions
) -> Chip:
    mask = masks.get(name.key)
    if mask is None:
        raise DataSetError(
            f"{root / path}: has no mask; add it, or leave the image out with "
            f"exclude: [{path.stem}] (an image without labels is not an image without mines)"
        )
    frame, other = frame_of(root / path), frame_of(root / mask)
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


def _values(frame: Frame, bands: tuple[str, ...], options: SetOptions) -> Values:
    nodata = {*options.nodata, *(() if frame.nodata is None else (frame.nodata,))}
    return Values(
        tuple(options.scale.get(b, s) for b, s in zip(bands, frame.scales, strict=True)),
        tuple(options.offset.get(b, o) for b, o in zip(bands, frame.offsets, strict=True)),
        tuple(sorted(nodata)),
    )  # fmt: skip


def _refuse_two_valued(chips: list[Chip], reader: RasterChips, root: Path) -> None:
    """A mask of 0 and 255 alone is more likely a picture of mines than of ignorance."""
    if IGNORE in reader.known:
        return
    some = chips[:: max(1, len(chips) // GLANCE)]
    plain = replace(reader, mask_nodata=(), known={})
    seen = {int(v) for chip in some for v in set(plain.mask(chip).flat)}
    if seen == {0, IGNORE}:
        raise DataSetError(
            f"{root}: its masks hold only 0 and 255, and 255 stands for 'nobody knows'; "
            "if 255 is the mine, say values: {255: 1}"
        )
