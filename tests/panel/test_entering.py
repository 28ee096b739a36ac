"""Files of outlines into periods: whose hectares count, and what is not guessed."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely

from minetrace.core.footprints import Footprints
from minetrace.core.period import Period
from minetrace.errors import OutlineError, PeriodError, RasterError
from minetrace.flow.entering import Choice, enter
from minetrace.flow.panel_folder import refuse_unlikely
from minetrace.flow.tallies import TallyRequest, count
from minetrace.panel.build import build_panel
from minetrace.panel.dateline import cut_at_date_line
from minetrace.panel.territories import Territories
from minetrace.publish.geopackage import write_geopackage
from minetrace.store.outlines import read_polygons, write_table

UTM = "EPSG:32736"
MINED = Choice(extent="mined")


def square(east_m: float = 0.0) -> shapely.Polygon:
    """A square kilometre."""
    return shapely.box(500_000 + east_m, 9_000_000, 501_000 + east_m, 9_001_000)


def table(*shapes: shapely.Geometry, **columns: object) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(columns, geometry=list(shapes), crs=UTM)


def told(*hectares: float) -> Footprints:
    shapes = np.array([square(2000 * i) for i in range(len(hectares))], dtype=object)
    return Footprints(shapes, UTM, "mined", {"area_ha": np.array(hectares)})


# --- a panel is known by its columns ------------------------------------------------------------


def blind_in_2020() -> gpd.GeoDataFrame:
    def looked(period: Period, ground: np.ndarray) -> np.ndarray:
        return np.full(len(ground), 0.0 if period.label == "2020" else 1.0)

    nothing = Footprints(np.array([], dtype=object), UTM, "mined", {"area_ha": np.array([])})
    years = {Period.year(2019): told(10), Period.year(2020): nothing, Period.year(2021): told(10)}
    return build_panel(years, looked=looked)


@pytest.mark.parametrize("name", ["panel.parquet", "mine.parquet", "panel.gpkg", "mine.geojson"])
def test_a_panel_by_any_name_keeps_its_hectares_and_blind_years(name: str, tmp_path: Path) -> None:
    panel, path = blind_in_2020(), tmp_path / name
    if path.suffix == ".gpkg":
        write_geopackage(path, panel)
    elif path.suffix == ".parquet":
        write_table(path, panel)
    else:
        panel.to_file(path)
    table(shapely.box(4e5, 8.9e6, 6e5, 9.1e6), id=["t"]).to_file(tmp_path / "by.gpkg")
    rows = count(TallyRequest([path], tmp_path / "by.gpkg", "id"))[0].query("part == 'territory'")
    assert rows["present_ha"].tolist() == pytest.approx([10, float("nan"), 10], nan_ok=True)
    assert rows["unseen_ha"].tolist() == pytest.approx([0, 10, 0])
    assert rows["looked_share"].tolist() == [1, 0, 1]


def test_outlines_of_a_panel_enter_with_its_hectares(tmp_path: Path) -> None:
    write_geopackage(tmp_path / "panel.gpkg", blind_in_2020())
    found = enter([tmp_path / "panel.gpkg"]).footprints
    assert [part.columns["area_ha"].tolist() for part in found.values()] == [[10], [10]]


# --- told and measured hectares -----------------------------------------------------------------


def test_told_and_measured_hectares_of_a_period_do_not_mix(tmp_path: Path) -> None:
    table(square(), **{"Mined area (ha)": [10.0]}).to_file(tmp_path / "told.gpkg")
    table(square(5000), id=[1]).to_file(tmp_path / "drawn.gpkg")
    here = [f"2019={tmp_path / name}.gpkg" for name in ("told", "drawn")]
    with pytest.raises(OutlineError, match="period 2019: some files tell the hectares"):
        enter(here, MINED)
    notes = enter([here[0], here[1].replace("2019", "2020", 1)], MINED).notes
    assert "told in 2019, and measured in 2020" in notes[-1]


# --- files of several layers --------------------------------------------------------------------


def test_of_several_layers_none_is_taken_silently(tmp_path: Path) -> None:
    path = tmp_path / "two_2020.gpkg"
    table(square(), id=[1]).to_file(path, layer="old")
    assert len(read_polygons(path)) == 1
    table(square(5000), id=[1]).to_file(path, layer="new")
    with pytest.raises(OutlineError, match=r"two_2020.gpkg: holds 2 layers \(old, new\)"):
        enter([path], MINED)


def test_what_is_named_anew_and_what_is_published_as_new_is_said(tmp_path: Path) -> None:
    names = {"id": [7], "iso_a3": ["GHA"], "country_name": ["Ghana"], "year": [2019]}
    table(square(), **names).to_file(tmp_path / "panel.gpkg")
    (said,) = enter([tmp_path / "panel.gpkg"]).notes
    assert "id (named anew), iso_a3 (named anew), country_name (named anew)" in said
    told = table(square(), **{"Mined area (ha)": [80.0]})
    told.to_file(tmp_path / "mining_202300.geojson")
    entered = enter([tmp_path / "mining_202300.geojson"])
    for counts, warned in ((None, 1), ("new", 0)):
        entered.notes.clear()
        refuse_unlikely(entered, counts)
        assert sum("give --counts new" in note for note in entered.notes) == warned


def test_a_name_is_checked_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "no_outlines_2019.gpkg").write_text("broken")
    table(square()).to_file(tmp_path / "mines.gpkg")
    files = [tmp_path / "no_outlines_2019.gpkg", tmp_path / "mines.gpkg"]
    with pytest.raises(PeriodError, match="no period"):
        enter(files, MINED)


def test_two_versions_of_a_map_in_one_period_are_warned_of(tmp_path: Path) -> None:
    for name, places in (("raw", (0, 3000, 6000)), ("clean", (0, 3000)), ("east", (9000,))):
        table(*map(square, places)).to_file(tmp_path / f"{name}_2019.gpkg")
    raw, clean, east = (tmp_path / f"{name}_2019.gpkg" for name in ("raw", "clean", "east"))
    warned = [note for note in enter([raw, clean], MINED).notes if "warning" in note]
    assert len(warned) == 1
    assert "100% of the outlines of clean_2019.gpkg" in warned[0]
    assert not [note for note in enter([raw, east], MINED).notes if "warning" in note]


# --- rasters ------------------------------------------------------------------------------------


def raster(path: Path, values: np.ndarray) -> Path:
    place = rasterio.transform.from_origin(500_000, 9_000_000, 10, 10)
    height, width = values.shape
    with rasterio.open(path, "w", driver="GTiff", width=width, height=height, count=1,
                       dtype=values.dtype, crs=UTM, transform=place) as file:  # fmt: skip
        file.write(values, 1)
    return path


def test_a_given_scale_always_counts_and_the_file_is_noted(tmp_path: Path) -> None:
    percent = np.zeros((64, 64), dtype=np.float32)
    percent[10:30, 10:30] = 1.0
    path = raster(tmp_path / "shares_2019.tif", percent)
    entered = enter([path], Choice(extent="mined", scale=0.01))
    assert [len(part) for part in entered.footprints.values()] == [0]
    (said,) = entered.files
    assert said["file"] == str(path)
    assert said["taken for"] == "a raster of shares, outlined from 0.5, its values times 0.01"
    assert "shares_2019.tif: 0 outlines" in entered.notes[0]


def test_the_highest_number_is_a_value_where_no_nodata_is_named(tmp_path: Path) -> None:
    full = np.zeros((64, 64), dtype=np.uint8)
    full[10:30, 10:30] = 255
    path = raster(tmp_path / "bytes_2019.tif", full)
    for scale in (1 / 255, 0.00392157, 0.003922, None):
        (found,) = enter([path], Choice(extent="mined", scale=scale)).footprints.values()
        assert found.hectares.tolist() == pytest.approx([4], rel=1e-2)
    full[40, 40] = 90
    other = raster(tmp_path / "grey_2019.tif", full)
    with pytest.raises(RasterError, match=r"255 without a scale.* 0\.003922 for 0 to 255"):
        enter([other], MINED)


# --- outlines that are odd ----------------------------------------------------------------------


def test_an_outline_across_the_date_line_is_cut_there_however_it_was_drawn(tmp_path: Path) -> None:
    past = shapely.box(179.99, 0, 180.01, 0.01)
    around = shapely.Polygon([(179.99, 0), (-179.99, 0), (-179.99, 0.01), (179.99, 0.01)])
    apart = shapely.box(10, 0, 10.01, 0.01)  # on its latitude, at the other side of the globe
    files = []
    for year, shape in ((2019, past), (2020, around)):
        files.append(tmp_path / f"mines_{year}.geojson")
        gpd.GeoDataFrame(geometry=[shape, apart], crs="EPSG:4326").to_file(files[-1])
    entered = enter(files, MINED)
    assert sum("across the date line, cut there" in note for note in entered.notes) == 2
    panel = build_panel(entered.footprints)
    assert panel["site_id"].nunique() == 2
    assert sorted(panel["area_ha"]) == pytest.approx([123.1, 123.1, 246.2, 246.2], abs=0.1)
    assert np.abs(shapely.bounds(panel.geometry.to_numpy())[:, [0, 2]]).max() <= 180


def test_what_is_half_a_globe_wide_is_left_as_it_is() -> None:
    wide = np.array([shapely.box(-180, -1, 180, 1), shapely.box(-100, 0, 100, 1)], dtype=object)
    shapes, cut = cut_at_date_line(wide)
    assert not len(cut)
    assert shapely.equals(shapes, wide).all()


def test_mending_leaves_out_what_has_no_ground(tmp_path: Path) -> None:
    flat = shapely.Polygon([(500_000, 0), (501_000, 0), (500_000, 0)])
    bow = shapely.Polygon([(0, 0), (1000, 1000), (1000, 0), (0, 1000)])
    file = tmp_path / "mines_2019.gpkg"
    table(flat, bow, square()).to_file(file)
    entered = enter([file], Choice(extent="mined", mend=True))
    assert len(entered.footprints[Period.year(2019)]) == 2
    assert [note.partition(": ")[2] for note in entered.notes[1:]] == [
        "1 outlines that crossed themselves, mended",
        "1 outlines that crossed themselves, without ground left out",
    ]


def test_a_polygon_without_vertices_is_no_polygon(tmp_path: Path) -> None:
    file = tmp_path / "mines_2019.gpkg"
    table(square(), shapely.Polygon()).to_file(file)
    assert read_polygons(file).geometry.notna().sum() == 1
    by = table(square(), shapely.Polygon(), code=["here", "nowhere"])
    assert list(Territories.of(by, id="code").unit) == ["here"]
