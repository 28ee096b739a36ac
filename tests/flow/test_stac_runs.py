"""Runs from a served catalog: equal to files, nothing twice, failures with their names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from minetrace.errors import TilesFailedError
from minetrace.faces.cli import main
from minetrace.flow.forecast import forecast
from minetrace.flow.plan import plan
from minetrace.flow.steps import run
from minetrace.flow.study import Study
from minetrace.flow.study_sources import source_named
from minetrace.store.cog import band_names
from minetrace.store.files import read_json
from minetrace.store.run_folder import RunFolder
from minetrace.testing.results import assert_equal
from minetrace.testing.stac_catalog import world_shots, write_catalog
from minetrace.testing.stac_server import Fault, StacServer
from minetrace.testing.world import World, world_study


@pytest.fixture(scope="module")
def catalog(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dates of 2021."""
    shots = [s for s in world_shots(world.scenes) if s.day.year == 2021]
    return write_catalog(tmp_path_factory.mktemp("catalog"), shots, block_px=128)


def asked(world: World, url: str, **said: Any) -> dict[str, Any]:
    source = {
        "kind": "stac", "url": url, "collection": "sentinel-2-c1-l2a",
        "requests": {"backoff_s": 0.01, "longest_wait_s": 0.1, "attempts": 4, "read_s": 1.5},
        **said,
    }  # fmt: skip
    return {**world_study(world, name="served"), "periods": [2021], "sources": [source]}


def test_a_served_run_equals_one_from_files_faults_and_all_and_is_not_repeated(
    world: World, catalog: Path, tmp_path: Path
) -> None:
    run(Study.of({**world_study(world, name="files"), "periods": [2021]}), tmp_path / "files")
    with StacServer(catalog) as served:
        study = Study.of({**asked(world, served.url), "grid": {"tile": 128}})
        served.faults = [
            Fault("status", "/data/", times=3, status=429, retry_after_s=0.01),
            Fault("reset", "/data/", times=2), Fault("short", "/data/", times=2),
            Fault("corrupt", "/data/.*red", times=1), Fault("status", "/search", status=503),
            Fault("status", "/data/", status=500), Fault("timeout", "/data/.*nir", seconds=1.8),
        ]  # fmt: skip
        run(study, tmp_path / "served", workers=2)
        assert all(fault.times == 0 for fault in served.faults)
        assert_equal(tmp_path / "files", tmp_path / "served")
        touched = sum(path.stat().st_size for path in (catalog / "data").rglob("*.tif"))
        assert served.seen.bytes_sent <= 1.3 * touched
        assert not (tmp_path / "served" / "cache").exists()
        card = (tmp_path / "served" / "datacard.md").read_text()
        assert "contains modified Copernicus Sentinel data" in card
        served.forget()
        run(study, tmp_path / "served")
        assert served.seen.requests == []


def test_what_cannot_be_read_fails_by_its_address_and_the_next_run_goes_on(
    world: World, catalog: Path, tmp_path: Path
) -> None:
    with StacServer(catalog) as served:
        settings = asked(world, served.url)
        served.faults = [Fault("status", r"/data/S2A_19LCH_2021.*red", times=999, status=500)]
        with pytest.raises(TilesFailedError, match=r"127.0.0.1:\d+/data/.*/red\.tif: HTTP 500"):
            run(Study.of(settings), tmp_path / "run")
        failed = list((tmp_path / "run").rglob("*.failed.json"))
        assert failed
        assert "red.tif" in json.dumps(read_json(failed[0]))
        served.forget()
        run(Study.of(settings), tmp_path / "run")
        assert not served.seen.of("/search")
        assert not list((tmp_path / "run").rglob("*.failed.json"))


def test_a_plan_keeps_what_the_catalog_answered_and_no_pixels(
    world: World, catalog: Path, tmp_path: Path
) -> None:
    with StacServer(catalog) as served:
        study = Study.of({**asked(world, served.url), "periods": [2020, 2021]})
        ahead = forecast(plan(study, RunFolder(tmp_path / "run")), workers=1)
        assert [(p.scenes, p.blind_share) for p in ahead.periods] == [(0, 1), (3, 0)]
        assert ahead.read_bytes > 0
        assert [path.name for path in (tmp_path / "run").iterdir()] == ["items"]
        served.forget()
        plan(study, RunFolder(tmp_path / "run"))
        assert not served.seen.of("/search")


def test_files_of_one_day_are_one_look(tmp_path: Path) -> None:
    counts = np.full((64, 64), 1000, np.uint16)
    (tmp_path / "scenes").mkdir()
    for name, left in (("a", 350_000.0), ("b", 350_000.0 + 320)):
        with rasterio.open(
            tmp_path / "scenes" / f"{name}_20190704.tif", "w", driver="GTiff", width=64, height=64,
            count=3, dtype="uint16", crs="EPSG:32719", nodata=0,
            transform=Affine(10, 0, left, 0, -10, 8_590_000.0),
        ) as file:  # fmt: skip
            file.descriptions, file.scales = ("red", "nir", "green"), (1e-4,) * 3
            file.write(np.stack([counts] * 3))
    study = Study.of({
        "name": "day", "region": {"bbox": [-70.3815, -12.757, -70.374, -12.7525]},
        "periods": [2019], "sources": [{"path": str(tmp_path / "scenes")}],
    })  # fmt: skip
    run(study, tmp_path / "run")
    tile = next((tmp_path / "run" / "composites" / "2019").glob("*.tif"))
    with rasterio.open(tile) as file:
        looks = file.read(band_names(tile).index("clear_looks") + 1)
    assert looks.max() == 1


def test_a_source_is_a_path_that_exists_an_address_or_a_catalogs_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert source_named("earth-search") == {"kind": "stac", "profile": "earth-search"}
    assert source_named("https://x.org/stac") == {"kind": "stac", "url": "https://x.org/stac"}
    assert source_named("no/such/folder")["kind"] == "files"
    assert source_named("*.tif")["kind"] == "files"
    (tmp_path / "earth-search").mkdir()
    assert source_named("earth-search")["path"] == str(tmp_path / "earth-search")


@pytest.mark.parametrize(
    ("source", "status", "said"),
    [
        ("copernicus", 2, "CDSE_S3_ACCESS_KEY and CDSE_S3_SECRET_KEY, or CDSE_TOKEN"),
        ("earthsearch", 2, "did you mean earth-search"),
        ("http://127.0.0.1:9", 1, "http://127.0.0.1:9: refused the connection"),
    ],
)
def test_the_command_line_says_what_is_missing(
    source: str, status: int, said: str, world: World, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CDSE_TOKEN", raising=False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    words = ["run", "--region", str(world.region), "--years", "2019", "--source", source]
    monkeypatch.setattr("sys.argv", ["minetrace", *words])
    with pytest.raises(SystemExit) as left:
        main()
    told = capsys.readouterr().err
    assert left.value.code == status, told
    assert said in told
    assert told.count("\n") == 1
