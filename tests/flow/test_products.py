"""The whole way from agencies' products: what is found is said, and levels are minded."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from minetrace.core.region import project
from minetrace.errors import RadiometryError
from minetrace.flow.report import Silent
from minetrace.flow.steps import run
from minetrace.flow.study import Study
from minetrace.predict.model_file import write_model
from minetrace.testing.models import RGB, write_patch_net
from minetrace.testing.products import UTM, pack
from minetrace.testing.results import rows
from minetrace.testing.safe import Safe, write_safe

FEW = frozenset({"B01", "B05", "B06", "B07", "B09", "B8A"})
SAFE = Safe(leave_out=FEW)


class Told(Silent):
    """Keeps what a run says."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def study(sources: list[dict[str, Any]], **changes: Any) -> Study:
    (x, y), side = SAFE.corner, SAFE.side_m
    ground: BaseGeometry = project(
        box(x + 100, y - side + 100, x + side - 300, y - 100), UTM, "EPSG:4326"
    )
    return Study.of({
        "name": "products", "region": {"bbox": list(ground.bounds)}, "periods": [2022],
        "sources": sources, "grid": {"crs": UTM, "tile": 512}, **changes,
    })  # fmt: skip


def test_a_packed_product_gives_the_same_map_as_an_open_one(tmp_path: Path) -> None:
    root = write_safe(tmp_path / "open", SAFE)
    packed = tmp_path / "packed"
    packed.mkdir()
    pack(root, "zip").rename(packed / "a.zip")
    told = Told()
    for folder in ("open", "packed"):
        asked = study([{"path": str(tmp_path / folder)}], vectors={"min_ha": 0.01, "sieve_px": 1})
        run(asked, tmp_path / "runs" / folder, reporter=told)
    for name in ("footprints/2022.parquet", "panel.parquet"):
        one, other = (rows(tmp_path / "runs" / folder / name) for folder in ("open", "packed"))
        assert one == other
    assert told.notes.count("found 1 Sentinel-2 L2A product") == 2
    assert f"{SAFE.name}: B01, B05, B06, B07, B8A, B09 missing" in told.notes
    assert not any("no cloud mask" in warning for warning in told.warnings)


def test_a_model_of_the_other_level_is_warned_of(tmp_path: Path) -> None:
    write_safe(tmp_path / "scenes", SAFE)
    model = tmp_path / "model"
    card = write_patch_net(model, bands=RGB)
    onnx = (model / "model.onnx").read_bytes()
    for level, warned in (("toa", True), ("boa", False)):
        write_model(model, onnx, replace(card, level=level))
        told = Told()
        asked = study([{"path": str(tmp_path / "scenes")}], model={"path": str(model)})
        run(asked, tmp_path / level, reporter=told)
        said = [w for w in told.warnings if "made for toa reflectance, the imagery is boa" in w]
        assert bool(said) == warned


def test_sources_of_two_levels_are_refused(tmp_path: Path) -> None:
    write_safe(tmp_path, SAFE)
    write_safe(tmp_path, replace(SAFE, level="L1C", day=date(2022, 10, 10)))
    asked = study([{"path": f"{tmp_path}/*MSIL2A*"}, {"path": f"{tmp_path}/*MSIL1C*"}])
    with pytest.raises(RadiometryError, match=r"\(toa\).*\(boa\)"):
        run(asked, tmp_path / "run")
