"""The small mines' page: lists that leak, a split by place, recipes and their one table."""

from __future__ import annotations

import re
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
import yaml
from walking import STUDIES, given, laid_out, script, walk

from minetrace.flow.train_study import TrainStudy
from terminal import minetrace

SMALLER = {
    "README.md": {"python make.py": "python make.py --size 384"},
    "make.py": {"dates_per_year=4": "dates_per_year=1"},
    "places.py": {"FEW = 40": "FEW = 6"},
    "recipes/unet-13.yaml": {"steps: 150, every: 50": "steps: 4, every: 4"},
}


def test_lists_leak_places_do_not_and_the_table_has_a_row_a_recipe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="install minetrace[train]")
    folder = laid_out("small-mines", tmp_path / "walk", SMALLER)
    for command in walk.commands(folder)[:4]:
        code, said = given(command, folder)
        assert code == 0, f"{command}: {said}"
    benchmark = script(folder / "benchmark.py")

    def here(*words: Any) -> tuple[float, float]:
        done = minetrace(*words)
        assert done.returncode == 0, done.stderr
        return 1.0, 2.0

    monkeypatch.setattr(benchmark, "given", here)
    with chdir(folder):
        benchmark.main([Path("recipes/unet-13.yaml")])
    row = capsys.readouterr().out.splitlines()[-1]
    assert re.match(r"\| unet-13 \| places\.csv \| 13 \| .*\| 1 \| 2 MB \|", row)


@pytest.mark.parametrize("path", sorted(STUDIES.glob("small-mines/recipes/*.yaml")), ids=str)
def test_recipes_are_studies(path: Path) -> None:
    asked = TrainStudy.read(path)
    assert asked.name == path.stem == yaml.safe_load(path.read_text())["name"]


def test_the_published_lists_leak(shared_data: Path) -> None:
    lists = sorted((shared_data / "smallminesds").glob("*.csv"))
    done = minetrace("audit", *lists)
    assert done.returncode == 2
    assert "452 of the 644" in done.stdout + done.stderr
