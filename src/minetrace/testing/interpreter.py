"""Somebody who knows the truth of the made-up country, and fills a sample's answers with it."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.features import rasterize

from minetrace.testing.world import World

ABANDONED = 10  # of the truth raster: mined before, and no more


def mined_at(
    world: World, lon: NDArray[np.float64], lat: NDArray[np.float64], year: str
) -> NDArray[np.bool_]:
    """Whether places, in degrees, are mined in a year; False outside the country."""
    with rasterio.open(world.truth_raster) as truth:
        band = truth.descriptions.index(year) + 1
        to = Transformer.from_crs("EPSG:4326", truth.crs, always_xy=True)
        kinds = truth.read(band)
        cols, rows = ~truth.transform * to.transform(lon, lat)
    here = kinds[
        np.clip(np.floor(rows).astype(int), 0, kinds.shape[0] - 1),
        np.clip(np.floor(cols).astype(int), 0, kinds.shape[1] - 1),
    ]
    return np.asarray((here > 0) & (here < ABANDONED))


def shares_at(world: World, blocks: gpd.GeoSeries, year: str) -> NDArray[np.float64]:
    """How much of each block, polygons in degrees, is mined in a year."""
    with rasterio.open(world.truth_raster) as truth:
        kinds = truth.read(truth.descriptions.index(year) + 1)
        flat, grid = blocks.to_crs(truth.crs), truth.transform
    mined = (kinds > 0) & (kinds < ABANDONED)
    number = rasterize(
        zip(flat, range(1, len(flat) + 1), strict=True), out_shape=kinds.shape, transform=grid,
        dtype=np.int32,
    )  # fmt: skip
    pixels = np.bincount(number.ravel(), minlength=len(flat) + 1)[1:]
    found = np.bincount(number.ravel(), weights=mined.ravel(), minlength=len(flat) + 1)[1:]
    return np.asarray(found / np.maximum(pixels, 1))


def answer(sample: Path, world: World, *, unsure: float = 0.0, seed: int = 0) -> Path:
    """Fill ``sample.csv`` of a sample of points or blocks with the truth.

    Args:
        sample: the folder.
        world: the country that was mapped.
        unsure: share of the points that cannot be told, at random.
        seed: of those.

    Returns:
        The file.
    """
    path = sample / "sample.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    lon, lat = (np.array(table[name], dtype=np.float64) for name in ("lon", "lat"))
    hidden = np.random.default_rng(seed).random(len(table)) < unsure
    for column in [name for name in table.columns if name.startswith("answer_")]:
        year = column.removeprefix("answer_")
        if "size_ha" in table.columns:
            units = gpd.read_file(sample / "sample.gpkg").set_index("id").geometry
            words = [f"{100 * s:g}%" for s in shares_at(world, units[table["id"]], year)]
        else:
            words = np.where(mined_at(world, lon, lat, year), "mine", "not").tolist()
        table[column] = np.where(hidden, "unsure", words)
    table.to_csv(path, index=False)
    return path


def answer_online(sample: Path, world: World, out: Path, *, who: str, wrong: int = 0) -> Path:
    """The truth as Collect Earth Online would hand it out, of a sample of one period.

    Args:
        sample: the folder.
        world: the country that was mapped.
        out: the file to write.
        who: answered.
        wrong: how many of the first points are answered wrongly.
    """
    table = pd.read_csv(sample / "sample.csv", dtype=str, keep_default_na=False)
    lon, lat = (np.array(table[name], dtype=np.float64) for name in ("lon", "lat"))
    year = next(n for n in table.columns if n.startswith("answer_")).removeprefix("answer_")
    mined = mined_at(world, lon, lat, year) ^ (np.arange(len(table)) < wrong)
    pd.DataFrame({
        "plotid": table["id"], "sampleid": table["id"], "lon": lon, "lat": lat, "email": who,
        "flagged": "FALSE", "collection_time": "2024-05-01 10:00", "analysis_duration": "4.2 secs",
        f"Mine in {year}?": np.where(mined, "mine", "not"),
    }).to_csv(out, index=False)  # fmt: skip
    return out
