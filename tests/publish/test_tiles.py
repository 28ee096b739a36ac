"""Tiles of a large run, read back by GDAL, and the parts that the page opens."""

from __future__ import annotations

import base64
import io
import itertools
import json
import math
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely
from fake_run import BLIND, YEARS, fake_panel, write_fake

from minetrace.publish.parts import CHUNK_BYTES
from minetrace.publish.pmtiles import Archive, Place, tile_id
from minetrace.publish.site_table import GONE, SEEN, UNSEEN, SiteTable, events_of
from minetrace.publish.tiles import LAST_ZOOM, thinned

LABELS = [str(year) for year in YEARS]


@pytest.fixture(scope="module")
def large() -> gpd.GeoDataFrame:
    return fake_panel(60, seed=5)


@pytest.fixture(scope="module")
def tiled(tmp_path_factory: pytest.TempPathFactory, large: gpd.GeoDataFrame) -> Path:
    folder = tmp_path_factory.mktemp("tiled") / "map"
    write_fake(folder, large, side=32, title="Large", embed_vertices=0)
    return folder


def part(path: Path) -> Any:
    text = path.read_text(encoding="ascii")
    name, content = json.loads("[" + text.removeprefix("minetracePart(").rstrip()[:-2] + "]")
    assert path.as_posix().endswith(f"{name}.js")
    return content


# --- the archive --------------------------------------------------------------------------


def test_ids_follow_the_curve_of_the_specification() -> None:
    known = {(0, 0, 0): 0, (1, 0, 0): 1, (1, 0, 1): 2, (1, 1, 1): 3, (1, 1, 0): 4, (2, 0, 0): 5,
             (12, 3423, 1763): 19078479}  # fmt: skip
    assert {place: tile_id(Place(*place)) for place in known} == known


@pytest.mark.parametrize("zoom", range(1, 7))
def test_each_place_has_an_id_and_neighbours_on_the_curve_touch(zoom: int) -> None:
    side = 1 << zoom
    places = [Place(zoom, x, y) for x in range(side) for y in range(side)]
    ordered = sorted(places, key=tile_id)
    first = sum(4**z for z in range(zoom))
    assert [tile_id(place) for place in ordered] == list(range(first, first + side * side))
    for a, b in itertools.pairwise(ordered):
        assert abs(a.column - b.column) + abs(a.row - b.row) == 1


def test_tiles_out_of_order_are_refused() -> None:
    archive = Archive(io.BytesIO())
    archive.add(Place(1, 1, 1), b"x")
    with pytest.raises(ValueError, match="before"):
        archive.add(Place(1, 0, 0), b"x")


def test_a_large_directory_gets_leaves_and_a_root_that_fits(tmp_path: Path) -> None:
    archive = Archive(io.BytesIO())
    rng = np.random.default_rng(1)
    for place in sorted((Place(7, x, y) for x in range(128) for y in range(128)), key=tile_id):
        archive.add(place, rng.bytes(int(rng.integers(1, 200))))
    path = tmp_path / "many.pmtiles"
    archive.write(path, [-10, -10, 10, 10], {})
    header = np.frombuffer(path.read_bytes()[8:104], dtype="<u8")
    root_at, root_bytes, _, _, leaves_at, leaves_bytes, tiles_at, tiles_bytes = header[:8]
    assert root_at + root_bytes <= 16_384
    assert leaves_bytes > 0
    assert tiles_at == leaves_at + leaves_bytes
    assert tiles_at + tiles_bytes == path.stat().st_size
    assert list(header[8:11]) == [128 * 128] * 3


# --- what is in it -------------------------------------------------------------------------


def test_every_outline_is_at_the_last_zoom_where_the_panel_has_it(
    tiled: Path, large: gpd.GeoDataFrame
) -> None:
    sites = SiteTable.of(large, LABELS)
    assert len(pyogrio.list_layers(tiled / "panel.pmtiles")) == 1 + len(YEARS)
    for at, label in enumerate(LABELS):
        found = gpd.read_file(tiled / "panel.pmtiles", layer=f"outlines-{label}")
        pieces = found.dissolve("site").geometry
        expected = np.flatnonzero(sites.state[:, at] <= UNSEEN)
        assert sorted(pieces.index.astype(int)) == expected.tolist()
        assert set(found.state) == ({UNSEEN} if label == str(BLIND) else {SEEN})
        truth = gpd.GeoSeries(
            sites.shapes[sites.drawn[expected, at]], index=expected, crs=4326
        ).to_crs(3857)
        there = pieces.set_axis(pieces.index.astype(int)).loc[expected].to_crs(3857)
        apart = shapely.hausdorff_distance(truth.to_numpy(), there.to_numpy())
        assert apart.max() < 2 * 40_075_017 / 2**LAST_ZOOM / 8192


def test_hectares_on_the_shelves_are_the_panels_own(tiled: Path, large: gpd.GeoDataFrame) -> None:
    records = [site for path in sorted((tiled / "sites").glob("*.js")) for site in part(path)]
    assert [site[0] for site in records] == sorted(large.site_id.unique())
    wanted = large.set_index(["site_id", "period"]).area_ha
    for name, *_, rows in records:
        for label, row in zip(LABELS, rows, strict=True):
            truth = wanted[name, label]
            assert row[0] == (None if math.isnan(truth) else pytest.approx(truth, abs=1e-6))


def test_parts_are_the_archive_and_an_equal_panel_makes_no_new_tiles(
    tiled: Path, large: gpd.GeoDataFrame
) -> None:
    archive = tiled / "panel.pmtiles"
    parts = sorted((tiled / "panel-pmtiles").glob("*.js"))
    assert b"".join(base64.b64decode(part(path)) for path in parts) == archive.read_bytes()
    assert len(parts) == math.ceil(archive.stat().st_size / CHUNK_BYTES)
    before = archive.stat().st_mtime_ns
    write_fake(tiled, large, side=32, title="Large", embed_vertices=0)
    assert archive.stat().st_mtime_ns == before
    content = archive.read_bytes()
    (tiled / "panel.pmtiles.json").unlink()
    write_fake(tiled, large, side=32, title="Large", embed_vertices=0)
    assert archive.read_bytes() == content


def test_a_small_run_leaves_nothing_of_a_large_one(tmp_path: Path, large: gpd.GeoDataFrame) -> None:
    write_fake(tmp_path, large, side=32, title="Large", embed_vertices=0)
    write_fake(tmp_path, large[large.period == "2024"], side=32, title="Small")
    assert not list(tmp_path.glob("panel.pmtiles*"))
    assert not (tmp_path / "panel-pmtiles").exists()
    assert not (tmp_path / "sites").exists()


def test_far_away_the_largest_of_a_neighbourhood_stands_for_it(large: gpd.GeoDataFrame) -> None:
    sites = SiteTable.of(large, LABELS)
    since = thinned(sites)
    for at in (0, len(YEARS) - 1):
        there = np.flatnonzero(sites.state[:, at] == SEEN)
        largest = there[np.argmax(sites.hectares[there, at])]
        assert since[largest, at] == since[there, at].min() == 0
    shown = [(since[:, -1] <= zoom).sum() for zoom in range(LAST_ZOOM + 1)]
    assert shown == sorted(shown)
    assert shown[-1] == len(sites)


# --- the table -----------------------------------------------------------------------------


def test_an_outline_is_borrowed_from_the_nearest_period_before(large: gpd.GeoDataFrame) -> None:
    sites = SiteTable.of(large, LABELS)
    blind = YEARS.index(BLIND)
    assert (sites.state[:, blind] == UNSEEN).all()
    known = sites.state[:, blind - 1] == SEEN
    assert (sites.drawn[known, blind] == sites.drawn[known, blind - 1]).all()
    late = np.flatnonzero(sites.first == YEARS.index(2024))
    assert (sites.drawn[late] == sites.drawn[late, -1:]).all()
    assert (sites.state[late, 0] == GONE).all()
    listed, count = sites.leaders(blind)
    assert count == len(sites)
    assert len(set(listed)) == len(listed)


def test_records_hold_parents_and_events_by_name(large: gpd.GeoDataFrame) -> None:
    parents = [["a", "b"] if i == 0 else [] for i in range(len(large))]
    panel = large.assign(parents=parents)
    sites = SiteTable.of(panel, LABELS)
    name = str(panel.site_id.iloc[0])
    events = events_of(panel)
    (record,) = sites.records(events, [sites.ids.index(name)])
    assert record[0] == name
    assert record[-1][0][6] == ["a", "b"]
    assert events[record[-1][0][2]] == panel.event.iloc[0]
