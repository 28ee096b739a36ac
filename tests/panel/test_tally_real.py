"""Published outlines by published borders: equal to an exact overlay, near the published table."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from minetrace.flow.entering import enter
from minetrace.panel.increments import build_new
from minetrace.panel.ledger import Ledger
from minetrace.panel.tally import tally
from minetrace.panel.territories import Territories

YEAR, UNITS = 2023, ("GUF", "SUR", "GUY", "ECU")


def test_cells_equal_an_exact_overlay(shared_data: Path) -> None:
    folder = shared_data / "amw-tallies"
    borders = gpd.read_file(folder / "national_admin.geojson")
    borders = borders[borders["id"].isin(UNITS)]
    file = folder / f"mining_{YEAR}00_simplified.geojson"
    ledger = Ledger.of(*build_new(enter([file]).footprints))
    table = tally(ledger, Territories.of(borders, id="id"))
    found = table.set_index("territory")["new_ha"]
    rows = gpd.read_file(file).to_crs(6933)
    flat = rows.geometry.to_numpy()
    density = rows["Mined area (ha)"] / shapely.area(flat)
    published = {
        row["id"]: row["intersected_area_ha"]
        for row in json.loads((folder / "national_admin_yearly.json").read_text())
        if row["admin_year"] == 100 * YEAR
    }
    for unit, ground in zip(borders["id"], borders.to_crs(6933).geometry, strict=True):
        shared = shapely.area(shapely.intersection(flat, ground))
        assert found[unit] == pytest.approx(float(density @ shared), rel=1e-9)
        assert found[unit] == pytest.approx(published[unit], rel=0.06)
    together = table[table["part"] == "together"]["new_ha"].item()
    overlap = table["overlap_ha"].fillna(0).sum()
    assert np.isclose(found[list(UNITS)].sum() - overlap / 2, together, atol=1e-3)
