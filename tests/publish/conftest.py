"""One map that the tests of this room share."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pytest
from fake_run import NASTY, fake_panel, write_fake


@pytest.fixture(scope="session")
def panel() -> gpd.GeoDataFrame:
    return fake_panel(24)


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory, panel: gpd.GeoDataFrame) -> Path:
    folder = tmp_path_factory.mktemp("run") / "map"
    assert write_fake(folder, panel, side=128, title=f"Oro Manso {NASTY}") == folder / "index.html"
    return folder
