"""The data card says what the figures are, and what nobody looked at."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from shapely.geometry import box

from minetrace.core.model import ModelCard
from minetrace.core.period import Period
from minetrace.publish.datacard import DataCard, SourceRead, facts, text, write_datacard
from minetrace.publish.words import INTERVAL

MODEL = ModelCard(
    name="pits-1", bands=("blue", "green", "red"), window=256, stride=192, output="pixels",
    extent="mined", threshold=0.4, licence="CC-BY-4.0", description="a small U-Net",
)  # fmt: skip


@pytest.fixture
def card() -> DataCard:
    return DataCard(
        title="Gold in the south", region=box(-70.1, -12.9, -69.9, -12.7),
        periods=[Period.year(year) for year in (2019, 2020, 2021)],
        rows=[
            {"period": "2019", "sites": 2, "area_ha": 12.34, "looked_share": 1.0},
            {"period": "2020", "sites": 0, "area_ha": math.nan, "looked_share": 0.0},
            {"period": "2021", "sites": 3, "area_ha": 1540.2, "looked_share": 0.82},
        ],
        sites=3, extent="mined",
        sources=[SourceRead("Sentinel-2 L2A", 24, date(2019, 2, 3), date(2021, 11, 5), "Copernicus",
                            "Contains modified Copernicus Sentinel data 2019–2021")],
        model=MODEL, threshold=0.4, composite="median, at least 1 clear look",
        crs=("EPSG:32719",), resolution_m=10.0, versions={"minetrace": "0.1.0"},
        rules={"smallest outline": "0.5 ha"},
    )  # fmt: skip


def table(words: str) -> dict[str, list[str]]:
    cells = [line.strip("| ").split(" | ") for line in words.splitlines() if line.startswith("| 2")]
    return {row[0]: row[1:] for row in cells}


def test_every_hectare_says_what_it_is(card: DataCard) -> None:
    words = text(card)
    rows = table(words)
    assert rows["2019"] == ["2019-01-01 to 2019-12-31", "2", "12.3", "100 %"]
    assert rows["2021"][-2:] == ["1,540", "82 %"]
    assert f"Mined hectares ({INTERVAL})" in words
    assert "Never quote" not in words


def test_a_footprint_is_never_called_mined(card: DataCard) -> None:
    rows = [{**row, "footprint_ha": row["area_ha"]} for row in card.rows]
    model = replace(MODEL, output="patch", extent="footprint", window=48, stride=24, call_px=0)
    words = text(replace(card, rows=rows, extent="footprint", model=model))
    assert f"Footprint hectares ({INTERVAL})" in words
    assert "Mined hectares" not in words
    assert "Never quote these figures as mined area" in words


def test_a_blind_period_has_no_zero(card: DataCard) -> None:
    words = text(card)
    assert table(words)["2020"][1:] == ["not looked", "not looked", "0 %"]
    assert "2020: no clear look at any of the region. Mines may be there." in words
    assert "2021: 18 % of the region had no clear look." in words
    assert "may come from looking more, or less" in words
    assert facts(card)["periods"][1]["area_ha"] is None


def test_what_failed_is_named(card: DataCard) -> None:
    words = text(replace(card, failed=[("scores/2021/32719_1_2", "file is cut short")]))
    assert "1 file could not be made" in words
    assert "scores/2021/32719_1_2" in words


def test_both_files_are_written_and_agree(card: DataCard, tmp_path: Path) -> None:
    path = write_datacard(tmp_path, card)
    told = json.loads((tmp_path / "datacard.json").read_text())
    assert path.read_text() == text(card)
    assert told["periods"][2]["area_ha"] == 1540.2
    assert told["interval"] == INTERVAL
    assert told["sources"][0]["attribution"] in path.read_text()
    assert told["region"]["hectares"] == pytest.approx(48_000, rel=0.01)


def test_unknown_licences_are_said_to_be_unknown(card: DataCard) -> None:
    bare = replace(card, sources=[SourceRead("scans", 3)], model=replace(MODEL, licence=""))
    assert "Licence: not stated; ask whoever gave the files." in text(bare)
    assert facts(bare)["sources"][0]["licence"] is None
