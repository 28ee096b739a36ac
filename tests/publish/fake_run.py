"""A small made-up run for the tests of the map: sites along a river, one year not looked at."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile
from shapely.affinity import scale
from shapely.geometry import Point, Polygon, box

from minetrace.core.period import Period
from minetrace.publish.map import Picture, true_colour, write_map

YEARS = tuple(range(2019, 2025))
BLIND = 2022
WEST, SOUTH, EAST, NORTH = -70.10, -12.90, -69.90, -12.72
NASTY = "<img src=x onerror=alert(1)>"


def blob(rng: np.random.Generator, x: float, y: float, radius: float) -> Polygon:
    """A ragged round outline."""
    angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    waves = sum(
        rng.uniform(0, 0.28 / k) * np.sin(k * angle + rng.uniform(0, 6)) for k in range(2, 6)
    )
    reach = radius * (1 + waves)
    return Polygon(np.c_[x + reach * np.cos(angle), y + reach * np.sin(angle)])


def hectares(shape: Polygon) -> float:
    return float(shape.area * 111_320**2 * math.cos(math.radians(12.8)) / 1e4)


def fake_panel(count: int, *, seed: int = 3) -> gpd.GeoDataFrame:
    """Sites along a river that begin in some year and grow; one year was not looked at."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for s in range(count):
        t = rng.uniform(0.05, 0.95)
        x = WEST + t * (EAST - WEST)
        y = river(np.array([t]))[0] * (NORTH - SOUTH) + SOUTH + rng.normal(0, 0.006)
        first = int(rng.choice([2019, 2019, 2020, 2021, 2023, 2024]))
        ends = int(rng.choice([2024, 2024, 2024, 2023]))
        shape = blob(rng, x, y, rng.lognormal(-6.75, 0.45))
        for year in YEARS:
            looked = year != BLIND
            alive = looked and first <= year <= max(first, ends)
            size = 0.7 + 0.13 * (year - first)
            outline = scale(shape, size, size) if alive else None
            event = "appears" if year == first else "grows" if alive else "absent"
            rows.append(
                {
                    "site_id": f"{first}-{s:03d}",
                    "period": str(year),
                    "start": pd.Timestamp(year, 1, 1),
                    "end": pd.Timestamp(year + 1, 1, 1),
                    "geometry": outline,
                    "extent": "mined",
                    "area_ha": (hectares(outline) if outline else 0.0) if looked else np.nan,
                    "score_mean": rng.uniform(0.6, 0.9) if alive else np.nan,
                    "score_max": rng.uniform(0.9, 1.0) if alive else np.nan,
                    "looked_share": rng.uniform(0.9, 1.0) if looked else 0.0,
                    "event": event if looked else "not_looked",
                    "parents": [],
                    "first_period": str(first),
                    "first_p": np.nan,
                    "last_period": str(max(first, ends)),
                    "last_p": np.nan,
                    "verified": None,
                }
            )
    return gpd.GeoDataFrame(rows, geometry="geometry", crs="EPSG:4326")


def river(t: np.ndarray) -> np.ndarray:
    return 0.5 + 0.22 * np.sin(5.2 * t) + 0.06 * np.sin(17 * t + 1)


def fake_picture(panel: gpd.GeoDataFrame, year: int, side: int) -> Picture:
    """Forest, a river, bare ground where there are mines, and clouds that let nothing through."""
    rng = np.random.default_rng(5)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    frequency[0, 0] = 1

    def noise(power: float) -> np.ndarray:
        wave = np.fft.rfft2(rng.normal(size=(side, side))) / frequency**power
        wave[0, 0] = 0
        field = np.fft.irfft2(wave, s=(side, side))
        return field / field.std()

    crown, relief, drift = noise(0.4), noise(1.4), noise(1.7)
    cloud = np.roll(drift, (year - 2019) * side // 6, axis=1)
    t = (np.arange(side) + 0.5) / side
    y = 1 - t[:, None]
    from_river = np.abs(y - river(t)[None])
    forest = 1 + 0.10 * crown + 0.08 * relief
    water = from_river < 0.011 + 0.003 * relief
    bands = []
    lon, lat = WEST + t * (EAST - WEST), NORTH - t * (NORTH - SOUTH)
    here = panel[(panel.period == str(year)) & panel.geometry.notna()]
    xx, yy = np.meshgrid(lon, lat)
    bare = np.asarray(shapely.contains_xy(here.geometry.union_all(), xx, yy))
    for green, brown, soil in ((270, 1250, 2500), (480, 1050, 2050), (250, 700, 1500)):
        band = np.where(water, brown, green * forest)
        band = np.where(bare, soil * (1 + 0.16 * crown), band)
        bands.append(np.round(band).astype(np.int16))
    valid = cloud < 1.7
    share = float(valid.mean())
    data = true_colour(bands[0], bands[1], bands[2], valid, max_px=side)
    lean = 0.0006  # a UTM tile is not quite upright in longitude and latitude
    corners = ((WEST, NORTH), (EAST, NORTH + lean), (EAST + lean, SOUTH), (WEST + lean, SOUTH))
    return Picture(str(year), data, "image/webp", corners, share)


def write_fake(
    folder: Path, panel: gpd.GeoDataFrame, *, side: int, title: str, **more: Any
) -> Path:
    periods = [Period.year(year) for year in YEARS]
    pictures = {str(y): [fake_picture(panel, y, side)] for y in YEARS if y != BLIND}
    summary = []
    for year in YEARS:
        rows = panel[panel.period == str(year)]
        looked = year != BLIND
        summary.append(
            {
                "period": str(year),
                "sites": int(rows.geometry.notna().sum()),
                "area_ha": rows.area_ha.sum() if looked else np.nan,
                "looked_share": pictures[str(year)][0].looked_share if looked else 0.0,
            }
        )
    inset = 0.012
    region = box(WEST + inset, SOUTH + inset, EAST - inset, NORTH - inset)
    region = region.difference(Point(WEST, SOUTH).buffer(0.06))
    provenance = {
        "model": "spectral 1 (bare soil, vegetation, turbid water)",
        "source": "Sentinel-2 L2A, median of 6 dates a year",
        "version": "minetrace 0.1.0",
        "attribution": "Contains modified Copernicus Sentinel data 2019–2024",
    }
    return write_map(
        folder,
        title=title,
        panel=panel,
        periods=periods,
        pictures=pictures,
        region=region,
        provenance=provenance,
        summary=summary,
        **more,
    )


def decoded(data: bytes) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with MemoryFile(data) as memory, memory.open() as image:
            return np.asarray(image.read())
