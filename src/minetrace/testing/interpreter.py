"""Somebody who knows the truth of the made-up country, and fills a sample's answers with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import rasterio
from numpy.typing import NDArray
from pyproj import Transformer

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


def answer(sample: Path, world: World, *, unsure: float = 0.0, seed: int = 0) -> Path:
    """Fill ``sample.csv`` of a sample with the truth.

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
        mined = mined_at(world, lon, lat, column.removeprefix("answer_"))
        table[column] = np.where(hidden, "unsure", np.where(mined, "mine", "not"))
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
