"""Looking at a raster file once: which bands, which day, where, and what its counts mean."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from pyproj import CRS, Geod, Transformer
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioError
from rasterio.windows import Window

from minetrace.errors import BandError, MinetraceError, RasterError
from minetrace.sources.bands import BandSpec, find_band, find_bands, mask_band
from minetrace.sources.dates import acquired
from minetrace.sources.image import Band, Image, MaskBand, RasterFile, open_raster
from minetrace.sources.masks import MaskOptions
from minetrace.sources.options import FileOptions
from minetrace.sources.radiometry import is_thermal, radiometry, refuse_counts

_WGS84 = Geod(ellps="WGS84")
SAMPLE_PX = 64

GROW_M = {"scl": 20.0, "qa_pixel": 30.0}  # one pixel of each mask, since they miss cloud edges


def inspect(path: Path, options: FileOptions) -> Image:
    """What a file says about itself, and what the user says about it.

    Raises:
        RasterError: it cannot be opened, or has no CRS.
        BandError: a band, or the mask band, is not there.
        RadiometryError: what its counts mean would be a guess.
        StudyError: its date cannot be found.
    """
    try:
        with open_raster(path) as raster:
            return _inspect(path, raster, options)
    except (RasterioError, OSError) as error:
        if isinstance(error, MinetraceError):
            raise
        reason = " ".join(str(error.__cause__ or error).split())
        raise RasterError(
            f"{path}: cannot be read as a raster ({reason}); "
            "fetch it again, or take it out of the source"
        ) from error


def _inspect(path: Path, raster: Any, options: FileOptions) -> Image:
    crs, affine = placed(path, raster)
    day: date = acquired(path, raster.tags(), options.date)
    alpha = _alpha(raster)
    descriptions = [d or _long_name(raster, i) for i, d in enumerate(raster.descriptions, 1)]
    mask = _mask(path, raster, descriptions, alpha, options.mask)
    bands = {
        name: band
        for name, index in find_bands(path, descriptions, options.bands).items()
        if (band := _band(path, raster, name, index, options)) is not None
    }
    return Image(
        path=path, day=day, crs=crs, affine=affine, height=raster.height, width=raster.width,
        bands=bands, mask=mask, alpha=alpha, has_mask=_has_mask(raster),
        resolution_m=ground_resolution_m(path, crs, affine, raster.height, raster.width),
        parts=_parts(path, raster),
    )  # fmt: skip


def placed(path: Path, raster: Any) -> tuple[str, Affine]:
    """CRS and geotransform of an open raster.

    Raises:
        RasterError: it has none.
    """
    if raster.crs is None:
        raise RasterError(
            f"{path}: has no CRS, so nobody knows where it is; "
            "write it into the file with 'gdal_edit.py -a_srs EPSG:CODE'"
        )
    if raster.transform == Affine.identity():
        raise RasterError(
            f"{path}: has no geotransform, so nobody knows where it is; "
            "warp it to a map projection first, for example with gdalwarp"
        )
    crs = CRS.from_wkt(raster.crs.to_wkt())
    authority = crs.to_authority(min_confidence=100)
    return ":".join(authority) if authority else crs.to_wkt(), raster.transform


def _long_name(raster: Any, index: int) -> str | None:
    """The name of a band that has no description, where a tag holds one."""
    tags = {key.lower(): value for key, value in raster.tags(index).items()}
    return tags.get("common_name") or tags.get("long_name") or tags.get("band_name")


def _alpha(raster: Any) -> int | None:
    colours = list(raster.colorinterp)
    return colours.index(ColorInterp.alpha) + 1 if ColorInterp.alpha in colours else None


def _has_mask(raster: Any) -> bool:
    flags = raster.mask_flag_enums[0]
    return MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags


def _mask(
    path: Path, raster: Any, descriptions: list[str | None], alpha: int | None,
    options: MaskOptions | None,
) -> MaskBand | None:  # fmt: skip
    if options is None:
        found = mask_band(path, descriptions)
        if found is None:
            return None
        kind, index = found
        options = MaskOptions(kind="scl" if kind == "scl" else "qa_pixel", dilate_m=GROW_M[kind])
        return MaskBand(RasterFile.at(path), (index,), raster.nodatavals[index - 1], options)
    if options.kind == "alpha" and alpha is None and not _has_mask(raster):
        raise BandError(f"{path.name}: sources.mask asks for an alpha band, and it has none")
    if options.kind in ("none", "alpha"):
        return None
    index = _mask_index(path, descriptions, options)
    nodata = raster.nodatavals[index - 1] if options.kind != "band" else None
    return MaskBand(RasterFile.at(path), (index,), nodata, options)


def _mask_index(path: Path, descriptions: list[str | None], options: MaskOptions) -> int:
    asked = options.band if options.band is not None else options.kind
    if isinstance(asked, str) and asked.isdecimal():
        asked = int(asked)
    if isinstance(asked, int):
        if not 1 <= asked <= len(descriptions):
            raise BandError(
                f"{path.name} has {len(descriptions)} bands; its mask cannot be number {asked}"
            )
        return asked
    index = find_band(path, descriptions, asked)
    if index is None:
        have = ", ".join(d for d in descriptions if d) or "bands without names"
        raise BandError(
            f"{path.name}: no mask band {asked!r} among {have}; "
            "name it, or give its position, in sources.mask.band"
        )
    return index


def _band(
    path: Path, raster: Any, name: str, index: int, options: FileOptions
) -> Band | None:  # fmt: skip
    spec = options.bands.get(name, BandSpec())
    dtype = raster.dtypes[index - 1]
    default = (None, None) if is_thermal(name) else (options.scale, options.offset)
    said = (
        default[0] if spec.scale is None else spec.scale,
        default[1] if spec.offset is None else spec.offset,
    )
    tagged = (float(raster.scales[index - 1]), float(raster.offsets[index - 1]))
    if is_thermal(name) and name not in options.bands and said[0] is None and tagged == (1.0, 0.0):
        return None  # nobody asked for it, and nobody knows what it means
    rule = radiometry(path, name, dtype, said=said, tagged=tagged)
    if said[0] is None and tagged == (1.0, 0.0):
        refuse_counts(path, name, _sample(raster, index), rule)
    nodata = options.nodata if options.nodata is not None else raster.nodatavals[index - 1]
    count = None if nodata is None else float(nodata)
    return Band(RasterFile.at(path), index, dtype, count, rule)


def _sample(raster: Any, index: int) -> Any:
    """Nine small windows spread over a band, nodata left out."""
    parts = []
    for down in range(3):
        for right in range(3):
            row = (raster.height - min(SAMPLE_PX, raster.height)) * down // 2
            col = (raster.width - min(SAMPLE_PX, raster.width)) * right // 2
            window = Window(col, row, min(SAMPLE_PX, raster.width), min(SAMPLE_PX, raster.height))
            parts.append(raster.read(index, window=window).ravel())
    values = np.concatenate(parts)
    nodata = raster.nodatavals[index - 1]
    return values if nodata is None else values[values != nodata]


def ground_resolution_m(path: Path, crs: str, affine: Affine, height: int, width: int) -> float:
    """Side of the middle pixel on the ground, metres: the square root of its two sides' product.

    A projection in metres that is true to within a percent there keeps its own round number.
    """
    col, row = width // 2, height // 2
    spots = ((col, row), (col + 1, row), (col, row + 1))
    xs = [affine.a * c + affine.b * r + affine.c for c, r in spots]
    ys = [affine.d * c + affine.e * r + affine.f for c, r in spots]
    lon, lat = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(xs, ys)
    if not np.isfinite([*lon, *lat]).all():
        raise RasterError(
            f"{path}: its middle, ({xs[0]:g}, {ys[0]:g}) in {crs}, lies nowhere on Earth; "
            "is its CRS right?"
        )
    _, _, across = _WGS84.inv(lon[0], lat[0], lon[1], lat[1])
    _, _, down = _WGS84.inv(lon[0], lat[0], lon[2], lat[2])
    ground = float(np.sqrt(across * down))
    nominal = float(np.sqrt(abs(affine.determinant)))
    if abs(nominal / ground - 1) < 0.01:
        return nominal
    return float(f"{ground:.3g}")


def _parts(path: Path, raster: Any) -> tuple[tuple[str, int, int], ...]:
    files = sorted({path, *(Path(one) for one in raster.files)})
    stats = ((one.name, one.stat()) for one in files if one.is_file())
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
