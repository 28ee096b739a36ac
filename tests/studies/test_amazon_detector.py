"""The Amazon detector's page from its first command to its table, on a smaller country."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import pytest
from walking import laid_out, walked

SMALLER = {
    "README.md": {"python world.py": "python world.py 384"},
    "world.py": {"YEARS = (2020, 2021, 2022)": "YEARS = (2021, 2022)",
                 "dates_per_year=6": "dates_per_year=4"},
    "chips.yaml": {"[2020, 2021, 2022]": "[2021, 2022]", "block_km: 1.5": "block_km: 0.7"},
    "train.yaml": {"width: 32, members: 3": "width: 8, members: 2",
                   "steps: 120, every: 30": "steps: 16, every: 8"},
    "study.yaml": {"2020, 2021, 2022-q1, 2022-q2": "2021, 2022-q2",
                   "delineate: true": "delineate: true\ngrid: {tile: 512}"},
}  # fmt: skip
ALSO = {"2020=run/footprints/2020.parquet ": "", "--block-km 1.5": "--block-km 0.7"}


def test_the_page_runs_to_its_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="install minetrace[train]")
    monkeypatch.delenv("MINETRACE_DATA", raising=False)
    smaller = {**SMALLER, "README.md": {**SMALLER["README.md"], **ALSO}}
    folder = laid_out("amazon-detector", tmp_path / "walk", smaller)
    said = walked(folder)
    assert "left out: MINETRACE_DATA" in said
    assert [row for row in said.splitlines() if row.startswith("| 2021 |")]
    chips = gpd.read_file(folder / "chips" / "chips.geojson")
    assert set(chips["label"].dropna()) == {0, 1}
    card = json.loads((folder / "detector" / "model" / "model.json").read_text())
    assert "spread" in json.dumps(card)
    tallied = json.loads((folder / "run" / "tallies.json").read_text())["rows"]
    assert {row["territory"] for row in tallied} >= {"OM1", "OM2"}
    assert {row["class"] for row in tallied} >= {"prohibited", "with permit"}
    yearly = json.loads((folder / "run" / "yearly.json").read_text())
    assert [row["admin_year"] for row in yearly if row["id"] == "OM1"] == [
        202100, 202202, 202203, 202204,
    ]  # fmt: skip
    asked = json.loads((folder / "run" / "calculator.json").read_text())["locations"]
    assert {(place["country"], place["regionId"]) for place in asked} == {("OM", 1), ("OM", 2)}
    assert (folder / "run" / "map" / "index.html").is_file()
    layers = gpd.read_parquet(folder / "cumulative" / "panel.parquet")
    shown = layers[layers.geometry.notna()].groupby("period")["area_ha"].sum()
    assert shown.is_monotonic_increasing
