"""The published rules on 10,957 published patches."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from minetrace.core.footprints import Footprints, geodesic_hectares
from minetrace.panel.rules.dissolve import dissolve
from minetrace.panel.rules.isolation import PUBLISHED, dual_threshold

FILE = "amw-detections/amazon_5_48px_v3.3_0.50_1_2023-1_2024.geojson"


@pytest.fixture(scope="module")
def patches(shared_data: Path) -> Footprints:
    table = gpd.read_file(shared_data / FILE)
    scores = {"score_mean": table["pred"].to_numpy()}
    return Footprints(table.geometry.to_numpy(), "EPSG:4326", "footprint", scores)


@pytest.mark.parametrize(
    ("thresholds", "wanted"), list(zip(PUBLISHED, (10_811, 10_404), strict=True))
)
def test_dual_threshold(patches: Footprints, thresholds: tuple[float, float], wanted: int) -> None:
    t_main, t_isolated = thresholds
    kept = dual_threshold(patches, t_main=t_main, t_isolated=t_isolated)
    scores = patches.columns["score_mean"]
    assert len(kept) == wanted
    assert (scores >= t_isolated).sum() <= len(kept) <= (scores >= t_main).sum()


def test_dissolve_and_its_hectares_in_any_projection(patches: Footprints) -> None:
    found = dissolve(patches)
    assert found.extent == "footprint"
    assert len(found) == 867
    assert found.columns["patches"].sum() == len(patches)
    assert shapely.is_valid(found.geometry).all()
    whole = geodesic_hectares(np.array([shapely.union_all(patches.geometry)]), "EPSG:4326")[0]
    assert found.columns["footprint_ha"].sum() == pytest.approx(whole, rel=1e-6)
    some = patches.where(np.arange(0, len(patches), 20))
    true = dissolve(some).columns["footprint_ha"].sum()
    for crs in ("EPSG:3857", "EPSG:32718", "EPSG:32721"):
        assert dissolve(some.to_crs(crs)).columns["footprint_ha"].sum() == pytest.approx(
            true, rel=1e-6
        )
