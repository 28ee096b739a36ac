"""Runs that read from providers: a whole way from a served account to a panel, offline after."""

from __future__ import annotations

from pathlib import Path

import pytest
from shapely.geometry import box

from minetrace.errors import StudyError
from minetrace.flow.steps import run
from minetrace.flow.study import Study
from minetrace.sources.planet_api import Mosaic
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
