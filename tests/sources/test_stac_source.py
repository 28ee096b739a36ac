"""Scenes of a served catalog: pixels as from files, one look an overpass, no byte too many."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from shapely.geometry import Point, box
from stac_scenes import GRID, UTM, scl, shot, source

from minetrace.core.grid import Grid, Rect
from minetrace.core.region import project
from minetrace.errors import (
    BandError,
    NoImageryError,
    RadiometryError,
    ReadFailedError,
    StudyError,
)
from minetrace.sources.files import FileOptions, FileSource
from minetrace.sources.masks import MaskOptions
from minetrace.sources.stac import StacSource
from minetrace.sources.stac_search import simple
from minetrace.testing.source_contract import SourceContract
from minetrace.testing.stac_catalog import Shot, write_catalog
from minetrace.testing.stac_server import Fault, StacServer
from minetrace.testing.world import World

RECT = Rect(-859_010, 34_990, 180, 180)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two dates, the second in two tiles that overlap by 40 px, raised by 1000."""
    shots = [
        shot("S2A_19LCH_20190704_0_L2A", date(2019, 7, 4)),
        shot("S2A_19LCH_20230709_0_L2A", date(2023, 7, 9), seed=20, raised=True),
        shot("S2A_19LDH_20230709_0_L2A", date(2023, 7, 9), seed=20, raised=True, east_px=120,
             properties={"grid:code": "MGRS-19LDH"}),
    ]  # fmt: skip
    return write_catalog(tmp_path_factory.mktemp("catalog"), shots, block_px=128)


@pytest.fixture
def server(catalog: Path) -> Iterator[StacServer]:
    with StacServer(catalog, page=2) as served:
        yield served


class TestContract(SourceContract):
    """Everything that any source promises, over HTTP."""

    @pytest.fixture(autouse=True)
    def _serve(self, server: StacServer, tmp_path: Path) -> None:
        self.make = lambda: source(server, tmp_path)

    def make_source(self) -> StacSource:
        return self.make()

    def make_grid(self) -> Grid:
        return GRID


class TestContractWarped(TestContract):
    """The same on a lattice of another zone."""

    def make_grid(self) -> Grid:
        return Grid("EPSG:32720", 12.0)


def test_a_served_world_reads_as_its_files_do(world: World, tmp_path: Path) -> None:
    from minetrace.testing.stac_catalog import world_shots

    shots = world_shots(world.scenes)[:3]
    write_catalog(tmp_path / "catalog", shots, block_px=128)
    files = FileSource(FileOptions(world.scenes))
    with StacServer(tmp_path / "catalog") as served:
        here = source(served, tmp_path, region=box(-70.5, -12.9, -70.3, -12.7))
        for grid in (GRID, Grid("EPSG:32720", 10.0), Grid("EPSG:32719", 30.0)):
            rect = _around(files, grid)
            for one, other in zip(files.scenes(), here.scenes(), strict=False):
                assert one.day == other.day
                left = files.read(one, files.bands, grid, rect)
                right = here.read(other, files.bands, grid, rect)
                assert np.array_equal(left.valid, right.valid)
                assert np.array_equal(left.pixels, right.pixels)


def _around(files: FileSource, grid: Grid) -> Rect:
    ground: Any = project(files.footprint(files.scenes()[0]), "EPSG:4326", grid.crs)
    return grid.rect(ground.bounds).expand(9)


def test_one_overpass_is_one_look(server: StacServer, tmp_path: Path) -> None:
    here = source(server, tmp_path)
    assert [(s.day.year, s.id.endswith("+1")) for s in here.scenes()] == [
        (2019, False),
        (2023, True),
    ]
    both = here.read(here.scenes()[1], ("red",), GRID, Rect(-859_000, 35_000, 160, 280))
    assert both.valid[80:].all()  # the clouds of each tile lie above
    # the western tile's cloud reaches into no part that the eastern one shows
    assert not both.valid[24:36, 24:46].any()
    assert both.valid[:80, 124:140].all()


def test_bands_of_two_resolutions_share_one_mask(server: StacServer, tmp_path: Path) -> None:
    here = source(server, tmp_path, mask=MaskOptions("scl"))
    rect = Rect(-859_000, 35_000, 160, 160)
    look = here.read(here.scenes()[0], ("swir16", "blue"), GRID, rect)
    clear = np.kron(np.isin(scl(), (2, 4, 5, 6, 7)), np.ones((2, 2), bool))
    assert np.array_equal(look.valid, clear)
    with rasterio.open(next(server.folder.glob("data/*20190704*/blue.tif"))) as file:
        counts = file.read(1)
    assert np.array_equal(look.pixels[1][clear], counts[clear])


@pytest.mark.parametrize(("number", "thermal"), [(5, "lwir"), (9, "lwir11")])
def test_landsat_has_kelvin_and_is_masked_by_its_quality_bits(
    number: int, thermal: str, tmp_path: Path
) -> None:
    bits = np.full((60, 60), 21824, np.uint16)  # clear ground, low confidence of all else
    bits[20:30, 20:30] = 22280  # cloud
    bits[40, 40] = 54596  # cirrus: a pixel, and those beside it
    bits[:, 0] = 1  # fill
    counts = {"red": 10_000, thermal: 44_177}
    bands = {name: np.full((60, 60), one, np.uint16) for name, one in counts.items()}
    name = f"LC0{number}_L2SP_003069_20230704_20230706_02_T1"
    one = Shot(name, date(2023, 7, 4), {**bands, "qa_pixel": bits},
               Affine(30, 0, 350_010, 0, -30, 8_590_020), UTM,
               {"platform": f"landsat-{number}"})  # fmt: skip
    with StacServer(write_catalog(tmp_path / "catalog", [one], style="landsat")) as served:
        here = source(served, tmp_path, collection="landsat-c2-l2")
        assert here.masking == "QA_PIXEL, grown by 30 m"
        rect = Rect(-286_334, 11_667, 60, 60)
        look = here.read(here.scenes()[0], ("red", thermal), Grid(UTM, 30.0), rect)
    unclear = np.zeros((60, 60), bool)
    unclear[:, 0] = unclear[19:31, 20:30] = unclear[20:30, 19:31] = True
    unclear[39:42, 40] = unclear[40, 39:42] = True
    assert np.array_equal(look.valid, ~unclear)
    assert set(look.pixels[0][look.valid]) == {750}  # 10,000 * 2.75e-5 - 0.2
    assert set(look.pixels[1][look.valid]) == {3000}  # 300.0 kelvin


def test_thin_cirrus_and_shadow_are_the_users_choice(server: StacServer, tmp_path: Path) -> None:
    rect = Rect(-859_000, 35_000, 160, 160)
    shares = []
    for mask in (MaskOptions("scl", dilate_m=60), MaskOptions("scl"),
                 MaskOptions("scl", keep=(3, 4, 5, 6, 7)), MaskOptions("none")):  # fmt: skip
        here = source(server, tmp_path, mask=mask)
        shares.append(here.read(here.scenes()[0], ("red",), GRID, rect).valid.mean())
    assert shares == sorted(shares)
    assert len(set(shares)) == 4
    assert shares[-1] == 1.0


def test_only_the_blocks_under_a_rectangle_are_fetched_and_none_twice(
    server: StacServer, tmp_path: Path
) -> None:
    here = source(server, tmp_path)
    scene = here.scenes()[0]
    server.forget()
    here.read(scene, ("red",), GRID, Rect(-859_000, 35_000, 60, 60))
    blocks = [first for _, path, first in server.seen.of("red.tif") if first > 0]
    assert len(blocks) == 1
    once = server.seen.bytes_sent
    here.read(scene, ("red",), GRID, Rect(-859_000, 35_000, 60, 60))
    source(server, tmp_path).read(scene, ("red",), GRID, Rect(-859_000, 35_000, 50, 50))
    assert server.seen.bytes_sent == once


def test_a_search_is_kept_and_searched_again_on_request(server: StacServer, tmp_path: Path) -> None:
    first = source(server, tmp_path)
    server.forget()
    again = source(server, tmp_path)
    assert server.seen.requests == []
    assert again.scenes() == first.scenes()
    assert again.bands == first.bands
    assert again.resolution_m == 10
    source(server, tmp_path, refresh=True)
    assert server.seen.of("/search")
    server.forget()
    source(server, tmp_path, spans=((date(2019, 1, 1), date(2020, 1, 1)),))
    assert server.seen.of("/search")


def test_a_static_catalog_and_a_folder_are_searched_too(
    server: StacServer, catalog: Path, tmp_path: Path
) -> None:
    api = source(server, tmp_path)
    static = source(server, tmp_path, url=f"{server.url}/static/catalog.json")
    assert static.scenes() == api.scenes()
    bare = write_catalog(tmp_path / "bare", [shot("S2A_19LCH_20190704_0_L2A", date(2019, 7, 4))],
                         root="..", tree="data")  # fmt: skip
    here = source(server, tmp_path, url=str(bare / "items" / "S2A_19LCH_20190704_0_L2A.json"))
    look, same = (s.read(s.scenes()[0], ("red",), GRID, RECT) for s in (here, api))
    assert np.array_equal(look.pixels, same.pixels)


def test_a_long_outline_is_asked_for_with_few_points_that_hold_it() -> None:
    rng = np.random.default_rng(3)
    across = np.concatenate([rng.uniform(-180, -177, 150), rng.uniform(178, 180, 150)])
    mines = [
        Point(x, y).buffer(0.01) for x, y in zip(across, rng.uniform(60, 70, 300), strict=True)
    ]
    ground = shapely.union_all(mines)
    around = simple(ground)
    assert shapely.get_num_coordinates(around) <= 500
    assert around.is_valid
    assert around.covers(ground & box(-180, -90, 180, 90))
    assert around.area < 60  # degrees, not a belt around the Earth


def test_a_reprocessed_scene_counts_once_in_its_newest_version(tmp_path: Path) -> None:
    old, new = (
        shot(f"S2A_19LCH_20190704_{number}_L2A", date(2019, 7, 4), seed=number,
             properties={"s2:processing_baseline": version})
        for number, version in enumerate(("02.12", "03.01"))
    )  # fmt: skip
    with StacServer(write_catalog(tmp_path / "catalog", [old, new])) as served:
        assert [s.id for s in source(served, tmp_path).scenes()] == [new.id]


def test_the_solar_day_holds_an_overpass_together_across_midnight() -> None:
    from datetime import UTC, datetime

    from minetrace.sources.stac_items import solar_day

    late, early = (datetime(2019, 7, d, h, m, tzinfo=UTC) for d, h, m in ((4, 23, 59), (5, 0, 1)))
    assert solar_day(late, 165.0) == solar_day(early, 165.0) == date(2019, 7, 5)
    assert solar_day(early, -70.0) == date(2019, 7, 4)


def test_a_scene_that_the_date_line_cuts_has_the_day_of_its_larger_part() -> None:
    from shapely import MultiPolygon
    from shapely.geometry import mapping

    from minetrace.sources.stac_items import parse_item

    cut = MultiPolygon([box(178.5, -18, 180, -17), box(-180, -18, -179.7, -17)])
    told = {"id": "a", "geometry": mapping(cut), "properties": {"datetime": "2019-07-04T22:20:00Z"}}
    assert parse_item(told).day == date(2019, 7, 5)


def test_the_same_scene_through_two_catalogs_has_the_same_reflectance(tmp_path: Path) -> None:
    raised = shot("S2A_19LCH_20230709_0_L2A", date(2023, 7, 9), raised=True)
    lowered = shot("S2A_19LCH_20230709_0_L2A", date(2023, 7, 9), properties={
        "s2:processing_baseline": "05.09", "earthsearch:boa_offset_applied": True})  # fmt: skip
    looks = []
    for name, style, one, host in (("pc", "planetary-computer", raised, "planetary-computer"),
                                   ("es", "earth-search", lowered, "earth-search")):  # fmt: skip
        write_catalog(tmp_path / name, [one], style=style)
        with StacServer(tmp_path / name) as served:
            here = source(served, tmp_path, collection="sentinel-2-l2a", host=host)
            looks.append(here.read(here.scenes()[0], ("red",), GRID, RECT))
    assert np.array_equal(looks[0].pixels, looks[1].pixels)
    assert np.array_equal(looks[0].valid, looks[1].valid)


def test_counts_that_cannot_be_told_are_refused_with_the_remedy(tmp_path: Path) -> None:
    unsure = shot("S2A_19LCH_20230709_0_L2A", date(2023, 7, 9), raised=True)
    write_catalog(tmp_path / "catalog", [unsure], style="earth-search")
    with StacServer(tmp_path / "catalog") as served:
        said = {"collection": "sentinel-2-l2a", "host": "earth-search"}
        with pytest.raises(RadiometryError, match="sentinel-2-c1-l2a"):
            source(served, tmp_path, **said)
        here = source(served, tmp_path, scale=1e-4, offset=-0.1, **said)
        assert here.read(here.scenes()[0], ("red",), GRID, RECT).valid.any()


def test_scenes_are_chosen_by_the_cloud_over_the_region(tmp_path: Path) -> None:
    overcast, dry = np.full((80, 80), 9, np.uint8), np.full((80, 80), 5, np.uint8)
    overcast[:8, :8] = 5  # clear over the region, cloudy elsewhere
    dry[:8, :8] = 9
    shots = [
        shot("S2A_19LCH_20190704_0_L2A", date(2019, 7, 4), classes=overcast,
             properties={"eo:cloud_cover": 99.0}),
        shot("S2A_19LCH_20190709_0_L2A", date(2019, 7, 9), classes=dry,
             properties={"eo:cloud_cover": 1.0}),
    ]  # fmt: skip
    corner = project(box(350_020, 8_589_860, 350_140, 8_589_980), UTM, "EPSG:4326")
    with StacServer(write_catalog(tmp_path / "catalog", shots)) as served:
        both = source(served, tmp_path, region=corner)
        assert len(both.scenes()) == 2
        here = source(served, tmp_path, region=corner, max_cloud=0.5)
        assert [s.day.day for s in here.scenes()] == [4]
        assert "1 of 2 scenes" in here.notes[0]
        served.forget()
        source(served, tmp_path, region=corner, max_cloud=0.5)
        assert served.seen.requests == []
        whole = source(served, tmp_path, region=corner, max_scene_cloud=0.5)
        assert [s.day.day for s in whole.scenes()] == [9]
        with pytest.raises(NoImageryError, match="max_scene_cloud"):
            source(served, tmp_path, max_scene_cloud=0.001)


def test_scenes_are_left_out_by_name(server: StacServer, tmp_path: Path) -> None:
    here = source(server, tmp_path, exclude=("*_2019????_*",))
    assert {scene.day.year for scene in here.scenes()} == {2023}
    assert here.notes == ("1 of 3 items are excluded",)
    with pytest.raises(NoImageryError, match=r"sources\.exclude: leaves out all 3"):
        source(server, tmp_path, exclude=("*",))


def test_clouds_that_were_counted_are_kept_when_another_mask_fails(
    server: StacServer, tmp_path: Path
) -> None:
    server.faults = [Fault("status", r"19LDH.*scl", times=1, status=404)]
    with pytest.raises(ReadFailedError, match=r"scl\.tif: .*no such file"):
        source(server, tmp_path, max_cloud=0.5)
    server.forget()
    source(server, tmp_path, max_cloud=0.5)
    assert {path for _, path, _ in server.seen.requests} == {
        "/data/S2A_19LDH_20230709_0_L2A/scl.tif"
    }


def test_an_api_that_does_not_say_that_it_searches_is_searched(
    server: StacServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("minetrace.testing.stac_server._CONFORMS", ("core",))
    assert len(source(server, tmp_path).scenes()) == 2


def test_what_is_not_there_is_said(server: StacServer, tmp_path: Path) -> None:
    for _ in range(2):  # asked again each time: it may be there tomorrow
        server.forget()
        with pytest.raises(NoImageryError, match=r"nothing of sentinel-2-c1-l2a .*2000-12-31"):
            source(server, tmp_path, spans=((date(2000, 1, 1), date(2001, 1, 1)),))
        assert server.seen.of("/search")
    with pytest.raises(StudyError, match=r"sources\.collection"):
        source(server, tmp_path, collection=None)
    with pytest.raises(BandError, match="qa_pixel"):
        source(server, tmp_path, mask=MaskOptions("qa_pixel"))
