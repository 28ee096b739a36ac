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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study's folder with the made-up set and its lists in it, and nothing audited."""
    out = laid_out("small-mines", tmp_path_factory.mktemp("small-mines") / "walk", SMALLER)
    for command in walk.commands(out)[:3:2]:
        code, said = given(command, out)
        assert code == 0, f"{command}: {said}"
    return out


def test_lists_leak_and_places_do_not(folder: Path) -> None:
    by_year, by_place = walk.commands(folder)[1:4:2]
    code, said = given(by_year, folder)
    assert code == 0, said
    assert "it leaks" in said
    code, said = given(by_place, folder)
    assert code == 0, said
    assert "it leaks" not in said


@pytest.mark.parametrize("path", sorted(STUDIES.glob("small-mines/recipes/*.yaml")), ids=str)
def test_recipes_are_studies(path: Path) -> None:
    asked = TrainStudy.read(path)
    assert asked.name == path.stem == yaml.safe_load(path.read_text())["name"]


def test_the_published_lists_leak(shared_data: Path) -> None:
    lists = sorted((shared_data / "smallminesds").glob("*.csv"))
    done = minetrace("audit", *lists)
    assert done.returncode == 2
    assert "452 of the 644" in done.stdout + done.stderr
