"""NetCDF cubes: variables over time, y and x, in which each moment is a scene.

The place is read from the grid-mapping variable (CF conventions 1.11, section 5.6) and from the
coordinates of pixel centres; scale, offset and fill value from each variable's attributes, and are
judged as those of any file.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError

from minetrace.core.grid import Rect
from minetrace.errors import BandError, MissingExtraError, RasterError, ReadFailedError
from minetrace.sources.bands import BandSpec, find_band, find_bands, mask_band
from minetrace.sources.image import Band, Image, MaskBand, RasterFile
from minetrace.sources.inspection import GROW_M, ground_resolution_m
from minetrace.sources.masks import MaskOptions
from minetrace.sources.options import FileOptions
from minetrace.sources.radiometry import is_thermal, radiometry
from minetrace.sources.shot import Shot
from minetrace.sources.source import Scene
from minetrace.store.handles import closed_at_exit

EVEN = 1e-3  # of a pixel, that spacing may vary by
_EAST = {"x", "lon", "longitude", "easting", "projection_x_coordinate"}


@dataclass(frozen=True)
class CubeLayer(RasterFile):
    """One variable at one moment.

    Attributes:
        variable: its name in the file.
        moment: position along time, from 0.
        turned: the file's rows run northwards.
    """

    variable: str = field(kw_only=True)
    moment: int = field(kw_only=True)
    turned: bool = field(kw_only=True)

    def read(self, indexes: Any, window: Rect) -> list[NDArray[Any]]:
        """Counts of a window that lies inside; there is but one band.

        Raises:
            ReadFailedError: the file cannot be read there.
        """
        try:
            values = _opened(self.address, _changed_ns(self.address), threading.get_ident())[
                self.variable
            ]
            rows = slice(window.row, window.row_stop)
            if self.turned:
                height = values.shape[1]
                rows = slice(height - window.row_stop, height - window.row)
            found = np.asarray(values[self.moment, rows, window.col : window.col_stop])
        except (OSError, KeyError, ValueError) as error:
            raise ReadFailedError(
                f"{self.label}: its pixels cannot be read, perhaps it is cut short "
                f"({' '.join(str(error).split())}); fetch the file again, or take it out of the "
                "source"
            ) from error
        return [found[::-1] if self.turned else found]


@dataclass(frozen=True)
class _Place:
    """Where the pixels of a cube are, rows southwards."""

    crs: str
    affine: Affine
    height: int
    width: int
    turned: bool


def cube_shots(path: Path, options: FileOptions) -> dict[Scene, Shot]:
    """Every moment of a cube.

    Raises:
        MissingExtraError: what reads NetCDF is not installed.
        RasterError: it is no NetCDF-4 file, or has no place or time.
        BandError: a band, or the mask, is not there.
        RadiometryError: what its counts mean would be a guess.
    """
    with _described(path) as cube:
        layers = {str(n): v for n, v in cube.data_vars.items() if v.ndim == 3 and _time(v)}
        if not layers:
            raise RasterError(
                f"{path}: no variable over time, y and x; give each date a GeoTIFF of its own"
            )
        names = list(layers)
        bands = {
            name: (names[index - 1], _band(path, name, layers[names[index - 1]], options))
            for name, index in find_bands(path, names, options.bands).items()
        }
        mask = _mask(path, names, layers, options.mask)
        used = [variable for variable, _ in (*bands.values(), *([mask] if mask else []))]
        first = layers[used[0] if used else names[0]]
        _refuse_apart(path, {name: layers[name] for name in used})
        place = _placed(path, cube, first)
        moments = [np.datetime64(t, "s") for t in cube[_time(first)].values]
    return {
        Scene(f"{path.name}#{when}", _day(when)): _shot(path, place, n, when, bands, mask)
        for n, when in enumerate(moments)
    }


def _described(path: Path) -> Any:
    try:
        import h5netcdf  # noqa: F401
        import xarray as xr
    except ImportError as error:
        raise MissingExtraError(
            f"{path}: reading NetCDF needs h5netcdf: pip install 'minetrace[netcdf]'"
        ) from error
    try:
        return xr.open_dataset(path, engine="h5netcdf", mask_and_scale=False, decode_coords=False)
    except (OSError, ValueError) as error:
        raise RasterError(
            f"{path}: cannot be read as NetCDF-4 ({' '.join(str(error).split())}); fetch it again, "
            "or convert an older one with 'nccopy -k nc4'"
        ) from error


def _time(variable: Any) -> Hashable | None:
    """The dimension that counts moments, if it is the first."""
    dim = variable.dims[0]
    coordinate = variable.coords.get(dim)
    is_time = coordinate is not None and coordinate.dtype.kind == "M"
    return dim if is_time else None


def _refuse_apart(path: Path, used: Mapping[str, Any]) -> None:
    """Raise unless bands and mask share one grid and one line of moments, rows before columns."""
    over = {name: tuple(map(str, variable.dims)) for name, variable in used.items()}
    first = next(iter(over), "")
    for name, dims in over.items():
        if dims != over[first]:
            raise RasterError(
                f"{path}: {name} is over {', '.join(dims)}, and {first} over "
                f"{', '.join(over[first])}; give what has another grid or other dates a file of "
                "its own"
            )
        if _runs_east(used[name], used[name].dims[1]):
            raise RasterError(
                f"{path}: {name} has its columns before its rows ({', '.join(dims)}); write it "
                "with xarray's 'transpose(time, y, x)' first"
            )


def _runs_east(variable: Any, dim: Hashable) -> bool:
    """Whether a dimension counts columns, by its name or its coordinate (CF conventions, 4)."""
    told = variable.coords[dim].attrs if dim in variable.coords else {}
    said = (dim, told.get("standard_name"), told.get("axis"))
    return not _EAST.isdisjoint(str(one).lower() for one in said)


def _placed(path: Path, cube: Any, variable: Any) -> _Place:
    down, along = (np.asarray(cube[dim].values, dtype=np.float64) for dim in variable.dims[1:])
    turned = len(down) > 1 and down[1] > down[0]
    down = down[::-1] if turned else down
    high, wide = _step(path, down), _step(path, along)
    affine = Affine(wide, 0, along[0] - wide / 2, 0, high, down[0] - high / 2)
    return _Place(_crs(path, cube, variable), affine, len(down), len(along), bool(turned))


def _step(path: Path, centres: NDArray[np.float64]) -> float:
    steps = np.diff(centres)
    if not len(steps) or steps[0] == 0 or np.ptp(steps) > EVEN * abs(steps[0]):
        raise RasterError(
            f"{path}: its coordinates are not evenly spaced, so its pixels are no squares of a "
            "map; warp it to a map projection first"
        )
    return float((centres[-1] - centres[0]) / len(steps))


def _crs(path: Path, cube: Any, variable: Any) -> str:
    name = variable.encoding.get("grid_mapping") or variable.attrs.get("grid_mapping")
    said = [cube[n].attrs for n in (name, "spatial_ref", "crs") if n and n in cube.variables]
    texts = [a[k] for a in said for k in ("crs_wkt", "spatial_ref", "epsg_code") if k in a]
    for text in texts:
        try:
            crs = CRS.from_user_input(str(text))
        except CRSError:
            continue
        authority = crs.to_authority(min_confidence=100)
        return ":".join(authority) if authority else str(crs.to_wkt())
    raise RasterError(
        f"{path}: has no grid-mapping variable with a CRS, so nobody knows where it is; write one "
        "with rioxarray's 'write_crs'"
    )


def _band(path: Path, name: str, variable: Any, options: FileOptions) -> Band:
    spec, told = options.bands.get(name, BandSpec()), variable.attrs
    scale, offset = (None, None) if is_thermal(name) else (options.scale, options.offset)
    said = (
        scale if spec.scale is None else spec.scale,
        offset if spec.offset is None else spec.offset,
    )
    tagged = float(told.get("scale_factor", 1.0)), float(told.get("add_offset", 0.0))
    rule = radiometry(path, name, str(variable.dtype), said=said, tagged=tagged)
    nodata = _fill(variable) if options.nodata is None else options.nodata
    return Band(RasterFile.at(path), 1, str(variable.dtype), nodata, rule)


def _fill(variable: Any) -> float | None:
    value = variable.attrs.get("_FillValue", variable.encoding.get("_FillValue"))
    return None if value is None else float(value)


def _mask(
    path: Path, names: list[str], layers: dict[str, Any], options: MaskOptions | None
) -> tuple[str, MaskBand] | None:
    if options is None:
        found = mask_band(path, names)
        if found is None:
            return None
        kind, index = found
        options = MaskOptions("scl" if kind == "scl" else "qa_pixel", dilate_m=GROW_M[kind])
    elif options.kind in ("none", "alpha"):
        return None
    else:
        asked = options.band if options.band is not None else options.kind
        index = asked if isinstance(asked, int) else find_band(path, names, asked) or 0
    if not 1 <= index <= len(names):
        raise BandError(
            f"{path.name}: no mask variable {options.band or options.kind!r} among "
            f"{', '.join(names)}; name it in sources.mask.band"
        )
    nodata = _fill(layers[names[index - 1]]) if options.kind != "band" else None
    return names[index - 1], MaskBand(RasterFile.at(path), (1,), nodata, options)


def _shot(
    path: Path, place: _Place, number: int, when: np.datetime64,
    bands: dict[str, tuple[str, Band]], mask: tuple[str, MaskBand] | None,
) -> Shot:  # fmt: skip
    def layer(variable: str) -> CubeLayer:
        return CubeLayer(
            str(path), path, f"{path}, {variable} of {when}",
            variable=variable, moment=number, turned=place.turned,
        )  # fmt: skip

    stat = path.stat()
    masking = MaskBand(layer(mask[0]), (1,), mask[1].nodata, mask[1].options) if mask else None
    image = Image(
        path=path, day=_day(when), crs=place.crs, affine=place.affine, height=place.height,
        width=place.width, mask=masking, alpha=None, has_mask=False,
        bands={name: Band(layer(variable), 1, band.dtype, band.nodata, band.radiometry)
               for name, (variable, band) in bands.items()},
        resolution_m=ground_resolution_m(
            path, place.crs, place.affine, place.height, place.width
        ),
        parts=((path.name, stat.st_size, stat.st_mtime_ns),),
    )  # fmt: skip
    return Shot(f"{path.name}#{when}", _day(when), (image,))


def _day(when: np.datetime64) -> date:
    return date.fromisoformat(str(when)[:10])


def _changed_ns(address: str) -> int:
    return Path(address).stat().st_mtime_ns


@closed_at_exit
@lru_cache(maxsize=8)
def _opened(address: str, _changed: int, _thread: int) -> Any:
    import h5netcdf

    return h5netcdf.File(address, "r")
