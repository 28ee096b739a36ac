"""Pictures of blind periods filled from their neighbours: seen by eyes, counted by nobody."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import rasterio

from minetrace.core.raster import NODATA
from minetrace.flow.steps import run
from minetrace.flow.study import Study
from minetrace.store.files import read_json
from minetrace.testing.results import assert_equal
from minetrace.testing.world import World, world_study


def test_filling_changes_pictures_alone_and_says_so(world: World, tmp_path: Path) -> None:
    base = {**world_study(world, name="fill"), "periods": [2020, 2021]}
    base["sources"] = [{**base["sources"][0], "date": {"csv": str(_only_2021(world, tmp_path))}}]
    run(Study.of(base), tmp_path / "plain", workers=1)
    asked = {**base, "publish": {"fill_blind": "neighbours"}}
    run(Study.of(asked), tmp_path / "filled", workers=1)
    assert_equal(tmp_path / "plain", tmp_path / "filled")
    for path in (tmp_path / "filled" / "composites" / "2020").glob("*.tif"):
        with rasterio.open(path) as made:
            assert (made.read(1) == NODATA).all()
            assert not made.read(made.count - 1).any()  # clear_looks
    with (tmp_path / "filled" / "hectares.csv").open(encoding="utf-8") as table:
        shares = {row["period"]: float(row["looked_share"]) for row in csv.DictReader(table)}
    assert shares["2020"] == 0
    assert read_json(tmp_path / "filled" / "datacard.json")["pictures_filled"]["2020"] == 1
    card = (tmp_path / "filled" / "datacard.md").read_text(encoding="utf-8")
    assert "2020: 100 % of the picture on the map is lent" in card.replace("\u00a0", " ")
    assert "lent" not in (tmp_path / "plain" / "datacard.md").read_text(encoding="utf-8")
    pictures = {p.stem for p in (tmp_path / "filled" / "map" / "pictures").iterdir()}
    assert np.array(["2020" in name for name in pictures]).any()


def _only_2021(world: World, folder: Path) -> Path:
    """Dates of the scenes, those of 2020 long before."""
    path = folder / "dates.csv"
    names = sorted(p.name for p in Path(world.scenes).glob("*.tif"))
    lines = (f"{n},{'1999' if '2021' not in n else '2021'}-07-{i % 28 + 1:02d}"
             for i, n in enumerate(names))  # fmt: skip
    path.write_text("file,date\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path
