"""Runs that read from providers: a whole way from a served account to a panel, offline after."""

from __future__ import annotations

from pathlib import Path

import pytest
from shapely.geometry import box

from minetrace.errors import StudyError
from minetrace.flow.steps import run
from minetrace.flow.study import Study
from minetrace.sources.planet_api import Mosaic
from minetrace.testing.earthengine_server import TOKEN, EarthEngineServer, Served
from minetrace.testing.planet_server import KEY, QUAD_PX, RESOLUTION_M, Basemap, PlanetServer


def test_a_run_from_basemaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import date

    monkeypatch.setenv("PL_API_KEY", KEY)
    first, last = date(2021, 8, 1), date(2021, 8, 31)
    name = "planet_medres_normalized_analytic_2021-08_mosaic"
    mosaic = Mosaic("", name, first, last, "uint16", QUAD_PX, RESOLUTION_M)
    ground = mosaic.ground("5000-7600")
    inside = box(*ground.bounds).buffer(-0.003)
    with PlanetServer(tmp_path / "served", [
        Basemap(name, first, last, {"5000-7600": [(3, 1)]}, 2500),
    ]) as server:  # fmt: skip
        study = Study.of({
            "name": "basemaps", "region": {"bbox": list(inside.bounds)}, "periods": [2021],
            "grid": {"resolution_m": 40.0, "tile": 64},
            "sources": [{"kind": "planet", "url": server.url, "requests": {"attempts": 2}}],
        })  # fmt: skip
        run(study, tmp_path / "run")
    assert list((tmp_path / "run").glob("items/planet-*.csv"))
    texts = [p for p in (tmp_path / "run").rglob("*") if p.is_file()]
    assert not any(KEY.encode() in path.read_bytes() for path in texts)
    assert "imagery © Planet Labs PBC" in (tmp_path / "run" / "datacard.md").read_text()


def test_a_kind_that_is_not_known_is_named(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="sources"):
        Study.of({"name": "x", "region": {"bbox": [0, 0, 1, 1]}, "periods": [2021],
                  "sources": [{"kind": "plant", "mosaics": "x"}]})  # fmt: skip


def test_a_run_from_earth_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARTHENGINE_TOKEN", TOKEN)
    images = [Served("COPERNICUS/S2_SR_HARMONIZED/20210704T1_T19LCF", "2021-07-04",
                     (-71, -13, -70, -12), 0, (0.0, 0.2))]  # fmt: skip
    with EarthEngineServer(images) as server:
        study = Study.of({
            "name": "computed", "region": {"bbox": [-70.404, -12.804, -70.4, -12.8]},
            "periods": [2021], "grid": {"tile": 64},
            "sources": [{"kind": "earthengine", "product": "sentinel-2-l2a", "url": server.url,
                         "bands": ["blue", "green", "red", "nir"], "project": "my-project"}],
        })  # fmt: skip
        run(study, tmp_path / "run")
    texts = [p for p in (tmp_path / "run").rglob("*") if p.is_file()]
    assert not any(TOKEN.encode() in path.read_bytes() for path in texts)
    card = (tmp_path / "run" / "datacard.md").read_text()
    assert "contains modified Copernicus Sentinel data" in card
    assert "Cloud Score+ at least 0.6" in card
