"""What the static map is told of a run, and its pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
from fake_run import BLIND, EAST, NASTY, NORTH, SOUTH, WEST, YEARS, decoded, write_fake
from shapely.geometry import box

from minetrace.core.period import Period
from minetrace.errors import OutlineError, PeriodError
from minetrace.publish.map import frame, true_colour, write_map
from minetrace.publish.site_table import KINDS, UNSEEN


def told(folder: Path) -> dict[str, Any]:
    text = (folder / "data.js").read_text(encoding="ascii")
    return json.loads(text.removeprefix("window.minetraceData=").rstrip().removesuffix(";"))


def test_hectares_and_their_cohorts_are_those_of_the_panel(
    written: Path, panel: gpd.GeoDataFrame
) -> None:
    data = told(written)
    for period in data["periods"]:
        rows = panel[panel.period == period["label"]]
        if period["label"] == str(BLIND):
            assert period["hectares"] is None
            assert period["cohorts"] is None
            continue
        assert period["hectares"] == pytest.approx(rows.area_ha.sum(), abs=1e-5)
        by_first = rows.groupby("first_period").area_ha.sum()
        for label, part in zip((str(y) for y in YEARS), period["cohorts"], strict=True):
            assert part == pytest.approx(by_first.get(label, 0.0), abs=1e-3)


def test_not_looked_is_neither_zero_nor_seen(written: Path) -> None:
    place = YEARS.index(BLIND)
    for *_, rows in told(written)["known"].values():
        assert rows[place][0] is None
        assert rows[place][-1] == UNSEEN
        assert all(row[0] is not None for at, row in enumerate(rows) if at != place)


def test_writing_twice_gives_the_same_bytes_and_leaves_nothing_temporary(
    written: Path, panel: gpd.GeoDataFrame
) -> None:
    before = {path: path.read_bytes() for path in written.rglob("*") if path.is_file()}
    write_fake(written, panel, side=128, title=f"Oro Manso {NASTY}")
    assert {path: path.read_bytes() for path in written.rglob("*") if path.is_file()} == before


def test_footprints_keep_their_name(tmp_path: Path, panel: gpd.GeoDataFrame) -> None:
    wide = panel.rename(columns={"area_ha": "footprint_ha"}).assign(extent="footprint")
    year = Period.year(2024)
    rows = wide[wide.period == "2024"]
    write_map(
        tmp_path,
        title="Footprints",
        panel=rows,
        periods=[year],
        pictures={},
        region=box(WEST, SOUTH, EAST, NORTH),
        provenance={},
        summary=[{"period": "2024", "sites": 9, "footprint_ha": 90.5, "looked_share": 1.0}],
    )
    data = told(tmp_path)
    assert data["periods"][0]["kind"] == "footprint"
    assert data["periods"][0]["hectares"] == 90.5
    assert data["periods"][0]["cohorts"] is None  # they do not add up to 90.5, so none are shown
    kinds = {row[1] for *_, rows in data["known"].values() for row in rows}
    assert kinds == {KINDS.index("footprint")}


def test_a_panel_that_cannot_be_shown_is_refused(tmp_path: Path, panel: gpd.GeoDataFrame) -> None:
    rest: dict[str, Any] = {
        "title": "x",
        "pictures": {},
        "region": box(WEST, SOUTH, EAST, NORTH),
        "provenance": {},
        "summary": [],
    }
    periods = [Period.year(year) for year in YEARS]
    with pytest.raises(OutlineError, match="extent"):
        write_map(tmp_path, panel=panel.drop(columns="extent"), periods=periods, **rest)
    with pytest.raises(OutlineError, match="4326"):
        write_map(tmp_path, panel=panel.to_crs(32719), periods=periods, **rest)
    with pytest.raises(PeriodError, match="2024"):
        write_map(tmp_path, panel=panel, periods=periods[:-1], **rest)


def test_links_lead_to_what_lies_beside_the_map(tmp_path: Path, panel: gpd.GeoDataFrame) -> None:
    (tmp_path / "panel.gpkg").write_bytes(b"12345")
    wanted = [tmp_path / "panel.gpkg", tmp_path / "tallies.csv"]
    index = write_fake(tmp_path / "map", panel, side=32, title="Links", downloads=wanted)
    (link,) = told(index.parent)["downloads"]
    assert link == {"name": "panel.gpkg", "href": "../panel.gpkg", "bytes": 5}


# --- pictures ----------------------------------------------------------------------------


def test_a_region_on_the_date_line_is_shown_in_one_piece() -> None:
    fiji = box(177, -19, 180, -16) | box(-180, -18, -178.5, -15)
    assert frame(fiji) == (177, -19, 181.5, -15)
    for plain in (
        box(-70, -13, -69, -12),
        box(-5, 4, 3, 9),
        box(-60, 0, -50, 5) | box(20, 0, 30, 5),
    ):
        assert frame(plain) == plain.bounds


def test_true_colour_is_transparent_where_nothing_was_seen() -> None:
    band = np.full((60, 100), 900, dtype=np.int16)
    band[:, :50] = -32768
    valid = band > -32768
    data = true_colour(band, band // 2, band // 3, valid, max_px=50)
    picture = decoded(data)
    assert picture.shape == (4, 30, 50)
    assert (picture[3, :, :24] == 0).all()
    assert (picture[3, :, 26:] == 255).all()
    red, green, blue = picture[:3, :, 40].astype(int)
    assert (red > green).all()
    assert (green > blue).all()


def test_equal_ground_has_an_equal_colour_in_every_picture() -> None:
    rng = np.random.default_rng(1)
    bright = rng.integers(0, 6000, (3, 64, 64)).astype(np.int16)
    dark = (bright // 20).astype(np.int16)
    for bands in (bright, dark):
        bands[:, :32, :32] = 800
    seen = np.ones((64, 64), dtype=bool)
    corners = []
    for bands in (bright, dark):
        data = true_colour(bands[0], bands[1], bands[2], seen, max_px=64)
        corners.append(decoded(data)[:3, 4:20, 4:20].astype(int).mean(axis=(1, 2)))
    assert np.abs(corners[0] - corners[1]).max() <= 3
