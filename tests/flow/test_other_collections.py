"""The studies of the page on other collections, run on a served catalog of each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import yaml
from affine import Affine

from minetrace.core.raster import NODATA
from minetrace.flow.steps import run
from minetrace.flow.study import Study
from minetrace.store.files import read_json
from minetrace.testing.models import write_unet
from minetrace.testing.results import assert_equal
from minetrace.testing.stac_catalog import Shot, Style, write_catalog
from minetrace.testing.stac_server import StacServer

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "other-collections.md"
UTM = "EPSG:32719"
WEST, NORTH = 349_800.0, 8_589_600.0
QUICK = {"attempts": 3, "backoff_s": 0.01, "longest_wait_s": 0.1, "read_s": 2.0}


def studies() -> dict[str, dict[str, Any]]:
    """Every study of the page, by its name."""
    text = PAGE.read_text(encoding="utf-8")
    told = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    return {one["name"]: one for one in told}


def hls(sensor: str, day: int) -> Shot:
    rng = np.random.default_rng(day)
    names = ("blue", "green", "red", "nir08", "swir16", "swir22")
    bands: dict[str, Any] = {n: rng.integers(200, 3000, (90, 90)).astype(np.int16) for n in names}
    bands["fmask"] = np.where(rng.random((90, 90)) < 0.02, 2, 64).astype(np.uint8)
    if sensor == "S30":
        bands["nir"] = bands["nir08"]
    name = f"HLS.{sensor}.T19LCH.2023{day:03d}T145731.v2.0"
    return Shot(name, date(2023, 7, day), bands, Affine(30, 0, WEST, 0, -30, NORTH), UTM, {})


def radar(day: int) -> Shot:
    rng = np.random.default_rng(day)
    power = {n: rng.gamma(4.4, m / 4.4, (270, 270)).astype(np.float32)
             for n, m in (("vv", 0.1), ("vh", 0.02))}  # fmt: skip
    name = f"S1A_IW_GRDH_1SDV_2023070{day}_rtc"
    return Shot(name, date(2023, 7, day), power, Affine(10, 0, WEST, 0, -10, NORTH), UTM, {})


def terrain() -> Shot:
    lon, lat = np.meshgrid(np.arange(120) / 3600, np.arange(120) / 3600)
    heights = (500 + 3000 * lon + 6000 * lat).astype(np.float32)
    where = Affine(1 / 3600, 0, -70.39, 0, -1 / 3600, -12.75)
    return Shot("Copernicus_DSM_COG_10_S13_00_W071_00_DEM", date(2021, 4, 22),
                {"elevation": heights}, where, "EPSG:4326", {})  # fmt: skip


def embeddings() -> Shot:
    layers = np.random.default_rng(4).integers(-127, 128, (2, 270, 270)).astype(np.int8)
    return Shot("19LCH-2023", date(2023, 1, 1), {"embedding": layers},
                Affine(10, 0, WEST, 0, -10, NORTH), UTM, {})  # fmt: skip


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, StacServer]]:
    shots: Mapping[Style, list[Shot]] = {
        "hls-s30": [hls("S30", 2), hls("S30", 7)], "hls-l30": [hls("L30", 4)],
        "sentinel-1-rtc": [radar(3), radar(5)], "cop-dem": [terrain()],
        "embeddings": [embeddings()],
    }  # fmt: skip
    names = {"hls-s30": "hls2-s30", "hls-l30": "hls2-l30", "cop-dem": "cop-dem-glo-30",
             "embeddings": "annual-embeddings"}  # fmt: skip
    with ExitStack() as stack:
        yield {
            names.get(style, style): stack.enter_context(
                StacServer(write_catalog(tmp_path_factory.mktemp(style), line, style=style))
            )
            for style, line in shots.items()
        }


def served(
    name: str, servers: Mapping[str, StacServer], folder: Path, bands: tuple[str, ...], **said: Any
) -> dict[str, Any]:
    """A study of the page with its catalogs served from here, and a small model for the user's."""
    study = studies()[name]
    for source in study["sources"]:
        source |= {"url": servers[source["collection"]].url, "requests": QUICK}
    if "model" in study:
        write_unet(folder / "model", bands=bands, window=64, stride=48, widths=(4, 8, 8, 8))
        study["model"] = {"path": str(folder / "model")}
        study["grid"] = {"resolution_m": 10, "tile": 512}
    return {**study, **said}


def layers(root: Path, period: str) -> dict[str, np.ndarray]:
    """The layers of a run's first composite."""
    with rasterio.open(next((root / "composites" / period).glob("*.tif"))) as made:
        return dict(zip(made.descriptions, made.read(), strict=True))


def test_both_sensors_of_hls_are_looks_of_one_composite(
    servers: Mapping[str, StacServer], tmp_path: Path
) -> None:
    run(Study.of(served("hls", servers, tmp_path, ())), tmp_path / "run", workers=1)
    made = layers(tmp_path / "run", "2023")
    assert {"blue", "red", "nir08", "swir16"} <= set(made)
    assert "nir" not in made
    assert made["clear_looks"].max() == 3
    card = (tmp_path / "run" / "datacard.md").read_text(encoding="utf-8")
    assert "NASA LP DAAC" in card


def test_power_is_stacked_on_reflectance_however_the_map_is_cut(
    servers: Mapping[str, StacServer], tmp_path: Path
) -> None:
    for name, tile in (("a", 512), ("b", 64)):
        study = served("radar", servers, tmp_path, ("red", "nir08", "vv"))
        study["grid"] = {"resolution_m": 10, "tile": tile}
        run(Study.of(study), tmp_path / name, workers=1)
    assert_equal(tmp_path / "a", tmp_path / "b")
    made = layers(tmp_path / "a", "2023")
    seen = made["vv"] != NODATA
    power = 10 ** (made["vv"][seen] / 1000)
    assert abs(power.mean() / 0.1 - 1) < 0.03


def test_terrain_is_there_in_every_period_and_makes_nothing_looked_at(
    servers: Mapping[str, StacServer], tmp_path: Path
) -> None:
    bands = ("red", "nir08", "elevation", "slope")
    for name, tile in (("a", 512), ("b", 64)):
        study = served("terrain", servers, tmp_path, bands, composite={"min_looks": 2})
        study["grid"] = {"resolution_m": 10, "tile": tile}
        run(Study.of(study), tmp_path / name, workers=1)
    assert_equal(tmp_path / "a", tmp_path / "b")
    made, blind = layers(tmp_path / "a", "2023"), layers(tmp_path / "a", "2024")
    seen = made["elevation"] != NODATA
    assert seen.any()
    assert ((made["red"] != NODATA) == seen).all()
    assert (made["clear_looks"][seen] == 2).all()  # the terrain's one look is not counted
    assert 3.2 < np.median(made["slope"][seen]) / 100 < 3.8
    assert all((blind[band] == NODATA).all() for band in bands)
    shares = {row["period"]: float(row["looked_share"]) for row in _rows(tmp_path / "a")}
    assert shares["2024"] == 0 < shares["2023"]
    assert "DLR" in (tmp_path / "a" / "datacard.md").read_text(encoding="utf-8")


def _rows(root: Path) -> list[dict[str, str]]:
    import csv

    with (root / "hectares.csv").open(encoding="utf-8") as table:
        return list(csv.DictReader(table))


def test_embeddings_of_a_catalog_are_bands(
    servers: Mapping[str, StacServer], tmp_path: Path
) -> None:
    study = served("embeddings", servers, tmp_path, ("e000", "e001"))
    run(Study.of(study), tmp_path / "run", workers=1)
    made = layers(tmp_path / "run", "2023")
    with rasterio.open(next((tmp_path / "run" / "composites").rglob("*.tif"))) as file:
        assert file.scales[file.descriptions.index("e001")] == 1 / 2000
    assert (made["e001"] != NODATA).any()
    assert read_json(tmp_path / "run" / "run.json")
