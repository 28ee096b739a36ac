"""The library: the same verbs as the command line, tried on the small country."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
import typing
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import xarray as xr
from shapely.geometry import box

import minetrace as mt
from minetrace.errors import BandError, ModelError, OutlineError, PeriodError, RunError
from minetrace.testing.world import World, world_study


@pytest.fixture(scope="module")
def asked(world: World) -> mt.Study:
    return mt.Study.of(world_study(world, name="library"))


@pytest.fixture(scope="module")
def run(asked: mt.Study, tmp_path_factory: pytest.TempPathFactory) -> mt.Run:
    return mt.run(asked, tmp_path_factory.mktemp("library") / "run", workers=1)


def test_every_name_is_there_whatever_else_is_imported() -> None:
    import minetrace

    for module in pkgutil.walk_packages(minetrace.__path__, "minetrace."):
        if module.name == "minetrace.__main__":
            continue
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:  # an extra that is not installed
            if str(error.name).startswith("minetrace"):
                raise
    for name in mt.__all__:
        value = getattr(mt, name)
        assert not isinstance(value, type(sys)), f"{name} is hidden by a module"
        assert name in dir(mt)


def test_public_functions_are_typed_and_documented() -> None:
    for name in mt.__all__:
        value = getattr(mt, name)
        if callable(value):
            assert value.__doc__, name
        if callable(value) and not isinstance(value, type):
            assert "return" in value.__annotations__, name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="opne_run"):
        mt.opne_run  # noqa: B018


def test_a_run_goes_on_and_its_tables_agree(run: mt.Run, asked: mt.Study) -> None:
    again = mt.run(asked, run.root, workers=1)
    assert again == run == mt.open_run(run.root)
    assert run.report()["attempts"][-1]["outcome"] == "done"
    hectares, panel = run.hectares(), run.panel()
    assert list(hectares["period"]) == list(run.periods)
    assert set(hectares["interval"]) == {"mapped, no interval"}
    summed = panel.groupby("period")["area_ha"].sum()
    seen = hectares.dropna(subset="area_ha").set_index("period")["area_ha"]
    np.testing.assert_allclose(seen, summed[seen.index], rtol=1e-5)
    assert run.status().verdict == "complete"


def test_a_composite_is_lazy_and_knows_where_it_is(run: mt.Run) -> None:
    image = run.composite(2021)
    assert set(image.data_vars) >= {"red", "green", "blue", "clear_looks", "median_day"}
    assert image.odc.crs == run.zones(2021)[0]
    assert not image["red"].variable._in_memory
    whole = image["red"].values
    some = run.composite("2021")["red"][40:9:-3, 5]
    np.testing.assert_array_equal(some.values, whole[40:9:-3, 5])
    assert 0 < np.nanmedian(whole) < 0.5
    assert float(run.composite(2022)["clear_looks"].max()) <= 1


def test_a_dense_model_scores_a_composite_as_the_run_did(run: mt.Run) -> None:
    stored = run.scores("2021")["mine"]
    again = mt.load_model("spectral").score(run.composite("2021"))
    assert again.dims == ("y", "x")
    inner = {"x": slice(12, -12), "y": slice(12, -12)}  # it looks 12 px around
    asked = stored.isel(inner).notnull()  # a run is clipped to its region
    same = again.reindex_like(stored).isel(inner).where(asked)
    np.testing.assert_allclose(same, stored.isel(inner), atol=1e-6)


def test_the_shipped_model_scores_a_file_an_array_and_a_dataset_alike(
    world: World, run: mt.Run
) -> None:
    model = mt.load_model("artisanal-gold-rgb")
    file = sorted(world.scenes.glob("*.tif"))[0]
    from_file = model.score(file)
    assert from_file.dims == ("band", "y", "x")
    image = run.composite("2021")[["red", "green", "blue"]]
    scores = model.score(image)
    assert float(scores.max()) <= 1
    np.testing.assert_array_equal(model.score(image.to_array("band")), scores)
    assert scores.attrs["extent"] == "footprint"
    cell = abs(float(scores.x[1] - scores.x[0]))
    assert cell == model.card.stride * 10


def test_a_raster_that_lies_on_no_lattice_is_scored_from_its_corner(run: mt.Run) -> None:
    model = mt.load_model("artisanal-gold-rgb")
    image = run.composite("2021")[["red", "green", "blue"]].load()
    shifted = image.assign_coords(x=image.x + 3.3, y=image.y - 1.7)
    scores = model.score(shifted)
    assert float(scores.x[0]) == pytest.approx(float(shifted.x[0]) - 5 + model.card.stride * 5)
    assert np.isfinite(scores).any()


def test_what_cannot_be_scored_is_named(run: mt.Run) -> None:
    image = run.composite("2021")
    with pytest.raises(BandError, match="red"):
        mt.load_model("artisanal-gold-rgb").score(image[["green", "blue"]])
    with pytest.raises(ModelError, match="10 m"):
        mt.load_model("artisanal-gold-rgb").score(image.isel(x=slice(None, None, 3),
                                                             y=slice(None, None, 3)))  # fmt: skip
    with pytest.raises(ModelError, match="artisanal-gold-rgb"):
        mt.load_model("artisinal")
    with pytest.raises(BandError, match="common name"):
        mt.load_model("spectral").score(xr.Dataset({"b1": (("y", "x"), np.zeros((4, 4)))}))


def test_periods_and_folders_that_are_not_there(run: mt.Run, tmp_path: Path) -> None:
    with pytest.raises(PeriodError, match="2019"):
        run.composite(1999)
    with pytest.raises(RunError, match=r"study\.yaml"):
        mt.open_run(tmp_path)
    (tmp_path / "study.yaml").write_text((run.root / "study.yaml").read_text())
    with pytest.raises(RunError, match="not complete"):
        mt.open_run(tmp_path).panel()


def test_anybodys_polygons_become_a_panel(tmp_path: Path) -> None:
    small = gpd.GeoDataFrame(geometry=[box(0, 0, 0.01, 0.01)], crs="EPSG:4326")
    large = gpd.GeoDataFrame(geometry=[box(0, 0, 0.02, 0.01)], crs="EPSG:4326").to_crs(32631)
    large.to_file(tmp_path / "large.gpkg")
    panel = mt.build_panel(
        {2019: small, "2020": tmp_path / "large.gpkg", mt.Period.year(2021): small.iloc[:0]},
        extent="mined",
    )
    assert panel["site_id"].nunique() == 1
    assert list(panel["event"])[:2] == ["appears", "grows"]
    assert panel["area_ha"].iloc[1] == pytest.approx(2 * panel["area_ha"].iloc[0], rel=1e-3)
    with pytest.raises(OutlineError, match="extent= in Python"):
        mt.build_panel({2019: small})
    with pytest.raises(OutlineError, match="CRS"):
        mt.build_panel({2019: small.set_crs(None, allow_override=True)}, extent="mined")


def test_a_script_needs_no_guard(world: World, tmp_path: Path) -> None:
    asked = {**world_study(world, name="script"), "periods": [2019]}
    script = tmp_path / "script.py"
    script.write_text(
        "import minetrace as mt\n"
        "print('once')\n"
        f"run = mt.run({asked!r}, {str(tmp_path / 'out')!r}, workers=2)\n"
        "print(len(run.panel()))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("once") == 1


@pytest.mark.browser
def test_the_map_opens_in_a_notebook(run: mt.Run, tmp_path: Path, browser: typing.Any) -> None:
    page = tmp_path / "notebook.html"
    page.write_text(f"<!doctype html><h1>cell</h1>{run.explore()._repr_html_()}", encoding="utf-8")
    tab = browser.new_page()
    tab.set_default_timeout(60_000)
    tab.goto(page.as_uri())
    frame = tab.frames[1]
    frame.wait_for_function("window.minetrace && window.minetrace.state")
    assert frame.locator("#title").inner_text()
    tab.close()
