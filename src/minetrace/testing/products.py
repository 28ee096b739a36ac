"""Ground and packing for made-up products of agencies, as ``safe`` and ``landsat`` write them."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

UTM = "EPSG:32719"
LOSSLESS: Mapping[str, str] = {"QUALITY": "100", "REVERSIBLE": "YES", "YCBCR420": "NO"}


def reflectance(band: str, height: int, width: int, pixel_m: float, seed: int) -> NDArray[Any]:
    """Reflectance x 1e4 of one band over smooth, noisy ground, (height, width) int64.

    A corner of dark water is negative, as surface reflectance often is.
    """
    number = sum(map(ord, band))
    rng = np.random.default_rng([seed, number, round(pixel_m)])
    y, x = np.mgrid[0:height, 0:width] * pixel_m
    wave = 1200 + 500 * np.sin(x / 190 + number) + 400 * np.cos(y / 140)
    ground = np.rint(wave + rng.normal(0, 40, wave.shape)).astype(np.int64)
    water = (x < 400) & (y < 300)
    ground[water] = rng.integers(-300, 200, int(water.sum()))
    return np.asarray(ground)


def write_raster(
    path: Path, layers: NDArray[Any], corner: tuple[float, float], pixel_m: float, crs: str = UTM
) -> None:
    """(bands, height, width) as JPEG 2000 without loss, or as GeoTIFF, by the name's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    place = Affine(pixel_m, 0, corner[0], 0, -pixel_m, corner[1])
    jp2 = path.suffix == ".jp2"
    options = {"driver": "JP2OpenJPEG", **LOSSLESS} if jp2 else {"driver": "GTiff"}
    with rasterio.open(
        path, "w", crs=crs, transform=place, dtype=layers.dtype, count=len(layers),
        height=layers.shape[1], width=layers.shape[2], **options,
    ) as target:  # fmt: skip
        target.write(layers)


def pack(folder: Path, kind: str, *, inside: bool = True) -> Path:
    """Pack a product's folder beside itself as ``zip``, ``tar`` or ``tar.gz``.

    Args:
        folder: stays as it is.
        kind: the archive's ending.
        inside: True to keep the folder's name within, as ``.SAFE`` has it; False for files at the
            top, as Landsat has them.
    """
    path = folder.with_name(f"{folder.name.removesuffix('.SAFE')}.{kind}")
    start = folder.parent if inside else folder
    files = sorted(one for one in folder.rglob("*") if one.is_file())
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for file in files:
                packed.write(file, file.relative_to(start).as_posix())
    else:
        with tarfile.open(path, "w:gz" if kind.endswith("gz") else "w") as tarball:
            for file in files:
                tarball.add(file, file.relative_to(start).as_posix())
    return path
