"""Planet basemaps from a served API: the clearest quad of each place and year, and no key told."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from minetrace.core.grid import Grid, Rect
from minetrace.core.region import project
from minetrace.errors import (
    MissingFileError,
    NoImageryError,
    NoPermissionError,
    RadiometryError,
    StudyError,
)
from minetrace.sources.bands import BandSpec
from minetrace.sources.planet import PlanetSource
from minetrace.sources.planet_api import Haze, Mosaic
from minetrace.sources.planet_choice import Offer, clearest, mean_haze, read_info, read_offers
from minetrace.sources.planet_options import PlanetOptions
from minetrace.sources.quads import QuadOptions, QuadSource
from minetrace.sources.quest import ProviderQuest
from minetrace.store.http import HttpOptions
from minetrace.testing.planet_server import KEY, Basemap, PlanetServer, quad_pixels, write_quad
from minetrace.testing.source_contract import SourceContract

QUICK = HttpOptions(attempts=4, backoff_s=0.01, longest_wait_s=0.05, read_s=2.0, connect_s=1.0)
NAME = "planet_medres_normalized_analytic_{}_mosaic"
WEST, EAST = "5000-7600", "5001-7600"
YEARS = ((date(2021, 1, 1), date(2022, 1, 1)), (date(2022, 1, 1), date(2023, 1, 1)))
GRID = Grid("EPSG:32719", 35.0)


def month(year: int, number: int, value: int, **hazes: Any) -> Basemap:
    quads = {WEST: hazes["west"], EAST: hazes["east"]}
    first = date(year, number, 1)
    return Basemap(NAME.format(f"{year}-{number:02d}"), first, date(year, number, 28), quads, value)


BASEMAPS = [
    month(2021, 3, 1000, west=[(40, 20), (0, 0)], east=[(10, 0)]),  # 0.15 and 0.05
    month(2021, 8, 2000, west=[(10, 10)], east=[(0, 10)]),  # 0.1 and 0.05: a tie in the east
    month(2021, 9, 3000, west=[(80, 0)], east=[None]),
    month(2022, 8, 4000, west=[(100, 100)], east=[None]),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlanetServer]:
    with PlanetServer(tmp_path_factory.mktemp("planet"), BASEMAPS) as server:
        yield server


@pytest.fixture
def server(served: PlanetServer, monkeypatch: pytest.MonkeyPatch) -> PlanetServer:
    monkeypatch.setenv("PL_API_KEY", KEY)
    served.seen.paths.clear()
    served.seen.at_store.clear()
    return served


def ground() -> Any:
    mosaic = Mosaic("", "", YEARS[0][0], YEARS[0][0], "uint16", 64, 38.21851414258813)
    return mosaic.ground(WEST).union(mosaic.ground(EAST)).buffer(-1e-4)


def source(server: PlanetServer, folder: Path, **said: Any) -> PlanetSource:
    quest = ProviderQuest(
        said.pop("ground", ground()), said.pop("spans", YEARS), folder / "items",
        folder / "cache", said.pop("refresh", False),
    )  # fmt: skip
    return PlanetSource(PlanetOptions(url=server.url, http=QUICK, **said), quest)


class TestContract(SourceContract):
    """Everything that any source promises, by key and with redirects."""

    @pytest.fixture(autouse=True)
    def _serve(self, server: PlanetServer, tmp_path: Path) -> None:
        self.make = lambda: source(server, tmp_path)

    def make_source(self) -> PlanetSource:
        return self.make()

    def make_grid(self) -> Grid:
        return GRID


class TestQuadContract(SourceContract):
    """The same for quads on disk."""

    @pytest.fixture(autouse=True)
    def _write(self, tmp_path: Path) -> None:
        for year, basemap in (("2021", BASEMAPS[0]), ("2022", BASEMAPS[3])):
            for quad in (WEST, EAST):
                write_quad(tmp_path / "tiff_tiles" / year / f"{quad}.tiff", quad, basemap)
        self.make = lambda: QuadSource(QuadOptions(tmp_path / "tiff_tiles"))

    def make_source(self) -> QuadSource:
        return self.make()

    def make_grid(self) -> Grid:
        return GRID

    def test_a_folder_of_a_year_is_a_scene(self) -> None:
        here = self.make()
        assert [scene.id for scene in here.scenes()] == ["2021", "2022"]
        assert here.level == "boa"


def pixel(source: Any, scene: Any, quad: str) -> int:
    """Blue in the middle of a quad, less what grows to the east."""
    mosaic = Mosaic("", "", scene.day, scene.day, "uint16", 64, 38.21851414258813)
    middle: Any = project(mosaic.ground(quad).centroid, "EPSG:4326", GRID.crs)
    around = GRID.rect((middle.x, middle.y, middle.x + 1, middle.y + 1))
    look = source.read(scene, ("blue",), GRID, around)
    return int(look.pixels[0, 0, 0]) // 1000 * 1000 if look.valid[0, 0] else 0


def test_the_clearest_quad_of_each_place_and_year(server: PlanetServer, tmp_path: Path) -> None:
    here = source(server, tmp_path)
    august, last = here.scenes()
    assert (august.id, last.id) == (BASEMAPS[1].name, BASEMAPS[3].name)
    assert pixel(here, august, WEST) == 2000
    assert pixel(here, august, EAST) == 2000  # of a tie the later month, of unknown none
    with next((tmp_path / "items").glob("planet-*.csv")).open() as file:
        rows = {(row["basemap"], row["quad"]): row for row in csv.DictReader(file)}
    assert len(rows) == 8
    march = rows[BASEMAPS[0].name, WEST]
    assert (march["cloud"], march["heavy_haze"], march["haziness"]) == (
        "0.200000", "0.100000", "0.150000",
    )  # fmt: skip
    assert march["scenes"] == "2"
    assert sum(row["chosen"] == "1" for row in rows.values()) == 4


def test_a_rerun_chooses_nothing_anew(server: PlanetServer, tmp_path: Path) -> None:
    one = source(server, tmp_path)
    server.seen.paths.clear()
    again = source(server, tmp_path)
    assert server.seen.paths == []
    assert again.scenes() == one.scenes()
    assert [again.signature(s) for s in again.scenes()] == [one.signature(s) for s in one.scenes()]
    source(server, tmp_path, refresh=True)
    assert server.seen.paths


def test_every_mosaic_on_request(server: PlanetServer, tmp_path: Path) -> None:
    here = source(server, tmp_path, choose="all")
    assert [scene.id for scene in here.scenes()] == [one.name for one in BASEMAPS]
    assert not any("/items" in path for path in server.seen.paths)


def test_pixels_are_those_of_the_file_where_nothing_is_warped(
    server: PlanetServer, tmp_path: Path
) -> None:
    here = source(server, tmp_path, choose="all")
    mercator = Grid("EPSG:3857", 38.21851414258813, offset_m=20037508.342789244)
    rect = Rect((2**20 // 64 - 7601) * 64, 5000 * 64, 64, 64)
    look = here.read(here.scenes()[0], here.bands, mercator, rect)
    expected = quad_pixels(WEST, BASEMAPS[0])
    assert look.valid.sum() == 64 * 64 - 16
    assert not look.valid[:4, :4].any()
    assert np.array_equal(look.pixels[:, 5], expected[:4, 5].astype(np.int16))


def test_the_key_goes_to_the_service_alone(
    server: PlanetServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    here = source(server, tmp_path)
    pixel(here, here.scenes()[0], WEST)
    assert server.seen.at_store
    assert set(server.seen.at_store) == {None}
    assert not any("api_key" in path for path in server.seen.paths)
    kept = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert KEY.encode() not in kept
    assert KEY not in caplog.text
    assert "Signature" not in caplog.text


def test_busy_answers_pass(server: PlanetServer, tmp_path: Path) -> None:
    server.busy = 3
    assert source(server, tmp_path).scenes()


def test_without_or_with_a_wrong_key(
    server: PlanetServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PL_API_KEY", "PLAKwrong")
    with pytest.raises(NoPermissionError, match="PL_API_KEY is not accepted") as said:
        source(server, tmp_path)
    assert "PLAKwrong" not in str(said.value)
    monkeypatch.delenv("PL_API_KEY")
    with pytest.raises(StudyError, match="set the environment variable PL_API_KEY"):
        source(server, tmp_path)


def test_mosaics_that_nobody_sees_any_more(server: PlanetServer, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="ended on 23 January 2025"):
        source(server, tmp_path, mosaics="planet_medres_visual_*")
    with pytest.raises(NoImageryError, match="no quad"):
        source(server, tmp_path, ground=box(10, 10, 10.1, 10.1))


def test_a_table_of_choices_is_followed(server: PlanetServer, tmp_path: Path) -> None:
    table = tmp_path / "cloudfree_quads_info.csv"
    link = f"{server.url}/basemaps/v1/mosaics/x/quads/{WEST}/full?api_key="
    rows = [f"7,2021,{BASEMAPS[2].name},{WEST},{link}", f"9,2021,{BASEMAPS[0].name},{WEST},{link}",
            f"7,2021,{BASEMAPS[0].name},{EAST},{link}", f"7,2030,gone,{EAST},{link}"]  # fmt: skip
    table.write_text("\n".join(["id_shape,year,basemap,quad,link", *rows]) + "\n")
    here = source(server, tmp_path, choices=table)
    march, september = here.scenes()
    assert (pixel(here, march, EAST), pixel(here, september, WEST)) == (1000, 3000)
    assert pixel(here, march, WEST) == 0  # the first row of a place counts
    assert "cloudfree_quads_info.csv names" in here.notes[0]
    table.write_text("id_shape,year,quad\n1,2021,2-2\n")
    with pytest.raises(StudyError, match="no column basemap"):
        read_info(table)
    with pytest.raises(MissingFileError, match="not there"):
        read_info(tmp_path / "none.csv")
    with pytest.raises(StudyError, match="not a table of quads"):
        read_offers(table)


def test_what_is_made_for_the_eye_is_no_reflectance(tmp_path: Path) -> None:
    visual = Basemap("visual", YEARS[0][0], YEARS[0][0], {}, 10, "uint8")
    write_quad(tmp_path / "2021" / f"{WEST}.tif", WEST, visual)
    with pytest.raises(RadiometryError, match="made for the eye"):
        QuadSource(QuadOptions(tmp_path))
    assert QuadSource(QuadOptions(tmp_path, scale=1 / 255)).bands == ("red", "green", "blue")
    with pytest.raises(MissingFileError, match="no folder of a year"):
        QuadSource(QuadOptions(tmp_path / "2021"))


def test_quads_of_different_numbers_are_not_read_alike(tmp_path: Path) -> None:
    visual = Basemap("visual", YEARS[0][0], YEARS[0][0], {}, 10, "uint8")
    write_quad(tmp_path / "2021" / f"{WEST}.tif", WEST, BASEMAPS[0])
    write_quad(tmp_path / "2021" / f"{EAST}.tif", EAST, visual)
    with pytest.raises(RadiometryError, match=r"uint8 and .* uint16.*folders of their own"):
        QuadSource(QuadOptions(tmp_path, bands={"red": BandSpec(index=1)}))


hazes = st.lists(
    st.tuples(st.floats(0, 1), st.floats(0, 1), st.integers(1, 12)), min_size=1, max_size=9
)


@given(hazes)
def test_nothing_offered_is_clearer_than_what_is_chosen(said: list[Any]) -> None:
    offers = [
        Offer(date(2021, 1, 1), WEST,
              Mosaic("", str(n), date(2021, m, 1), date(2021, m, 28), "uint16", 64, 38.2),
              *mean_haze([Haze(cloud, haze), None]))
        for n, (cloud, haze, m) in enumerate(said)
    ]  # fmt: skip
    best = clearest(offers)
    for other in offers:
        assert best.haziness is not None
        assert other.haziness is not None
        assert best.haziness <= other.haziness + 1e-8
        if abs(best.haziness - other.haziness) < 1e-10:
            assert best.mosaic.last >= other.mosaic.last
