"""A product as an agency delivers it: one scene in many files, with metadata that say what is what.

``safe`` and ``landsat`` read the metadata; here the files become a ``Shot``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

from affine import Affine
from rasterio.errors import RasterioError

from minetrace.core.bands import nearest
from minetrace.errors import BandError, MinetraceError, RadiometryError, RasterError, StudyError
from minetrace.sources.archive import Archive
from minetrace.sources.bands import BandSpec
from minetrace.sources.dates import DateOptions, acquired
from minetrace.sources.image import Band, Image, MaskBand, RasterFile, open_raster
from minetrace.sources.inspection import ground_resolution_m, placed
from minetrace.sources.masks import MaskOptions
from minetrace.sources.options import FileOptions
from minetrace.sources.radiometry import is_thermal
from minetrace.sources.radiometry_gate import Calibration, SceneFacts, decide
from minetrace.sources.shot import Shot

_Grid = tuple[str, Affine, tuple[int, int]]  # CRS, pixel corner to CRS, (height, width)
ProductMask = Literal["scl", "classi", "qa_pixel"]


@dataclass(frozen=True)
class Product:
    """One scene, as its metadata describe it; no raster has been opened.

    Attributes:
        name: unique among products, without folders.
        kind: in words, such as ``Sentinel-2 L2A``.
        archive: where its files are.
        day: when it was sensed.
        same: what two deliveries of one scene have in common.
        rank: the higher, the newer the processing.
        version: the same in words, such as ``baseline 04.00``.
        level: ``toa`` or ``boa``.
        facts: for the gate.
        ids: its own band names, such as ``B04``, by common name.
        files: names in the archive, by common name.
        saturated: the count that means that the sensor was blinded, if there is one.
        spare: common names that are only read when a study names them.
        mask: what kind of cloud mask it has.
        mask_files: names of it, at one resolution or several; empty if there is none.
        no_mask: why there is none, and the remedy.
        missing: what its metadata list and is not there, in words; empty if nothing is.
    """

    name: str
    kind: str
    archive: Archive
    day: date
    same: tuple[str, ...]
    rank: tuple[Any, ...]
    version: str
    level: Literal["toa", "boa"]
    facts: SceneFacts
    ids: Mapping[str, str]
    files: Mapping[str, str]
    mask: ProductMask
    mask_files: tuple[str, ...]
    no_mask: str = ""
    missing: str = ""
    saturated: float | None = None
    spare: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class _Sheet:
    """One open look at a raster file: where its pixels are."""

    file: RasterFile
    crs: str
    affine: Affine
    shape: tuple[int, int]
    dtype: str
    count: int


def newest(products: Sequence[Product]) -> tuple[list[Product], list[str]]:
    """Each scene once, in its newest processing.

    Returns:
        The products that count, in their order, and a sentence on each that does not.
    """
    best: dict[tuple[str, ...], Product] = {}
    for product in products:
        other = best.get(product.same)
        if other is None or product.rank > other.rank:
            best[product.same] = product
    left_out = [
        f"{product.name} ({product.version}) is left out: {best[product.same].name} "
        f"({best[product.same].version}) shows the same scene"
        for product in products
        if best[product.same] is not product
    ]
    return [p for p in products if best[p.same] is p], left_out


def shoot(product: Product, options: FileOptions) -> Shot:
    """Look once at the files of a product.

    Raises:
        BandError: a band that was asked for, or the cloud mask, is not there.
        RadiometryError: what its counts mean would be a guess.
        RasterError: a file cannot be opened or has no CRS.
        StudyError: the mask that was asked for is not one of this product's.
    """
    wanted = _wanted(product, options.bands)
    sheets = {name: _open(product, product.files[name]) for name in wanted}
    finest = min((sheet.affine for sheet in sheets.values()), key=lambda affine: affine.a)
    masks = _masks(product, options.mask, finest)
    day = product.day
    if options.date != DateOptions():
        day = acquired(Path(product.name), {}, options.date)
    grids: dict[_Grid, dict[str, Band]] = {}
    for name, sheet in sheets.items():
        band = _band(product, name, sheet, options)
        grids.setdefault((sheet.crs, sheet.affine, sheet.shape), {})[name] = band
    images = [_image(product, day, grid, bands, masks) for grid, bands in grids.items()]
    images.sort(key=lambda image: image.resolution_m)
    return Shot(product.name, day, tuple(images), product.level)


def _wanted(product: Product, asked: Mapping[str, BandSpec]) -> list[str]:
    """Common names of the bands to read, in the product's order."""
    if not product.files:
        raise BandError(
            f"{product.name}: none of its bands is there; fetch the product again, or take it out "
            "of the source"
        )
    if not asked:
        return [name for name in product.files if name not in product.spare]
    for name, spec in asked.items():
        if spec.index is not None:
            raise BandError(
                f"sources.bands: {name} cannot be number {spec.index} of {product.name}, whose "
                f"bands are files of their own; name it, such as {{{name}: "
                f"{next(iter(product.ids.values()))}}}"
            )
        own = product.ids.get(name)
        if spec.name is not None and spec.name.upper() not in (own, name.upper()):
            raise BandError(
                f"sources.bands: {name} of {product.name} is {own or 'not there'}, "
                f"not {spec.name}; leave sources.bands out to read products by their metadata"
            )
        if name not in product.files:
            raise BandError(lacks(product, name))
    return [name for name in product.files if name in asked]


def lacks(product: Product, band: str) -> str:
    """Why a product has no such band."""
    own = product.ids.get(band)
    hint = nearest(band, product.files)
    return (
        f"no band {band} in {product.name}, which has {', '.join(product.files)}"
        + (f"; its file {own} is missing: fetch the product again" if own else "")
        + (f"; did you mean {hint}?" if hint and not own else "")
    )


def _open(product: Product, name: str) -> _Sheet:
    file = product.archive.raster(name)
    try:
        with open_raster(file.address) as raster:
            crs, affine = placed(Path(name), raster)
            return _Sheet(
                file, crs, affine, (raster.height, raster.width), raster.dtypes[0], raster.count
            )
    except (RasterioError, OSError) as error:
        if isinstance(error, MinetraceError):
            raise
        reason = " ".join(str(error.__cause__ or error).split())
        raise RasterError(
            f"{product.name}: {name} cannot be read as a raster ({reason}); "
            "fetch the product again, or take it out of the source"
        ) from error


def _band(product: Product, name: str, sheet: _Sheet, options: FileOptions) -> Band:
    rule = _calibration(product, name, options)
    nodata = rule.nodata if options.nodata is None else options.nodata
    return Band(sheet.file, 1, sheet.dtype, nodata, rule.radiometry, rule.saturated)


def _calibration(product: Product, name: str, options: FileOptions) -> Calibration:
    """What the user says, or else what the gate does."""
    spec = options.bands.get(name, BandSpec())
    thermal = is_thermal(name)
    scale = options.scale if spec.scale is None and not thermal else spec.scale
    offset = options.offset if spec.offset is None and not thermal else spec.offset
    if scale is None and offset is None:
        return decide(product.facts, name)
    if scale is None or offset is None:
        raise RadiometryError(
            f"{product.name}: sources.scale and sources.offset are given one without the other; "
            "give both, or none to read them from the product's metadata"
        )
    level = "kelvin" if thermal else product.level
    said = Calibration(scale, offset, level, 0.0, "the study", product.saturated)
    return said.of_band(name)


def _masks(
    product: Product, asked: MaskOptions | None, finest: Affine
) -> tuple[MaskOptions, list[_Sheet]] | None:
    """How clouds are masked, and the rasters that say so; None for not at all.

    Unless the user says otherwise a mask is grown by one of its pixels, as the finest bands see it.
    """
    if asked is not None and asked.kind == "none":
        return None
    if asked is not None and asked.kind != product.mask:
        raise StudyError(
            f"sources.mask: {product.name} is a {product.kind} product, whose mask is "
            f"{product.mask}, not {asked.kind}; say {{kind: {product.mask}}}, {{kind: none}}, or "
            "nothing"
        )
    if not product.mask_files:
        raise BandError(
            f"{product.name}: {product.no_mask}; say sources.mask: {{kind: none}} to count clouds "
            "as looked at, or take it out of the source"
        )
    sheets = [_open(product, name) for name in product.mask_files]
    return asked or MaskOptions(product.mask, dilate_m=_nearest(sheets, finest).affine.a), sheets


def _nearest(sheets: Sequence[_Sheet], affine: Affine) -> _Sheet:
    """The mask whose pixels are most like an image's; the finer of two."""
    return min(sheets, key=lambda s: (abs(math.log(s.affine.a / affine.a)), s.affine.a))


def _image(
    product: Product, day: date, grid: _Grid, bands: Mapping[str, Band],
    masks: tuple[MaskOptions, list[_Sheet]] | None,
) -> Image:  # fmt: skip
    crs, affine, shape = grid
    mask = _mask_for(product, grid, *masks) if masks else None
    names = [product.files[name] for name in bands]
    return Image(
        path=Path(product.name), day=day, crs=crs, affine=affine, height=shape[0], width=shape[1],
        bands=bands, mask=mask, alpha=None, has_mask=False,
        resolution_m=ground_resolution_m(Path(product.name), crs, affine, *shape),
        parts=tuple(sorted({product.archive.part(n) for n in (*names, *product.mask_files)})),
    )  # fmt: skip


def _mask_for(
    product: Product, grid: _Grid, options: MaskOptions, sheets: Sequence[_Sheet]
) -> MaskBand:
    crs, affine, shape = grid
    sheet = _nearest(sheets, affine)
    if sheet.crs != crs:
        raise RasterError(
            f"{product.name}: its mask is in {sheet.crs}, its bands in {crs}; "
            "fetch the product again"
        )
    # opaque cloud and cirrus; the third is snow
    indexes = tuple(range(1, min(sheet.count, 2) + 1)) if options.kind == "classi" else (1,)
    found = MaskBand(sheet.file, indexes, None, options)
    if (sheet.affine, sheet.shape) == (affine, shape):
        return found
    return replace(found, affine=sheet.affine, shape=sheet.shape)
