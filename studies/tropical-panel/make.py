"""Make what the tropical panel starts from: basemap quads of some years, and an inventory of mines.

    python make.py [--size 768] [--years 2018-2021]

Of the made-up country of the tests. The quads lie as Planet hands them out: EPSG:3857 at zoom 15,
surface reflectance x 10,000 in blue, green, red, near infrared, then alpha; one file a quad, one
folder a year. The inventory has the columns of the published one and shows the mines of 2019.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
from rasterio.transform import Affine, array_bounds, from_origin
from rasterio.warp import Resampling, calculate_default_transform, reproject
from rasterio.windows import Window

from minetrace.testing.world import World, make_world

BANDS = ("blue", "green", "red", "nir")
CLEAR = (4, 5, 6)  # vegetation, bare ground, water
HALF_WORLD_M = 20_037_508.342789244
RESOLUTION_M = HALF_WORLD_M / (128 * 2**15)  # zoom 15: 4.78 m, as of the basemaps
QUAD_PX = 512  # Planet's have 4096
TRAINED = 2019
PARTS = ("train", "test", "train", "val")  # of the mines, in turn


def main(size_px: int, years: range) -> None:
    out = Path("data")
    with tempfile.TemporaryDirectory() as scratch:
        world = make_world(Path(scratch), size_px=size_px, years=years, dates_per_year=4,
                           bands=BANDS, blind_year=None)  # fmt: skip
        for year in years:
            folder = out / "tiff_tiles" / str(year)
            folder.mkdir(parents=True, exist_ok=True)
            print(f"{folder}: {write_quads(world, year, folder)} quads")
        inventory = world.mines(TRAINED).to_crs("EPSG:4326")[["geometry"]]
        inventory.insert(0, "id", range(len(inventory)))
        inventory.insert(0, "COUNTRY_NAME", "Peru")
        inventory.insert(0, "ISO3_CODE", "PER")
        inventory.to_file(out / "mining_polygons.gpkg", driver="GPKG")
        parts = "\n".join(f"{n},{PARTS[n % len(PARTS)]}" for n in inventory["id"])
        (out / "parts.csv").write_text(f"id,split\n{parts}\n", encoding="utf-8")
        (out / "region.geojson").write_text(world.region.read_text(encoding="utf-8"))
        truth = world.mines().to_crs("EPSG:4326")[["year", "geometry"]]
        region = gpd.read_file(world.region)
        gpd.clip(truth, region).to_file(out / "truth.gpkg", driver="GPKG")
    print(f"{out}/mining_polygons.gpkg: {len(inventory)} mines of {TRAINED}")


def write_quads(world: World, year: int, folder: Path) -> int:
    """Write the median of a year's clear looks as quads."""
    median, transform, crs = yearly(sorted(world.scenes.glob(f"world_{year}*.tif")))
    mercator, height, width, left, top = quad_grid(median.shape[1:], transform, crs)
    planes = np.zeros((len(BANDS), height, width), np.uint16)
    reproject(median, planes, src_transform=transform, src_crs=crs, src_nodata=0,
              dst_transform=mercator, dst_crs="EPSG:3857", dst_nodata=0,
              resampling=Resampling.bilinear)  # fmt: skip
    alpha = np.where((planes > 0).all(axis=0), 255, 0).astype(np.uint16)
    counts, written = np.concatenate([planes, alpha[None]]), 0
    for row in range(0, height, QUAD_PX):
        for col in range(0, width, QUAD_PX):
            quad = counts[:, row : row + QUAD_PX, col : col + QUAD_PX]
            if not quad[-1].any():
                continue
            name = f"{left + col // QUAD_PX}-{top - row // QUAD_PX}.tiff"
            place = rasterio.windows.transform(Window(col, row, QUAD_PX, QUAD_PX), mercator)
            with rasterio.open(
                folder / name, "w", driver="GTiff", width=QUAD_PX, height=QUAD_PX, count=5,
                dtype="uint16", crs="EPSG:3857", transform=place, tiled=True, compress="deflate",
            ) as target:  # fmt: skip
                target.colorinterp = [
                    *[rasterio.enums.ColorInterp.gray] * 4,
                    rasterio.enums.ColorInterp.alpha,
                ]
                target.write(quad)
            written += 1
    return written


def yearly(scenes: list[Path]) -> tuple[np.ndarray, Affine, str]:
    """Median of the clear looks, reflectance x 10,000 as uint16; 0 where there was none."""
    looks = []
    for path in scenes:
        with rasterio.open(path) as scene:
            counts, transform, crs = scene.read(), scene.transform, str(scene.crs)
            scale, offset = scene.scales[0], scene.offsets[0]
        value = (counts[:-1] * scale + offset) * 1e4
        looks.append(np.where(np.isin(counts[-1], CLEAR), np.maximum(value, 1), np.nan))
    seen = np.isfinite(looks).any(axis=(0, 1))
    median = np.zeros(looks[0].shape, np.uint16)
    median[:, seen] = np.nanmedian(np.stack(looks)[:, :, seen], axis=0).round()
    return median, transform, crs


def quad_grid(
    shape: tuple[int, ...], transform: Affine, crs: str
) -> tuple[Affine, int, int, int, int]:
    """Whole quads over an image: transform, rows, columns, and the numbers of the upper left."""
    side = QUAD_PX * RESOLUTION_M
    bounds = array_bounds(shape[0], shape[1], transform)
    over, width, height = calculate_default_transform(crs, "EPSG:3857", shape[1], shape[0], *bounds)
    west, south, east, north = array_bounds(height, width, over)
    left, right = (int(np.floor((x + HALF_WORLD_M) / side)) for x in (west, east))
    low, top = (int(np.floor((y + HALF_WORLD_M) / side)) for y in (south, north))
    corner = left * side - HALF_WORLD_M, (top + 1) * side - HALF_WORLD_M
    place = from_origin(*corner, RESOLUTION_M, RESOLUTION_M)
    return place, (top - low + 1) * QUAD_PX, (right - left + 1) * QUAD_PX, left, top


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=768)
    parser.add_argument("--years", default="2018-2021")
    asked = parser.parse_args()
    first, last = map(int, asked.years.split("-"))
    main(asked.size, range(first, last + 1))
