"""``minetrace sources check``: who lets us in, with exit codes and without a secret."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from minetrace.testing.earthengine_server import TOKEN, EarthEngineServer
from minetrace.testing.planet_server import KEY, Basemap, PlanetServer
from terminal import minetrace


def study(folder: Path, source: str) -> Path:
    path = folder / "study.yaml"
    path.write_text(
        f"name: x\nregion: {{bbox: [0, 0, 1, 1]}}\nperiods: [2021]\nsources: [{source}]\n"
    )
    return path


def test_planet_with_and_without_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    month = Basemap("monthly", date(2021, 1, 1), date(2021, 1, 31), {})
    with PlanetServer(tmp_path / "served", [month]) as server:
        path = study(tmp_path, f"{{kind: planet, url: '{server.url}'}}")
        monkeypatch.delenv("PL_API_KEY", raising=False)
        done = minetrace("sources", "check", path)
        assert (done.returncode, "no keys" in done.stdout) == (2, True)
        monkeypatch.setenv("PL_API_KEY", "PLAKwrong")
        done = minetrace("sources", "check", path)
        assert (done.returncode, "refused" in done.stdout) == (1, True)
        assert "PLAKwrong" not in done.stdout + done.stderr
        monkeypatch.setenv("PL_API_KEY", KEY)
        done = minetrace("sources", "check", path, "--json")
        assert done.returncode == 0
        assert json.loads(done.stdout) == [
            {"name": "planet", "state": "signed in",
             "words": "the key in PL_API_KEY sees 1 mosaics"}
        ]  # fmt: skip
    nowhere = study(tmp_path, "{kind: planet, url: 'http://127.0.0.1:9'}")
    done = minetrace("sources", "check", nowhere)
    assert (done.returncode, "unreachable" in done.stdout) == (1, True)


def test_earth_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with EarthEngineServer([]) as server:
        path = study(
            tmp_path, f"{{kind: earthengine, product: sentinel-1, url: '{server.url}', project: p}}"
        )
        monkeypatch.setenv("EARTHENGINE_TOKEN", TOKEN)
        done = minetrace("sources", "check", path)
        assert (done.returncode, "signed in" in done.stdout) == (0, True)
        monkeypatch.setenv("EARTHENGINE_TOKEN", "ya29.wrong")
        assert minetrace("sources", "check", path).returncode == 1


def test_names_that_are_not_known() -> None:
    done = minetrace("sources", "check", "plannet")
    assert done.returncode == 2
    assert "did you mean planet" in done.stderr


def test_the_list_names_every_provider() -> None:
    done = minetrace("sources")
    assert done.returncode == 0
    for word in ("earth-search", "PL_API_KEY", "EARTHENGINE_PROJECT", "landsat-5-7"):
        assert word in done.stdout
