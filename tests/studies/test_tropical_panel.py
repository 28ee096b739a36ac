"""The tropical panel's page to its table, on a smaller country and at one threshold."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pytest
from walking import laid_out, walked

from terminal import minetrace

SMALLER = {
    "README.md": {
        "python make.py": "python make.py --size 320 --years 2018-2019",
        **{f"$ {line}\n": "" for at in ("0.4", "0.6") for line in (
            f"sed s/0.5/{at}/ map.yaml > map-{at}.yaml", f"minetrace run map-{at}.yaml --out map",
            "minetrace panel map/footprints/*.parquet --extent mined --reach-m 0 --tropical "
            f"--table-only --out panels/{at}",
        )},
        "python table.py panels/0.4 ": "python table.py ",
        "0.5-boxes panels/0.6": "0.5-boxes",
    },
    "make.py": {"dates_per_year=4": "dates_per_year=2"},
    "chips.yaml": {"background: 5": "background: 2", "size: 64": "size: 32",
                   "resolution_m: 5": "resolution_m: 10"},
    "train.yaml": {"segformer/b0": "unet, width: 6, depth: 2", "window: 64": "window: 32",
                   "steps: 240, every: 80": "steps: 60, every: 60", "rate: 0.001": "rate: 0.01"},
    "map.yaml": {"2018..2021": "2018..2019", "resolution_m: 5": "resolution_m: 10, tile: 512"},
}  # fmt: skip


def test_the_page_runs_to_its_table(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="install minetrace[train]")
    folder = laid_out("tropical-panel", tmp_path / "walk", SMALLER)
    said = walked(folder)
    table = [line.split("|")[1].strip() for line in said.splitlines() if line.startswith("| ")]
    assert table[-5:] == ["0.5-unconfirmed", "0.5", "0.5-100m", "0.5-boxes", "truth"]
    mapped = {p.name: gpd.read_file(p / "tropical.gpkg") for p in (folder / "panels").iterdir()}
    assert len(mapped["0.5"]) <= len(mapped["0.5-100m"]) <= len(mapped["0.5-unconfirmed"])
    assert list(mapped["0.5"].columns) == [
        "id", "iso_a3", "country_name", "year", "area", "geometry",
    ]  # fmt: skip
    for year, own in mapped["0.5-100m"].groupby("year"):
        assert len(gpd.read_file(folder / f"panels/0.5-100m/tropical/{year}.gpkg")) == len(own)
    assert (folder / "panels/0.5/map/index.html").is_file()


def test_their_demo_polygons_become_sites_with_countries(tmp_path: Path, shared_data: Path) -> None:
    inventory = shared_data / "polygons" / "mining_polygons_combined_demo.gpkg"
    done = minetrace("panel", f"2019={inventory}", "--extent", "mined", "--mend", "--tropical",
                     "--table-only", "--out", tmp_path / "p")  # fmt: skip
    assert done.returncode == 0, done.stderr
    theirs = gpd.read_file(inventory).to_crs("EPSG:6933")
    ours = gpd.read_file(tmp_path / "p/tropical/2019.gpkg").to_crs("EPSG:6933")
    theirs["geometry"] = theirs.representative_point()
    both = gpd.sjoin(theirs, ours)
    assert len(both) >= 95
    assert (both["ISO3_CODE"] == both["iso_a3"]).mean() > 0.95
