"""Make a set of chips of the tiles, with the labels of overlapping tiles united, and five folds.

    MINETRACE_DATA=.../data python studies/tailings-unet/prepare.py

Each tile's mask outlines one facility, though its neighbours' facilities may lie in it too; where
tiles overlap, each takes over what the others outline. Tiles that overlap share a group, and a
fold holds out whole groups. Everything is written to runs/tailings-unet.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import rasterio
from rasterio.warp import Resampling, reproject

DATA = Path(os.environ["MINETRACE_DATA"]) / "tailings"
OUT = Path("runs/tailings-unet")
FOLDS = 5
VALIDATION = 6  # one group in so many of the training part is looked at and not trained on


def tiles() -> dict[str, str]:
    """Group by tile, without the tile whose image and mask differ in shape."""
    with (DATA / "tiles.csv").open(newline="") as file:
        rows = [(row["tile"], row["group"]) for row in csv.DictReader(file)]
    return {tile: group for tile, group in rows if whole(tile)}


def whole(tile: str) -> bool:
    shapes = [rasterio.open(DATA / f"{tile}_{kind}.tif").shape for kind in ("image", "mask")]
    return shapes[0] == shapes[1]


def united(tile: str, neighbours: list[str]) -> np.ndarray:
    """The mask of a tile and what its neighbours outline in it."""
    with rasterio.open(DATA / f"{tile}_mask.tif") as own:
        mask, place, crs = own.read(1), own.transform, own.crs
    for other in neighbours:
        with rasterio.open(DATA / f"{other}_mask.tif") as file:
            there = np.zeros_like(mask)
            reproject(file.read(1), there, src_transform=file.transform, src_crs=file.crs,
                      dst_transform=place, dst_crs=crs, resampling=Resampling.nearest)  # fmt: skip
            mask = np.maximum(mask, there)
    return mask


def write_chip(tile: str, mask: np.ndarray) -> None:
    folder = OUT / "chips"
    folder.mkdir(parents=True, exist_ok=True)
    with rasterio.open(DATA / f"{tile}_image.tif") as file:
        pixels, profile = file.read(), file.profile
    with rasterio.open(folder / f"{tile}_image.tif", "w", **{**profile, "nodata": 0}) as file:
        file.write(pixels)
        file.descriptions = ("B02", "B03", "B04")
        file.scales = (1e-4,) * 3
    with rasterio.open(folder / f"{tile}_mask.tif", "w",
                       **{**profile, "count": 1, "dtype": "uint8", "nodata": None}) as file:  # fmt: skip
        file.write(mask, 1)


def folds(group_of: dict[str, str]) -> dict[str, int]:
    """Fold by group: the largest groups first, each to the fold with the fewest tiles."""
    size = {g: list(group_of.values()).count(g) for g in dict.fromkeys(group_of.values())}
    held = [0] * FOLDS
    found = {}
    for group in sorted(size, key=lambda g: (-size[g], int(g))):
        found[group] = int(np.argmin(held))
        held[found[group]] += size[group]
    return found


def main() -> None:
    group_of = tiles()
    gained = 0
    for tile, group in group_of.items():
        beside = [t for t, g in group_of.items() if g == group and t != tile]
        mask = united(tile, beside)
        with rasterio.open(DATA / f"{tile}_mask.tif") as file:
            gained += int(mask.sum()) - int(file.read(1).sum())
        write_chip(tile, mask)
    fold = folds(group_of)
    for k in range(FOLDS):
        rest = [g for g in fold if fold[g] != k]
        looked_at = set(rest[k::VALIDATION])
        with (OUT / f"fold{k}.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["name", "split"])
            for tile, group in group_of.items():
                split = "test" if fold[group] == k else "val" if group in looked_at else "train"
                table.writerow([f"{tile}_image", split])
    print(f"{len(group_of)} tiles in {len(fold)} groups; {gained} pixels of neighbours' facilities")


if __name__ == "__main__":
    main()
