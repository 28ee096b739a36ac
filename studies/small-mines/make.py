"""Make a set as SmallMinesDS is laid out: thirteen bands, two years, and two lists of its splits.

    python make.py [--size 896]

Of the made-up country of the tests, whose second year stands for 2022. Six optical bands are those
of the country; red edge, narrow infrared, radar and elevation are made of them and of its ground.
Patches have 64 pixels, where the published ones have 128. The lists divide each year by itself, at
random, as the published ones do, so that one place may be in both parts. ``Elsewhere`` is a smaller
set of another country in 2022, without lists.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import Affine

from minetrace.testing.noise import spectral
from minetrace.testing.world import World, make_world

SIDE = 64
NODATA = -9999.0
CLEAR = (4, 5, 6)  # vegetation, bare ground, water
YEARS = {2016: 2016, 2017: 2022}
TRAIN_SHARE = 0.7
HOME = Path("SmallMinesDS")
ELSEWHERE = Path("Elsewhere")


def main(size_px: int) -> None:
    for year, rows in write_set(HOME, size_px, YEARS, seed=7).items():
        write_list(Path(f"train_test_splits_{year}.csv"), rows, np.random.default_rng(year))
    write_set(ELSEWHERE, max(size_px // 2, 256), {2016: 2022}, seed=8)


def write_set(
    root: Path, size_px: int, years: dict[int, int], *, seed: int
) -> dict[int, list[tuple[str, float]]]:
    """Write the patches of a country, by the years they are named by; see `write_patches`."""
    rng = np.random.default_rng(seed)
    elevation = 180 + 25 * spectral(rng, size_px, beta=3.0, longest_px=size_px)
    written = {}
    with tempfile.TemporaryDirectory() as scratch:
        world = make_world(Path(scratch), seed=seed, size_px=size_px, years=tuple(years),
                           dates_per_year=4, blind_year=None)  # fmt: skip
        with rasterio.open(world.truth_raster) as truth:
            parts, place, crs = truth.read(), truth.transform, str(truth.crs)
        for number, (year, named) in enumerate(years.items()):
            image = thirteen(optical(world, year), elevation, rng)
            mined = ((parts[number] > 0) & (parts[number] < 10)).astype(np.uint8)
            rows = write_patches(root / str(named), image, mined, place, crs)
            print(f"{root}/{named}: {len(rows)} patches, {sum(s > 0 for _, s in rows)} with mines")
            written[named] = rows
    return written


def optical(world: World, year: int) -> np.ndarray:
    """(6, h, w) median of the clear looks, reflectance x 10,000; NaN where there was none."""
    looks = []
    for path in sorted(world.scenes.glob(f"world_{year}*.tif")):
        with rasterio.open(path) as scene:
            counts, scale, offset = scene.read(), scene.scales[0], scene.offsets[0]
        value = (counts[:-1] * scale + offset) * 1e4
        looks.append(np.where(np.isin(counts[-1], CLEAR), value, np.nan).astype(np.float32))
    stack = np.stack(looks)
    median = np.full(stack.shape[1:], np.nan, np.float32)
    seen = np.isfinite(stack[:, 0]).any(axis=0)
    median[:, seen] = np.nanmedian(stack[:, :, seen], axis=0)
    return median


def thirteen(six: np.ndarray, elevation: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(13, h, w) bands in the order of the published set."""
    blue, green, red, nir, swir16, swir22 = six
    edges = [red + share * (nir - red) for share in (0.25, 0.7, 0.88)]
    green_share = (nir - red) / np.maximum(nir + red, 1)
    speckle = rng.normal(0, 0.8, (2, *nir.shape))
    vv = -13 + 5 * green_share + speckle[0]
    vh = -21 + 7 * green_share + speckle[1]
    bands = [blue, green, red, *edges, nir, 1.03 * nir, swir16, swir22, vv, vh, elevation]
    image = np.stack(bands).astype(np.float32)
    return np.where(np.isfinite(nir), image, NODATA).astype(np.float32)


def write_patches(
    root: Path, image: np.ndarray, mined: np.ndarray, place: Affine, crs: str
) -> list[tuple[str, float]]:
    """Write images and masks; return the masks' names and their shares of mines, in percent."""
    about = {"driver": "GTiff", "width": SIDE, "height": SIDE, "crs": crs, "compress": "deflate"}
    for folder in ("IMAGE", "MASK"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    rows: list[tuple[str, float]] = []
    across = mined.shape[1] // SIDE
    for number in range(mined.shape[0] // SIDE * across):
        row, col = (SIDE * n for n in divmod(number, across))
        cut = np.s_[row : row + SIDE, col : col + SIDE]
        here = place * Affine.translation(col, row)
        name = f"{number:04d}_{root.name}.tif"
        with rasterio.open(root / f"IMAGE/IMG_GH_{name}", "w", count=13, dtype="float32",
                           transform=here, **about) as target:  # fmt: skip
            target.write(image[:, *cut])
        with rasterio.open(root / f"MASK/MASK_GH_{name}", "w", count=1, dtype="uint8",
                           transform=here, **about) as target:  # fmt: skip
            target.write(mined[cut][None])
        rows.append((f"MASK_{name}", float(100 * mined[cut].mean())))
    return rows


def write_list(path: Path, rows: list[tuple[str, float]], rng: np.random.Generator) -> None:
    """A list with the columns of the published ones, divided at random."""
    lines = ["patch_name,class_percentage,bin,split"]
    for name, share in rows:
        low = min(int(share // 10) * 10, 90)
        split = "train" if rng.random() < TRAIN_SHARE else "test"
        lines.append(f"{name},{share:.2f},{low}-{low + 10}%,{split}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=896)
    main(parser.parse_args().size)
