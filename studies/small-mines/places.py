"""Divide patches by their place, so that no place is both learnt from and tested, in any year.

    python places.py SmallMinesDS

Squares of several patches stay together, and each part gets its share of those with mines. Written
are ``places.csv`` (both years),
``transfer.csv`` (learn from 2016, test in 2022 where nothing was learnt), ``few.csv`` (the same
test, and a few patches of 2022 to learn from), and ``region.geojson``, the ground of all patches.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import geopandas as gpd
import rasterio
import shapely

SQUARE_M = 1280.0  # 10 km on the published set
PARTS = ("train", "test", "train", "val", "train")
FEW = 40


def square(path: Path) -> tuple[int, int]:
    """In which square of ground a patch lies; the same in every year."""
    with rasterio.open(path) as image:
        return int(image.bounds.left // SQUARE_M), int(image.bounds.top // SQUARE_M)


def mined_px(path: Path) -> int:
    """How much of a patch is mined."""
    with rasterio.open(path.parents[1] / "MASK" / path.name.replace("IMG", "MASK")) as mask:
        return int((mask.read(1) == 1).sum())


def divided(images: list[Path]) -> dict[Path, str]:
    """The part of each patch: squares are dealt in turn, those with the most mined ground first."""
    squares = {path: square(path) for path in images}
    mined = Counter[tuple[int, int]]()
    for path, place in squares.items():
        mined[place] += mined_px(path)
    dealt = sorted(mined, key=lambda place: (-mined[place], place))
    part = {place: PARTS[turn % len(PARTS)] for turn, place in enumerate(dealt)}
    return {path: part[place] for path, place in squares.items()}


def ground(images: list[Path]) -> gpd.GeoSeries:
    """Where there are patches, EPSG:4326; one shape for each projection that they are in."""
    frames: dict[str, list[shapely.Polygon]] = {}
    for path in images:
        with rasterio.open(path) as image:
            frames.setdefault(str(image.crs), []).append(shapely.box(*image.bounds))
    return gpd.GeoSeries(
        [gpd.GeoSeries([shapely.union_all(own)], crs=crs).to_crs("EPSG:4326").iloc[0]
         for crs, own in frames.items()], crs="EPSG:4326",
    )  # fmt: skip


def write(path: str, rows: list[tuple[str, str]]) -> None:
    lines = ["name,split", *(f"{name},{split}" for name, split in rows)]
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
    counts = {name: sum(split == name for _, split in rows) for name in ("train", "val", "test")}
    print(f"{path}: {counts}")


def main(root: Path) -> None:
    images = sorted(root.glob("*/IMAGE/*.tif"))
    told = divided(images)
    first, last = min(p.parts[-3] for p in images), max(p.parts[-3] for p in images)
    write("places.csv", [(path.stem, split) for path, split in told.items()])
    tested = [(p.stem, s) for p, s in told.items() if s == "test" and p.parts[-3] == last]
    learnt = [(p.stem, s) for p, s in told.items() if s != "test" and p.parts[-3] == first]
    write("transfer.csv", learnt + tested)
    recent = [(p.stem, s) for p, s in told.items() if s != "test" and p.parts[-3] == last]
    few = [row for name in ("train", "val") for row in
           [one for one in recent if one[1] == name][:: max(1, len(recent) // (2 * FEW))][:FEW]]  # fmt: skip
    write("few.csv", few + tested)
    ground(images).to_file("region.geojson", driver="GeoJSON")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
