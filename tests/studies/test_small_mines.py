"""The small mines' page: lists that leak, a split by place, recipes that are studies."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from walking import STUDIES, given, laid_out, walk

from minetrace.flow.train_study import TrainStudy
from terminal import minetrace

SMALLER = {
    "README.md": {"python make.py": "python make.py --size 384"},
    "make.py": {"dates_per_year=4": "dates_per_year=1"},
    "places.py": {"FEW = 40": "FEW = 6"},
}


def test_lists_leak_and_places_do_not(tmp_path: Path) -> None:
    folder = laid_out("small-mines", tmp_path / "walk", SMALLER)
    for command in walk.commands(folder)[:4]:
        code, said = given(command, folder)
        assert code == 0, f"{command}: {said}"


@pytest.mark.parametrize("path", sorted(STUDIES.glob("small-mines/recipes/*.yaml")), ids=str)
def test_recipes_are_studies(path: Path) -> None:
    asked = TrainStudy.read(path)
    assert asked.name == path.stem == yaml.safe_load(path.read_text())["name"]


def test_the_published_lists_leak(shared_data: Path) -> None:
    lists = sorted((shared_data / "smallminesds").glob("*.csv"))
    done = minetrace("audit", *lists)
    assert done.returncode == 2
    assert "452 of the 644" in done.stdout + done.stderr
