"""Models by name: a list of one's own, files at an address, and what is not what was named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from minetrace.errors import (
    ModelError,
    NoPermissionError,
    ReadFailedError,
    StudyError,
    UserError,
)
from minetrace.faces.cli import app
from minetrace.faces.library.models import load_model
from minetrace.flow import named_models
from minetrace.flow.models import not_for, open_model
from minetrace.flow.named_models import entries, place_of
from minetrace.models.registry import SHIPPED
from minetrace.predict.model_file import read_model, zip_model
from minetrace.store.fetched import cache_folder, fetch_once
from minetrace.store.files import sha256
from minetrace.store.http import HttpOptions
from minetrace.testing.loopback import Loopback

GOLD = SHIPPED / "artisanal-gold-rgb"


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, Loopback]]:
    """A packed model in a folder, and the server of that folder."""
    folder = tmp_path / "served"
    folder.mkdir()
    zip_model(GOLD, folder / "gold.zip")
    port = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(folder)))
    with Loopback(port) as server:
        yield folder, server


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    quick = HttpOptions(attempts=2, backoff_s=0.01, longest_wait_s=0.02)
    monkeypatch.setattr(named_models, "fetch_once", partial(fetch_once, options=quick))


def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **said: object) -> Path:
    """A list with one model, and the variable that names it."""
    one = {"name": "our-gold", "licence": "CC-BY-4.0", "version": "2", "purpose": "finds gold",
           "not_for": "anything else"} | said  # fmt: skip
    path = tmp_path / "models.yaml"
    path.write_text(yaml.safe_dump({"models": [one]}), encoding="utf-8")
    monkeypatch.setenv("MINETRACE_MODELS", str(path))
    return path


@pytest.fixture
def our_gold(
    served: tuple[Path, Loopback], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A zip on a server, which a list names."""
    folder, server = served
    zipped = folder / "gold.zip"
    listed(tmp_path, monkeypatch, source=f"{server.url}/gold.zip", sha256=sha256(zipped))
    return zipped


def models(*words: str) -> Result:
    return CliRunner().invoke(app, ["models", *words])


def test_a_model_at_an_address_is_fetched_once_and_used(our_gold: Path) -> None:
    done = models("check", "our-gold")
    assert done.exit_code == 0, done.output
    our_gold.unlink()
    scorer = open_model("our-gold", None, ("red", "green", "blue"))
    assert scorer.card == read_model(GOLD)[1]
    assert not_for(scorer.card, "our-gold") == "anything else"
    shown = models("list").output
    assert "finds gold" in shown
    assert "/gold.zip" in shown


def test_another_file_at_the_address_is_refused_and_not_kept(
    served: tuple[Path, Loopback], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed(tmp_path, monkeypatch, source=f"{served[1].url}/gold.zip", sha256="0" * 64)
    with pytest.raises(ModelError, match="not the file that was named"):
        place_of("our-gold")
    assert not list((tmp_path / "cache").rglob("*.zip"))


def test_a_damaged_copy_is_fetched_again(our_gold: Path) -> None:
    kept = place_of("our-gold")
    kept.write_bytes(kept.read_bytes()[:-1])
    assert sha256(place_of("our-gold")) == sha256(our_gold)


def test_what_cannot_be_fetched_says_where_to_put_it(
    served: tuple[Path, Loopback], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed(tmp_path, monkeypatch, source=f"{served[1].url}/none.zip", sha256="0" * 64)
    with pytest.raises(ReadFailedError, match=r"HTTP 404.*our-gold\.zip"):
        place_of("our-gold")
    listed(tmp_path, monkeypatch, source="http://127.0.0.1:9/gold.zip", sha256="0" * 64)
    with pytest.raises(ReadFailedError, match="refused the connection"):
        place_of("our-gold")


@pytest.mark.parametrize("packed", [False, True])
def test_a_model_beside_the_list_is_held_against_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    source = "gold.zip" if packed else "gold"
    if packed:
        zip_model(GOLD, tmp_path / source)
        named = sha256(tmp_path / source)
    else:
        shutil.copytree(GOLD, tmp_path / source)
        named = read_model(GOLD)[1].sha256
    listed(tmp_path, monkeypatch, source=source, sha256=named, default=True)
    assert place_of("our-gold") == tmp_path / source
    assert entries()[0].name == "our-gold"
    listed(tmp_path, monkeypatch, source=source, sha256="1" * 64)
    with pytest.raises(ModelError, match="not the model that our-gold names"):
        place_of("our-gold")


@pytest.mark.parametrize(("said", "complaint"), [
    ({"name": "artisanal-gold-rgb"}, "name of another model"),
    ({"name": "spectral"}, "name of another model"),
    ({"name": "../gold"}, "lower-case letters"),
    ({"sha256": "abc"}, "sha256: give the 64"),
    ({"name": "a" * 101}, "100 characters"),
    ({"source": "ftp://example.org/gold.zip"}, "begins with http"),
    ({"source": "http://127.0.0.1:99999/gold.zip"}, r"models\.yaml: models\.0\.source"),
    ({"source": "https://example.org/gold.zip?key=secret"}, "no password"),
    ({"licences": "MIT"}, "did you mean 'licence'"),
])  # fmt: skip
def test_a_list_that_cannot_be_used_says_what_to_correct(
    said: dict[str, str], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed(tmp_path, monkeypatch, **({"source": "gold", "sha256": "0" * 64} | said))
    with pytest.raises(ModelError, match=complaint):
        entries()


def test_a_list_that_is_not_there_or_no_yaml_is_the_users_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINETRACE_MODELS", str(tmp_path / "none.yaml"))
    with pytest.raises(UserError, match="MINETRACE_MODELS"):
        entries()
    broken = tmp_path / "broken.yaml"
    broken.write_text("models: [", encoding="utf-8")
    monkeypatch.setenv("MINETRACE_MODELS", str(broken))
    with pytest.raises(StudyError, match="not YAML"):
        entries()
    broken.write_text("- name: gold", encoding="utf-8")
    with pytest.raises(StudyError, match="no keys at its top"):
        entries()


def test_a_broken_list_stops_only_those_who_need_a_name_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models.yaml").write_text("models: [", encoding="utf-8")
    monkeypatch.setenv("MINETRACE_MODELS", str(tmp_path / "models.yaml"))
    assert load_model("spectral").card.name == "spectral"
    assert "industrial pits" in models("show", str(GOLD)).output
    with pytest.raises(StudyError, match="not YAML"):
        load_model("our-gold")


def test_a_hash_in_capitals_is_the_same_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed(tmp_path, monkeypatch, source=str(GOLD), sha256=read_model(GOLD)[1].sha256.upper())
    assert place_of("our-gold") == GOLD


def test_a_cache_that_cannot_be_used_says_where_else(
    our_gold: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place_of("our-gold").unlink()
    (cache_folder() / sha256(our_gold)[:16] / "our-gold.zip").mkdir()
    with pytest.raises(NoPermissionError, match="XDG_CACHE_HOME"):
        place_of("our-gold")
    monkeypatch.setenv("XDG_CACHE_HOME", str(our_gold))
    with pytest.raises(NoPermissionError, match="XDG_CACHE_HOME"):
        place_of("our-gold")


def test_a_packed_model_says_what_a_list_needs(tmp_path: Path) -> None:
    file = tmp_path / "gold.zip"
    said = models("export", str(GOLD), "--out", str(file)).output
    assert sha256(file) in said


def test_the_list_as_json_is_the_list() -> None:
    found = json.loads(models("list", "--json").output)
    assert [one["name"] for one in found] == [entry.name for entry in entries()]


def test_what_is_built_in_has_no_file() -> None:
    with pytest.raises(ModelError, match="built in"):
        place_of("spectral")


def test_an_unknown_name_names_the_known_ones() -> None:
    with pytest.raises(ModelError, match="artisanal-gold-rgb"):
        place_of("gold")
