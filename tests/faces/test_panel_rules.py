"""``minetrace panel``: each rule alone by its flags, and names that people gave."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import rasterio
import shapely

from minetrace.core.period import Period
from minetrace.temporal.masks import union_through_time
from terminal import minetrace

HERE, BESIDE, FAR = (-60.0, -5.0), (-60.0, -4.9895), (-58.0, -5.0)


def squares(
    *corners: tuple[float, float], side: float = 0.01, **columns: object
) -> gpd.GeoDataFrame:
    shapes = [shapely.box(x, y, x + side, y + side) for x, y in corners]
    return gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:4326")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """A mine in both years, one alone and unsure in the second, and one that moved a little."""
    squares(HERE, pred=[0.9]).to_file(tmp_path / "a_2020.gpkg")
    squares(BESIDE, FAR, pred=[0.8, 0.6]).to_file(tmp_path / "a_2021.gpkg")
    squares((-58.1, -5.1), side=0.3).to_file(tmp_path / "basin.gpkg")
    return [tmp_path / "a_2020.gpkg", tmp_path / "a_2021.gpkg"]


def outlines(files: list[Path], *flags: object) -> dict[str, list[float]]:
    """Hectares of the outlines of each year."""
    out = files[0].parent / "p"
    done = minetrace("panel", *files, "--out", out, "--table-only", "--countries", "none",
                     "--counts", "present", *flags)  # fmt: skip
    assert done.returncode == 0, done.stderr
    panel = gpd.read_parquet(out / "panel.parquet")
    there = panel[panel.geometry.notna()]
    return {
        p: rows.filter(like="_ha").iloc[:, 0].round().tolist()
        for p, rows in there.groupby("period")
    }


@pytest.mark.parametrize(
    ("flags", "years"),
    [
        ([], {"2020": 1, "2021": 2}),
        (["--reach-m", 100], {"2020": 1, "2021": 1}),
        (["--reach-m", 100, "--ends", "keep"], {"2020": 1, "2021": 2}),
        (["--reach-m", 10], {}),
        (["--t-main", 0.5, "--t-isolated", 0.85], {"2020": 1}),
        (["--t-main", 0.7, "--t-isolated", 0.7, "--k", 1], {"2020": 1, "2021": 1}),
        (["--zone", "basin.gpkg=0.7"], {"2020": 1, "2021": 1}),
        (["--zone", "basin.gpkg=0.5", "--elsewhere", 0.95], {"2021": 1}),
        (["--cumulative"], {"2020": 1, "2021": 3}),
        (["--differences", 0], {"2020": 1, "2021": 2}),
        (["--differences", 200], {}),
    ],
)  # fmt: skip
def test_each_rule_alone(
    flags: list[object], years: dict[str, int], files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files[0].parent)
    if years:
        assert {year: len(found) for year, found in outlines(files, *flags).items()} == years
        note = json.loads((files[0].parent / "p/panel.json").read_text())
        assert bool(note["rules"]) == any(str(f).startswith(("--r", "--t", "--z")) for f in flags)
        return
    done = minetrace("panel", *files, "--out", "p", "--counts", "present", *flags)
    assert done.returncode == 2
    assert "the rules keep none" in done.stderr or "no part of a difference" in done.stderr


def test_quarters_become_years_and_differences_know_their_base(tmp_path: Path) -> None:
    named = {"2020-q4": HERE, "2021-q1": BESIDE, "2021-q2": FAR}
    words = []
    for label, place in named.items():
        squares(place).to_file(tmp_path / f"{label}.gpkg")
        words.append(f"{label}={tmp_path / label}.gpkg")
    for flags, expected in (
        (["--by-year"], {"2020": 1, "2021": 2}),
        (["--by-year", "--cumulative"], {"2020": 1, "2021": 3}),
        (["--differences", 11], {"2020-q4": 1, "2021-q1": 1, "2021-q2": 1}),
        (["--differences", 11, "--base", "full-year"], dict.fromkeys(named, 1)),
    ):
        out = tmp_path / "p"
        done = minetrace("panel", *words, "--extent", "mined", "--out", out, "--table-only", *flags)
        assert done.returncode == 0, done.stderr
        panel = gpd.read_parquet(out / "panel.parquet")
        assert panel[panel.geometry.notna()].groupby("period").size().to_dict() == expected


def test_the_union_of_masks_through_time_by_the_same_flag(tmp_path: Path) -> None:
    """Outlines laid together cover the pixels that masks laid together cover."""
    rng = np.random.default_rng(4)
    masks = np.zeros((3, 40, 40), dtype=np.uint16)
    for mask in masks:
        x, y = rng.integers(2, 25, 2)
        mask[y : y + 10, x : x + 12] = 1
    words = []
    for mask, year in zip(masks, (2019, 2020, 2021), strict=True):
        path = tmp_path / f"m_{year}.tif"
        place = rasterio.transform.from_origin(300_000, 9_440_000, 100, 100)
        with rasterio.open(path, "w", driver="GTiff", width=40, height=40, count=1, dtype="uint8",
                           crs="EPSG:32721", transform=place) as file:  # fmt: skip
            file.write(mask.astype(np.uint8), 1)
        words.append(path)
    done = minetrace("panel", *words, "--extent", "mined", "--cumulative", "--table-only",
                     "--out", tmp_path / "p")  # fmt: skip
    assert done.returncode == 0, done.stderr
    panel = gpd.read_parquet(tmp_path / "p/panel.parquet")
    years = [Period.year(year) for year in (2019, 2020, 2021)]
    expected = union_through_time(masks, years).sum(axis=(1, 2))
    assert panel.groupby("period").area_ha.sum().tolist() == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--ends", "sometimes"], "neighbour.ends: Input should be 'judge', 'keep' or 'drop'"),
        (["--zone", "basin.gpkg"], "give FILE=THRESHOLD"),
        (["--zone", "nowhere.gpkg=0.5"], "nowhere.gpkg"),
        (["--t-main", "0.9", "--t-isolated", "0.2"], "0 <= t_main <= t_isolated <= 1"),
        (["--cumulative", "--differences", "3"], "keep one"),
        (["--differences", "3", "--base", "month"], "give previous or full-year"),
        (["--differences", "3", "--counts", "new"], "has none left to find"),
        (["--name-column", "called"], "has no column 'called' of names; its columns: pred"),
    ],
)
def test_what_a_rule_cannot_mean_is_refused(
    flags: list[str], said: str, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files[0].parent)
    done = minetrace("panel", *files, "--out", "p", "--table-only", *flags)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_names_that_people_gave_stay_with_the_sites(tmp_path: Path) -> None:
    squares(HERE, FAR, called=["Río <b>Tigre</b>", None]).to_file(tmp_path / "n_2020.gpkg")
    squares(HERE, side=0.012, called=["Tigre, larger"]).to_file(tmp_path / "n_2021.gpkg")
    done = minetrace("panel", tmp_path / "n_2020.gpkg", tmp_path / "n_2021.gpkg", "--extent",
                     "mined", "--name-column", "called", "--out", tmp_path / "p")  # fmt: skip
    assert done.returncode == 0, done.stderr
    panel = gpd.read_parquet(tmp_path / "p/panel.parquet")
    assert set(panel.name.dropna()) == {"Tigre, larger"}
    assert panel.name.isna().sum() == 2
    sites = pd.read_csv(tmp_path / "p/sites.csv").set_index("site_id")
    layer = pyogrio.read_dataframe(tmp_path / "p/panel.gpkg", layer="sites").set_index("site_id")
    assert set(sites.name.dropna()) == set(layer.name.dropna()) == {"Tigre, larger"}
    assert '"Tigre, larger"' in (tmp_path / "p/map/data.js").read_text()


def test_names_stay_where_periods_become_years(tmp_path: Path) -> None:
    squares(HERE, called=["Tigre"]).to_file(tmp_path / "n_2020-q1.gpkg")
    squares(HERE, FAR, called=["Tigre", "Alto"]).to_file(tmp_path / "n_2020-q2.gpkg")
    done = minetrace("panel", tmp_path / "n_2020-q1.gpkg", tmp_path / "n_2020-q2.gpkg", "--extent",
                     "mined", "--name-column", "called", "--by-year", "--out", tmp_path / "p",
                     "--table-only")  # fmt: skip
    assert done.returncode == 0, done.stderr
    panel = gpd.read_parquet(tmp_path / "p/panel.parquet")
    assert (set(panel.name), set(panel.period)) == ({"Tigre", "Alto"}, {"2020"})
    note = json.loads((tmp_path / "p/panel.json").read_text())
    assert note["hectares"] == "geodesic, of the outlines as drawn"


@pytest.mark.parametrize("flags", [["--by-year"], ["--cumulative"], ["--differences", "0"]])
def test_hectares_told_inside_outlines_are_not_swapped_for_what_these_enclose(
    flags: list[str], tmp_path: Path
) -> None:
    told = {"Mined area (ha)": [20.0], "year": [202400]}
    squares(HERE, **told).to_file(tmp_path / "one.gpkg")
    done = minetrace("panel", tmp_path / "one.gpkg", *flags, "--out", tmp_path / "p")
    assert done.returncode == 2
    assert "enclose 122.6 ha, of which 20.0 are told" in " ".join(done.stderr.split())


def test_newly_mined_ground_is_tallied_on_the_periods_of_its_map(tmp_path: Path) -> None:
    told = {"Mined area (ha)": [5.0, 2.0], "year": [202400, 202502]}
    squares(HERE, FAR, **told).to_file(tmp_path / "all.gpkg")
    panel = tmp_path / "p"
    done = minetrace("panel", tmp_path / "all.gpkg", "--counts", "new", "--out", panel)
    assert done.returncode == 0, done.stderr
    done = minetrace("tally", panel)
    assert done.returncode == 0, done.stderr
    read = [json.loads((panel / "map" / name).read_text().split("=", 1)[1].rstrip(";\n"))
            for name in ("data.js", "tallies.js")]  # fmt: skip
    assert read[1]["periods"] == [period["label"] for period in read[0]["periods"]]
    (brazil,) = read[1]["rows"]
    assert brazil["values"]["new_ha"] == [5.0, 2.0]
    assert brazil["values"]["cumulative_ha"] == [5.0, 7.0]
    assert "present_ha" not in brazil["values"]
