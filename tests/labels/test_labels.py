"""Labels: read, repaired, put together, selected."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from minetrace.core.period import Period
from minetrace.errors import LabelError, MissingFileError
from minetrace.labels.overlap import overlaps, table, without_duplicates
from minetrace.labels.read import LabelFile, read_all, read_labels
from minetrace.labels.select import between_latitudes, in_regions, outside, within, without

BOWTIE = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
SQUARE = shapely.box(2, 2, 3, 3)
HOLED = shapely.box(4, 4, 6, 6).difference(shapely.box(4.5, 4.5, 5, 5))


def write(path: Path, shapes: list[shapely.Geometry], **columns: list[object]) -> Path:
    gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:4326").to_file(path)
    return path


def test_outlines_that_cross_themselves_are_repaired_and_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", [BOWTIE, SQUARE, HOLED, shapely.LineString([(0, 0), (1, 1)])])
    labels, repairs = read_labels(LabelFile(path, source="us", licence="MIT", vintage="2019"))
    assert (repairs.read, repairs.repaired, repairs.dropped) == (4, 1, 1)
    assert shapely.is_valid(labels.geometry).all()
    assert labels.geometry[2].area == pytest.approx(HOLED.area)
    assert set(labels.source) == {"us"}
    assert set(labels.licence) == {"MIT"}
    assert set(labels.vintage) == {"2019"}


def test_a_union_of_files_keeps_sources_and_drops_what_is_drawn_twice(tmp_path: Path) -> None:
    nearly = shapely.affinity.translate(SQUARE, 0.005)
    one = write(tmp_path / "one.gpkg", [SQUARE, HOLED], country=["GHA", "CIV"])
    two = write(tmp_path / "two.geojson", [nearly, shapely.box(5.5, 5.5, 7, 7)])
    labels, _ = read_all([LabelFile(one), LabelFile(two)])
    found = overlaps(labels)
    assert len(found.pairs) == 2
    assert found.duplicates.sum() == 1
    told = table(labels, found).splitlines()
    assert sum(line.endswith(",1,0") for line in told) == 1
    assert told[0].startswith("first,second,shared_ha")
    once = without_duplicates(labels, found)
    assert list(once.source) == ["one", "one", "two"]
    assert list(in_regions(once, ["CIV"]).id) == ["one:1"]
    with pytest.raises(LabelError, match="did you mean 'GHA'"):
        in_regions(once, ["GH"])


def test_an_outline_drawn_twice_keeps_all_its_days(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", [SQUARE] * 3,
                 start=["2019-01-01", "2017-01-01", "2018-01-01"],
                 end=["2020-01-01", "2024-01-01", "2019-01-01"])  # fmt: skip
    labels, _ = read_labels(LabelFile(path, start_column="start", end_column="end"))
    once = without_duplicates(labels, overlaps(labels))
    assert list(once.id) == ["a:0", "a:1"]
    assert len(once.during(Period.year(2022))) == 1


def test_labels_of_other_days_do_not_meet(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", [SQUARE, SQUARE], year=[2019, 2020])
    labels, _ = read_labels(LabelFile(path, when="year"))
    assert len(overlaps(labels).pairs) == 0
    assert list(labels.during(Period.year(2020)).id) == ["a:1"]


def test_points_with_class_days_and_source(tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text(
        "lon,lat,kind,from,to,source\n-1.5,6.0,mine,2019-01-01,2020-01-01,field\n"
        "-1.6,6.1,other,,,look\n"
    )
    file = LabelFile(path, class_column="kind", start_column="from", end_column="to")
    labels, _ = read_labels(file)
    assert list(labels.klass) == [1, 0]
    assert list(labels.source) == ["field", "look"]
    assert set(read_labels(replace(file, source="us"))[0].source) == {"us"}
    assert not labels.polygons.any()
    assert labels.start[0] == date(2019, 1, 1)
    assert list(labels.during(Period.year(2021)).klass) == [0]
    named = gpd.GeoDataFrame({"kind": ["pond"]}, geometry=[shapely.Point(0, 0)], crs=4326)
    named.to_file(tmp_path / "p.geojson")
    with pytest.raises(LabelError, match="'pond' is none of other, mine"):
        read_labels(LabelFile(tmp_path / "p.geojson", class_column="kind"))


def test_a_layer_of_multipoints_is_one_of_points(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", [shapely.MultiPoint([(1, 2)]), shapely.MultiPoint([(3, 4)])])
    labels, repairs = read_labels(LabelFile(path))
    assert [point.coords[0] for point in labels.geometry] == [(1, 2), (3, 4)]
    assert repairs.dropped == 0
    path = write(tmp_path / "b.gpkg", [shapely.MultiPoint([(1, 2), (3, 4)])])
    with pytest.raises(LabelError, match="row 0 is 2 points, and a label is one"):
        read_labels(LabelFile(path))


def test_selection(tmp_path: Path) -> None:
    labels, _ = read_labels(LabelFile(write(tmp_path / "a.gpkg", [BOWTIE, SQUARE, HOLED])))
    assert len(between_latitudes(labels, 2, 4)) == 1
    assert len(within(labels, shapely.box(0, 0, 2.5, 2.5))) == 2
    assert len(outside(labels, shapely.box(0, 0, 2.5, 2.5))) == 1
    assert list(without(labels, ["a:1"]).id) == ["a:0", "a:2"]
    with pytest.raises(LabelError, match="no label is called 'a:7'"):
        without(labels, ["a:7"])


def test_what_cannot_be_used_says_why(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file of labels"):
        read_labels(LabelFile(tmp_path / "none.gpkg"))
    bad = tmp_path / "bad.csv"
    bad.write_text("name\na\n")
    with pytest.raises(LabelError, match="has lon and lat"):
        read_labels(LabelFile(bad))
    far = gpd.GeoDataFrame(geometry=[shapely.box(500_000, 0, 500_100, 100)], crs="EPSG:4326")
    far.to_file(tmp_path / "far.gpkg")
    with pytest.raises(LabelError, match="not longitude and latitude"):
        read_labels(LabelFile(tmp_path / "far.gpkg"))


def test_published_polygons_come_together(shared_data: Path) -> None:
    folder = shared_data / "polygons"
    tiles = folder / "mining_tiles_test_annotations.gpkg"
    labels, repairs = read_all([
        LabelFile(folder / "asm-west-africa/gt_asm_shapes.shp", licence="CC BY 4.0"),
        LabelFile(folder / "mining_polygons_combined_demo.gpkg"),
        LabelFile(tiles, layer="polygons_annotated"), LabelFile(tiles, layer="polygons_original"),
    ])  # fmt: skip
    assert [r.repaired for r in repairs] == [1, 0, 0, 0]
    assert len(labels) == 781
    found = overlaps(labels)
    assert found.duplicates.sum() == 74
    assert len(np.unique(labels.id)) == 781


def test_bare_points_without_dates_are_answered_with_what_to_write(tmp_path: Path) -> None:
    path = write(tmp_path / "bare.geojson", [shapely.Point(-70, -12)])
    with pytest.raises(LabelError, match=r"'start_date'\. It has none; .*when: 2023"):
        read_labels(LabelFile(path, start_column="start_date"))
    with pytest.raises(LabelError, match="leave out id"):
        read_labels(LabelFile(path, id_column="id"))
