"""When a scene was taken."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from minetrace.errors import MissingFileError, StudyError
from minetrace.sources.dates import DateOptions, acquired

AUTO = DateOptions()
DAY = date(2019, 2, 14)


@pytest.mark.parametrize(
    "name",
    [
        "world_20190214.tif",
        "S2L2A_2019-02-14.tif",
        "x2019_02_14_y.vrt",
        "20190214T052221_tile.tif",
        "LC08_L2SP_218074_20190214_20200829_02_T1.tif",
        "S2A_MSIL2A_20190214T052221_N0211_R062_T44QNF_20190301T083210.tif",
        "a_20190214_b_20190214.tif",
        "run-99999999_20190214.tif",
    ],
)
def test_an_unmistakable_date_in_the_name(name: str) -> None:
    assert acquired(Path(name), {}, AUTO) == DAY


@pytest.mark.parametrize(
    "tags",
    [
        {"ACQUISITION_DATE": "2019-02-14"},
        {"TIFFTAG_DATETIME": "2019:02:14 10:31:00"},
        {"acquisition_date": "2019-02-14T10:31:00Z", "TIFFTAG_DATETIME": "2024:01:01 00:00:00"},
        {"DATE_ACQUIRED": "20190214"},
    ],
)
def test_a_tag_where_the_name_says_nothing(tags: dict[str, str]) -> None:
    assert acquired(Path("scene.tif"), tags, AUTO) == DAY
    assert acquired(Path("scene_20190101_20190201.tif"), tags, AUTO) == DAY


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("%Y%m%d", "A20190214001.tif"),
        ("%d.%m.%y", "scene_14.02.19.tif"),
        ("A%Y%j", "MOD_A2019045_h11.tif"),
        (r"(?P<day>\d+)-(?P<month>\d+)-(?P<year>\d+)", "x_14-2-2019.tif"),
    ],
)
def test_a_pattern(pattern: str, name: str) -> None:
    assert acquired(Path(name), {}, DateOptions(pattern=pattern)) == DAY


def test_a_named_tag_and_a_table(tmp_path: Path) -> None:
    assert acquired(Path("x.tif"), {"when": "2019-02-14"}, DateOptions(tag="WHEN")) == DAY
    table = tmp_path / "dates.csv"
    table.write_text("file,date\nx.tif,2019-02-14\nsub/y.tif,20190215\n")
    options = DateOptions(csv=table)
    assert acquired(Path("/data/x.tif"), {}, options) == DAY
    assert acquired(Path("/data/sub/y.tif"), {}, options) == date(2019, 2, 15)


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("scene.tif", AUTO, "no date in its name or tags; say where it is with sources.date"),
        ("a_20190214_20190301.tif", AUTO, "2019-02-14 and 2019-03-01"),
        ("a_20191345.tif", AUTO, "no date"),
        ("scene.tif", DateOptions(pattern="%Y%m%d"), "no date by the pattern"),
        ("x_20191345.tif", DateOptions(pattern="%Y%m%d"), "no date"),
        ("x_2019367.tif", DateOptions(pattern="%Y%j"), "no date"),
        ("scene.tif", DateOptions(tag="WHEN"), "no tag WHEN, of which it has: AREA"),
    ],
)
def test_no_date_where_it_should_be(name: str, options: DateOptions, says: str) -> None:
    with pytest.raises(StudyError, match=says) as caught:
        acquired(Path(name), {"AREA": "x"}, options)
    assert name in str(caught.value)


def test_options_that_say_no_date(tmp_path: Path) -> None:
    for pattern in ("%Y", "(unclosed", "%Q%d", r"(?P<year>\d+)"):
        with pytest.raises(StudyError, match="pattern"):
            DateOptions(pattern=pattern)
    with pytest.raises(StudyError, match="not several"):
        DateOptions(pattern="%Y%m%d", tag="x")
    with pytest.raises(MissingFileError, match=r"none\.csv"):
        acquired(Path("x.tif"), {}, DateOptions(csv=tmp_path / "none.csv"))
    table = tmp_path / "dates.csv"
    table.write_text("file,date\nx.tif,soon\n")
    with pytest.raises(StudyError, match="line 2: 'soon'"):
        acquired(Path("x.tif"), {}, DateOptions(csv=table))
    table.write_text("file,date\ny.tif,2019-01-01 \n")
    with pytest.raises(StudyError, match="not in"):
        acquired(Path("x.tif"), {}, DateOptions(csv=table))
    table.write_text("name,day\n")
    with pytest.raises(StudyError, match="columns file and date"):
        acquired(Path("x2.tif"), {}, DateOptions(csv=table))
