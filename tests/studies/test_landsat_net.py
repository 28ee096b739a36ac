"""The page of Landsat and a U-Net from its first command to its table, on a smaller country."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from walking import laid_out, walked

SMALLER = {
    "README.md": {"python world.py": "python world.py 320", "--block-km 6": "--block-km 2"},
    "world.py": {"YEARS = (2019, 2020, 2021)": "YEARS = (2020, 2021)",
                 "dates_per_year=4": "dates_per_year=2"},
    "chips.yaml": {"[2019, 2020, 2021]": "[2020, 2021]", "block_km: 6": "block_km: 2"},
    "classes.yaml": {"block_km: 6": "block_km: 2"},
    "train.yaml": {"width: 8": "width: 6", "window: 64": "window: 32",
                   "steps: 240, every: 60": "steps: 12, every: 6"},
    "train-classes.yaml": {"width: 8": "width: 6", "window: 64": "window: 32",
                           "steps: 80, every: 40": "steps: 8, every: 4"},
    "study.yaml": {"[2019, 2020, 2021]": "[2020, 2021]"},
}  # fmt: skip


def test_the_page_runs_to_its_table(tmp_path: Path) -> None:
    for name in ("torch", "matplotlib", "fastapi"):
        pytest.importorskip(name, reason="install minetrace[train,plot,serve]")
    folder = laid_out("landsat-net", tmp_path / "walk", SMALLER)
    said = walked(folder)
    assert [row for row in said.splitlines() if row.startswith("| 2021 |")]
    card = json.loads((folder / "unet" / "model" / "model.json").read_text())
    assert "lwir11" in json.dumps(card)
    several = json.loads((folder / "parts" / "model" / "model.json").read_text())
    assert all(name in json.dumps(several) for name in ("mine", "pond", "bare"))
    assert (folder / "store.zip").is_file()
    assert (folder / "run" / "map" / "index.html").is_file()
    assert list((folder / "run" / "figures").glob("*.png"))
