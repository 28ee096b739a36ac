"""Small catalogs on a loopback server."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from shapely.geometry import box

from minetrace.core.grid import Grid
from minetrace.sources.stac import StacSource
from minetrace.sources.stac_options import Quest, StacOptions
from minetrace.store.http import HttpOptions
from minetrace.testing.stac_catalog import Shot
from minetrace.testing.stac_server import StacServer

CORNER = (350_000.0, 8_590_000.0)
UTM = "EPSG:32719"
GRID = Grid(UTM, 10.0)
QUICK = HttpOptions(attempts=4, backoff_s=0.01, longest_wait_s=0.05, read_s=1.0, connect_s=1.0)
REGION = box(-70.40, -12.80, -70.35, -12.75)
YEARS = ((date(2019, 1, 1), date(2025, 1, 1)),)


def ground(side: int = 160, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side]
    wave = 1500 + 500 * np.sin(x / 9) + 400 * np.cos(y / 7) + rng.normal(0, 60, (side, side))
    return np.clip(wave, 1, 9000).astype(np.uint16)


def scl(side: int = 80) -> np.ndarray:
    """Bare ground, a cloud and its shadow, at 20 metres."""
    classes = np.full((side, side), 5, dtype=np.uint8)
    classes[10:20, 10:25] = 9
    classes[30:38, 12:27] = 3
    return classes


def shot(
    name: str, day: date, *, seed: int = 0, east_px: int = 0, raised: bool = False,
    classes: np.ndarray | None = None, time: str = "14:57:31Z",
    properties: Mapping[str, Any] | None = None,
) -> Shot:  # fmt: skip
    """Blue, green, red, nir of 160 px of 10 m; swir16 and scl of 80 px of 20 m."""
    west = CORNER[0] + 10 * east_px
    fine, coarse = (Affine(m, 0, west, 0, -m, CORNER[1]) for m in (10.0, 20.0))
    raise_by = np.uint16(1000 if raised else 0)
    bands = {name: ground(seed=seed + i) + raise_by
             for i, name in enumerate(("blue", "green", "red", "nir"))}  # fmt: skip
    bands["swir16"] = ground(80, seed=seed + 9) + raise_by
    bands["scl"] = scl() if classes is None else classes
    places = {band: coarse if band in ("swir16", "scl") else fine for band in bands}
    return Shot(name, day, bands, places, UTM, properties or {}, raised, time)


def source(server: StacServer, folder: Path, **said: Any) -> StacSource:
    """A source over all that a server has."""
    options = {"collection": "sentinel-2-c1-l2a", "http": QUICK, **said}
    refresh = options.pop("refresh", False)
    quest = Quest(
        options.pop("region", REGION), options.pop("ground", box(-71, -13.5, -70, -12)),
        options.pop("spans", YEARS),
        folder / "items", folder / "cache", refresh,
    )  # fmt: skip
    return StacSource(StacOptions(options.pop("url", server.url), **options), quest)
