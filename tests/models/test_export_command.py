"""A model packed to hand on is the model."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from minetrace.faces.cli import app
from minetrace.flow.named_models import entries, place_of
from minetrace.predict.model_file import read_model


def test_a_packed_model_is_the_model_and_twice_the_same(tmp_path: Path) -> None:
    name = entries()[0].name
    packed = []
    for file in (tmp_path / "one.zip", tmp_path / "two.zip"):
        done = CliRunner().invoke(app, ["models", "export", name, "--out", str(file)])
        assert done.exit_code == 0, done.output
        packed.append(file.read_bytes())
        assert read_model(file) == read_model(place_of(name))
    assert packed[0] == packed[1]


def test_what_is_no_model_is_not_packed(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["models", "export", str(tmp_path), "--out", "x.zip"])
    assert done.exit_code != 0
    assert "holds no model" in str(done.exception)
