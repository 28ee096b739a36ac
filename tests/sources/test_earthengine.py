"""Earth Engine over a served API: pixels of our lattice, each asked for once, a ceiling."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shapely.geometry import box

from minetrace.core.grid import Grid, Rect
from minetrace.core.raster import NODATA, PER_EMBEDDING
from minetrace.core.region import project
from minetrace.errors import (
    BandError,
    NoImageryError,
    NoPermissionError,
    ReadFailedError,
    StudyError,
)
from minetrace.sources import earthengine
from minetrace.sources.earthengine import EarthEngineOptions, EarthEngineSource
from minetrace.sources.earthengine_graph import functions
from minetrace.sources.earthengine_meter import Ceiling
from minetrace.sources.quest import ProviderQuest
from minetrace.store.http import HttpOptions
from minetrace.testing.earthengine_server import TOKEN, EarthEngineServer, Served, counts
from minetrace.testing.source_contract import SourceContract

QUICK = HttpOptions(attempts=3, backoff_s=0.01, longest_wait_s=0.05, read_s=5.0, connect_s=1.0)
GRID = Grid("EPSG:32719", 10.0)
GROUND = box(-70.404, -12.804, -70.396, -12.796)
S2, L8 = "COPERNICUS/S2_SR_HARMONIZED", "LANDSAT/LC08/C02/T1_L2"
WEST, EAST = (-70.5, -12.9, -70.4, -12.7), (-70.402, -12.9, -70.3, -12.7)
IMAGES = [
    Served(f"{S2}/20210704T145731_T19LCF", "2021-07-04", WEST, 0, (0.0, 0.3)),
    Served(f"{S2}/20210704T145731_T19LDF", "2021-07-04", EAST, 1000, (0.0, 0.3)),
    Served(f"{S2}/20220709T145731_T19LCF", "2022-07-09", WEST, 2000),
    Served(f"{S2}/20240709T145731_T19LCF", "2024-07-09", WEST, 2000),
    Served(f"{L8}/LC08_1", "2021-03-01", (-71, -13, -70, -12), 0, (0.0, 0.5)),
    Served(f"{L8}/LC08_2", "2021-06-01", (-71, -13, -70, -12), 100),
    Served("LANDSAT/LC09/C02/T1_L2/LC09_1", "2021-12-01", (-71, -13, -70, -12), 200, (0.9, 1.0)),
    Served(f"{L8}/LC08_3", "2022-01-01", (-71, -13, -70, -12), 9000),
]
RADAR = [
    Served("COPERNICUS/S1_GRD/S1A_1", "2021-05-01", (-71, -13, -70, -12), bands=("VV", "VH")),
    Served("COPERNICUS/S1_GRD/S1A_2", "2021-06-01", (-71, -13, -70, -12), bands=("HH",)),
]
EMBEDDINGS = [
    Served(f"GOOGLE/SATELLITE_EMBEDDING/V1/ANNUAL/{year}_19S", f"{year}-01-01",
           (-71, -13, -70, -12), year) for year in (2021, 2022)
]  # fmt: skip
FIRST_YEAR = [
    Served(f"{L8}/LC08_{day}", day, (-71, -13, -70, -12)) for day in ("2013-05-01", "2013-08-01")
]
OLDER = [Served("LANDSAT/LE07/C02/T1_L2/LE07_1", "2021-05-01", (-71, -13, -70, -12))]
IMAGES += RADAR + EMBEDDINGS + FIRST_YEAR + OLDER
YEARS = ((date(2021, 1, 1), date(2022, 1, 1)), (date(2022, 1, 1), date(2023, 1, 1)))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[EarthEngineServer]:
    monkeypatch.setenv("EARTHENGINE_TOKEN", TOKEN)
    monkeypatch.setenv("EARTHENGINE_PROJECT", "my-project")
    with EarthEngineServer(IMAGES) as served:
        yield served


def source(server: EarthEngineServer, folder: Path, **said: Any) -> EarthEngineSource:
    quest = ProviderQuest(
        said.pop("ground", GROUND), said.pop("spans", YEARS), folder / "items", folder / "cache"
    )
    options = {"product": "sentinel-2-l2a", "bands": ("red", "nir"), **said}
    return EarthEngineSource(EarthEngineOptions(url=server.url, http=QUICK, **options), quest)


class TestContract(SourceContract):
    """Everything that any source promises, computed elsewhere."""

    @pytest.fixture(autouse=True)
    def _serve(
        self, server: EarthEngineServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(earthengine, "BLOCK_PX", 64)  # so that rectangles cross blocks
        self.make = lambda: source(server, tmp_path)

    def make_source(self) -> EarthEngineSource:
        return self.make()

    def make_grid(self) -> Grid:
        return GRID


class TestLandsatContract(TestContract):
    """The same for a composite a period."""

    @pytest.fixture(autouse=True)
    def _landsat(self, server: EarthEngineServer, tmp_path: Path, _serve: None) -> None:
        self.make = lambda: source(server, tmp_path, product="landsat-8-9", bands=())

    def make_grid(self) -> Grid:
        return Grid("EPSG:32719", 30.0, "center")


def around(grid: Grid) -> Rect:
    ground: Any = project(GROUND, "EPSG:4326", grid.crs)
    return grid.rect(ground.bounds)


def centres(grid: Grid, rect: Rect) -> tuple[np.ndarray, np.ndarray]:
    place = grid.affine(rect)
    column, row = np.meshgrid(np.arange(rect.width) + 0.5, np.arange(rect.height) + 0.5)
    return place.c + place.a * column, place.f + place.e * row


def test_a_day_is_a_scene_of_clear_pixels(server: EarthEngineServer, tmp_path: Path) -> None:
    here = source(server, tmp_path)
    assert [scene.day.year for scene in here.scenes()] == [2021, 2022]  # 2024 is not asked for
    rect = around(GRID)
    look = here.read(here.scenes()[0], ("red", "nir"), GRID, rect)
    x, y = centres(GRID, rect)
    cloud = x % 1000 < 300
    assert look.valid.any()
    assert not look.valid[cloud].any()
    western = look.valid & (look.pixels[0] == counts(IMAGES[0], "B4", x, y))
    eastern = look.valid & (look.pixels[0] == counts(IMAGES[1], "B4", x, y))
    assert np.array_equal(western | eastern, look.valid)
    assert western.any()
    assert eastern.any()
    assert (look.pixels[1][western] == counts(IMAGES[0], "B8", x, y)[western]).all()


def test_without_the_mask_clouds_count_as_seen(server: EarthEngineServer, tmp_path: Path) -> None:
    here = source(server, tmp_path, clear=0.0)
    assert here.masking == ""
    rect = around(GRID)
    assert here.read(here.scenes()[0], ("red",), GRID, rect).valid.all()
    strict = source(server, tmp_path, clear=0.95)
    assert not strict.read(strict.scenes()[0], ("red",), GRID, rect).valid.any()


def test_landsat_is_a_median_of_clear_pixels(server: EarthEngineServer, tmp_path: Path) -> None:
    here = source(server, tmp_path, product="landsat-8-9", bands=())
    assert here.bands == ("blue", "green", "red", "nir08", "swir16", "swir22", "lwir11")
    grid = Grid("EPSG:32719", 30.0, "center")
    rect = around(grid)
    look = here.read(here.scenes()[0], ("red", "lwir11"), grid, rect)
    x, y = centres(grid, rect)
    middle = np.where(x % 1000 < 500, 150.0, np.where(x % 1000 >= 900, 50.0, 100.0))
    red = counts(IMAGES[4], "SR_B4", x, y) + middle
    kelvin = (counts(IMAGES[4], "ST_B10", x, y) + middle) * 0.00341802 + 149.0
    assert look.valid.all()
    assert np.abs(look.pixels[0] - (red * 2.75e-5 - 0.2) * 1e4).max() <= 0.5 + 1e-6
    assert np.abs(look.pixels[1] - kelvin * 10).max() <= 0.5 + 1e-6


def test_a_period_within_the_first_year_is_looked_at(
    server: EarthEngineServer, tmp_path: Path
) -> None:
    ends = [date(2013, 1, 1), date(2013, 3, 1), date(2013, 7, 1), date(2013, 10, 1)]
    spans = tuple(pairwise(ends))
    here = source(server, tmp_path, product="landsat-8-9", bands=(), spans=spans)
    assert [str(scene.day)[:7] for scene in here.scenes()] == ["2013-05", "2013-08"]


def test_a_period_without_an_image_is_no_scene(server: EarthEngineServer, tmp_path: Path) -> None:
    """The service makes no composite of nothing: it would refuse each block of such a period."""
    spans = (*YEARS, (date(2023, 1, 1), date(2024, 1, 1)))
    here = source(server, tmp_path, product="landsat-8-9", bands=(), spans=spans)
    assert [scene.day.year for scene in here.scenes()] == [2021, 2022]
    asked = len(server.seen.requests)
    again = source(server, tmp_path, product="landsat-8-9", bands=(), spans=spans)
    assert (again.scenes(), len(server.seen.requests)) == (here.scenes(), asked)
    with pytest.raises(NoImageryError, match="no image of landsat-8-9"):
        source(server, tmp_path, product="landsat-8-9", bands=(), spans=spans[2:])


def test_radar_is_decibels(server: EarthEngineServer, tmp_path: Path) -> None:
    here = source(server, tmp_path, product="sentinel-1", bands=())
    assert [scene.id for scene in here.scenes()] == ["S1A_1"]  # the other has no such bands
    assert (here.masking, here.level, here.bands) == ("", None, ("vv", "vh"))
    rect = around(GRID)
    look = here.read(here.scenes()[0], here.bands, GRID, rect)
    x, y = centres(GRID, rect)
    assert look.valid.all()
    for pixels, own in zip(look.pixels, ("VV", "VH"), strict=True):
        assert np.array_equal(pixels, np.rint(counts(RADAR[0], own, x, y) * 100))


def test_embeddings_are_one_image_a_year(server: EarthEngineServer, tmp_path: Path) -> None:
    here = source(server, tmp_path, product="annual-embeddings", bands=())
    assert [str(scene.day) for scene in here.scenes()] == ["2021-01-01", "2022-01-01"]
    assert (len(here.bands), here.bands[0], here.bands[-1]) == (64, "e000", "e063")
    assert (here.level, here.masking, here.resolution_m) == (None, "", 10.0)
    rect = around(GRID)
    look = here.read(here.scenes()[1], ("e063", "e002"), GRID, rect)
    x, y = centres(GRID, rect)
    assert look.valid.all()
    for pixels, own in zip(look.pixels, ("A63", "A02"), strict=True):
        assert np.array_equal(pixels, np.rint(counts(EMBEDDINGS[-1], own, x, y) * PER_EMBEDDING))


def test_each_block_is_asked_for_once(server: EarthEngineServer, tmp_path: Path) -> None:
    here = source(server, tmp_path)
    rect, scene = around(GRID), here.scenes()[0]
    here.read(scene, ("red", "nir"), GRID, rect)
    first = len(server.seen.pixels)
    here.read(scene, ("nir", "red"), GRID, rect.expand(-3))
    again = source(server, tmp_path)
    again.read(scene, ("red", "nir"), GRID, rect)
    assert len(server.seen.pixels) == first
    assert all(one["workloadTag"] == "minetrace" for one in server.seen.pixels)
    assert here.meter.read().requests == len(server.seen.requests)
    assert here.meter.read().received_bytes > rect.height * rect.width * 4


def test_a_ceiling_stops_asking(server: EarthEngineServer, tmp_path: Path) -> None:
    rect = around(GRID)
    first = source(server, tmp_path)
    first.read(first.scenes()[0], ("red",), GRID, rect)
    spent = first.meter.read().requests
    here = source(server, tmp_path, ceiling=Ceiling(requests=spent))
    with pytest.raises(ReadFailedError, match=f"asked {spent} times, which is the ceiling"):
        here.read(here.scenes()[0], ("nir",), GRID, rect)
    here.read(here.scenes()[0], ("red",), GRID, rect)  # kept: asks nothing
    raised = source(server, tmp_path, ceiling=Ceiling(requests=spent + 9))
    assert raised.read(raised.scenes()[0], ("nir",), GRID, rect).valid.any()


def test_who_is_not_let_in(
    server: EarthEngineServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARTHENGINE_TOKEN", "ya29.wrong")
    with pytest.raises(NoPermissionError, match="does not let project my-project in") as said:
        source(server, tmp_path)
    assert "ya29" not in str(said.value)
    monkeypatch.delenv("EARTHENGINE_PROJECT")
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    with pytest.raises(StudyError, match="EARTHENGINE_PROJECT"):
        source(server, tmp_path)


def test_what_is_not_there(server: EarthEngineServer, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="did you mean landsat-8-9"):
        source(server, tmp_path, product="landsat-8")
    with pytest.raises(BandError, match="swir3"):
        source(server, tmp_path, bands=("swir3",))
    with pytest.raises(NoImageryError, match="no image of sentinel-2-l2a"):
        source(server, tmp_path, ground=box(10, 10, 10.1, 10.1))


def test_no_secret_is_kept(server: EarthEngineServer, tmp_path: Path) -> None:
    server.busy = 2
    here = source(server, tmp_path)
    look = here.read(here.scenes()[0], ("red",), GRID, around(GRID))
    assert (look.pixels[0][~look.valid] == NODATA).all()
    kept = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert TOKEN.encode() not in kept


def test_functions_are_those_of_the_service(server: EarthEngineServer, tmp_path: Path) -> None:
    """Against the table of functions that Google's client library is tested with."""
    found = importlib.util.find_spec("ee")
    table = (
        Path(found.origin).parent / "tests" / "algorithms.json" if found and found.origin else None
    )
    if table is None or not table.is_file():
        pytest.skip("earthengine-api is not installed: pip install 'minetrace[earthengine]'")
    table = Path(found.origin).parent / "tests" / "algorithms.json"
    known = {
        one["name"].removeprefix("algorithms/"): {
            a["argumentName"]: bool(a.get("optional")) for a in one.get("arguments", ())
        }
        for one in json.loads(table.read_text())["algorithms"]
    }
    days = source(server, tmp_path)
    periods = source(server, tmp_path, product="landsat-5-7", bands=("red", "lwir"))
    for image in (days.image(days.scenes()[0], ("red",)),
                  periods.image(periods.scenes()[0], ("red", "lwir"))):  # fmt: skip
        for name, given in functions(image):
            assert name in known
            assert set(given) <= set(known[name]), name
            needed = {argument for argument, optional in known[name].items() if not optional}
            assert needed <= set(given), name
