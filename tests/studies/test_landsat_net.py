"""The page of Landsat and a U-Net from its first command to its table, on a smaller country."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from walking import STUDIES, laid_out, script, walked

from minetrace.chips.open_set import open_data_set
from minetrace.core.data_set import DataSet

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
    "study.yaml": {"[2019, 2020, 2021]": "[2020, 2021]",
                   "resolution_m: 30": "resolution_m: 30, tile: 256"},
}  # fmt: skip


def test_the_page_runs_to_its_table(tmp_path: Path) -> None:
    for name in ("torch", "matplotlib", "fastapi", "zarr"):
        pytest.importorskip(name, reason="install minetrace[train,plot,serve,zarr]")
    folder = laid_out("landsat-net", tmp_path / "walk", SMALLER)
    said = walked(folder)
    assert [row for row in said.splitlines() if row.startswith("| 2021 |")]
    card = json.loads((folder / "unet" / "model" / "model.json").read_text())
    assert "lwir11" in json.dumps(card)
    assert as_arrays(open_data_set(folder / "chips.zarr")) == as_arrays(
        open_data_set(folder / "chips")
    )
    several = json.loads((folder / "parts" / "model" / "model.json").read_text())
    assert all(name in json.dumps(several) for name in ("mine", "pond", "bare"))
    assert (folder / "store.zip").is_file()
    assert (folder / "run" / "map" / "index.html").is_file()
    assert list((folder / "run" / "figures").glob("*.png"))


def as_arrays(data: DataSet) -> list[object]:
    """What a set says and holds, whatever its files are."""
    pixels = [part.tobytes() for part in data.read(data.chips[0])]
    told = [(c.name, c.split, c.place, c.period, c.crs, c.bounds) for c in data.chips]
    return [data.bands, told, pixels]


def test_folders_of_tensors_become_a_group_with_their_ground(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="install minetrace[train]")
    pytest.importorskip("zarr", reason="install minetrace[zarr]")
    rng = np.random.default_rng(3)
    for column in range(10):  # more than one chunk
        tile = tmp_path / "landsat_mmap/6155687546600015/2019" / f"6841_{11646 + column}"
        tile.mkdir(parents=True)
        features = rng.uniform(0.01, 0.4, (7, 64, 64)).astype(np.float32)
        torch.save(torch.from_numpy(features), tile / "features.pt")
        torch.save(torch.zeros(1, 64, 64), tile / "labels.pt")
    script(STUDIES / "landsat-net/to_zarr.py").main(tmp_path / "landsat_mmap", tmp_path / "a.zarr")
    data = open_data_set(tmp_path / "a.zarr")
    assert [chip.place for chip in data.chips] == [f"6841_{11646 + n}" for n in range(10)]
    assert {chip.period for chip in data.chips} == {"2019"}
    assert np.allclose(data.read(data.chips[-1])[0], features)
    west, south, east, north = data.chips[0].bounds or (0, 0, 0, 0)
    assert (west, north) == pytest.approx((20.866459, -27.991368), abs=1e-5)  # in South Africa
    assert (east - west, north - south) == pytest.approx((64 * 0.000269495,) * 2)
