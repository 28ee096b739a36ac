"""Bad input: one clear line, exit code 2 or 1, the run folder intact."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import yaml
from rasterio.warp import transform_geom
from shapely.geometry import box, mapping

from minetrace.testing.world import World, world_study
from terminal import Done, minetrace

BOWTIE = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}


def refused(done: Done, code: int, *words: str) -> None:
    """One line on stderr that names what it should, and no traceback."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("minetrace:")]
    assert done.returncode == code, done.stderr
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in lines[0], lines[0]


@pytest.fixture
def ask(world: World, tmp_path: Path) -> Any:
    """Run a study of the world with something changed."""

    def run(out: Path | None = None, **changes: Any) -> Done:
        settings = {**world_study(world, name="bad"), "periods": [2019], **changes}
        file = tmp_path / "study.yaml"
        file.write_text(yaml.safe_dump(json.loads(json.dumps(settings, default=str))))
        return minetrace("run", file, "--out", out or tmp_path / "out", "--workers", 1, "--quiet")

    return run


def geojson(path: Path, geometry: dict[str, Any]) -> dict[str, str]:
    feature = {"type": "Feature", "properties": {}, "geometry": geometry}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return {"file": str(path)}


def files(path: Path) -> list[dict[str, Any]]:
    return [{"kind": "files", "path": str(path)}]


def test_a_missing_study_and_missing_flags(tmp_path: Path) -> None:
    refused(minetrace("run", tmp_path / "no.yaml"), 2, "no.yaml", "minetrace init")
    refused(minetrace("run", "--years", "2019"), 2, "--region", "--source")
    refused(minetrace("status", tmp_path / "nowhere"), 2, "nowhere", "no such folder")


def test_an_unknown_key_names_the_nearest(ask: Any) -> None:
    refused(ask(vectors={"min_hectares": 1}), 2, "min_hectares", "min_ha")


@pytest.mark.parametrize("url", [
    "https://me:hunter2@example.org/stac", "https://example.org/stac?api_key=hunter2",
    "https://example.org/stac?X-Amz-Signature=hunter2", "https://me:hunter2@example.org:port/stac",
])  # fmt: skip
def test_a_secret_in_an_address_is_refused_and_not_repeated(ask: Any, url: str) -> None:
    open_access = {"kind": "stac", "url": "https://example.org", "collection": "c"}
    for source in (
        {**open_access, "url": url}, {**open_access, "access": {"kind": "sas", "url": url}},
        {"kind": "planet", "url": url},
        {"kind": "earthengine", "product": "sentinel-1", "url": url},
    ):  # fmt: skip
        done = ask(sources=[source])
        refused(done, 2, "example.org")
        assert "hunter2" not in done.stderr


def test_missing_and_empty_imagery(ask: Any, tmp_path: Path) -> None:
    refused(ask(sources=files(tmp_path / "nowhere")), 2, "nowhere")
    (tmp_path / "empty").mkdir()
    refused(ask(sources=files(tmp_path / "empty")), 2, "empty")


def test_an_unreadable_raster(ask: Any, tmp_path: Path) -> None:
    (tmp_path / "scenes").mkdir()
    (tmp_path / "scenes" / "world_20190214.tif").write_bytes(b"this is no raster")
    refused(ask(sources=files(tmp_path / "scenes")), 2, "world_20190214.tif")


def test_a_truncated_raster_costs_its_tile_and_says_so(
    ask: Any, world: World, tmp_path: Path
) -> None:
    shutil.copytree(world.scenes, tmp_path / "scenes")
    victim = sorted((tmp_path / "scenes").glob("*2019*.tif"))[0]
    whole = victim.read_bytes()
    victim.write_bytes(whole[: int(len(whole) * 0.7)])
    done = ask(sources=files(tmp_path / "scenes"))
    refused(done, 1, victim.name)
    status = json.loads(minetrace("status", tmp_path / "out", "--json").stdout)
    assert victim.name in status["failures"][0]["reason"]
    victim.write_bytes(whole)
    assert ask(sources=files(tmp_path / "scenes")).returncode == 0


def test_a_raster_without_crs(ask: Any, tmp_path: Path) -> None:
    (tmp_path / "scenes").mkdir()
    path = tmp_path / "scenes" / "x_20190214.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=64, height=64, count=3, dtype="uint16",
        transform=rasterio.Affine(10, 0, 0, 0, -10, 0),
    ) as target:  # fmt: skip
        target.write(np.ones((3, 64, 64), dtype=np.uint16))
    refused(ask(sources=files(tmp_path / "scenes")), 2, path.name, "CRS")


@pytest.mark.parametrize(
    ("geometry", "says"),
    [
        ({"type": "Polygon", "coordinates": []}, "empty"),
        (BOWTIE, "Self-intersection"),
        ({"type": "Point", "coordinates": [0, 0]}, "Point"),
    ],
)
def test_what_is_no_region(geometry: dict[str, Any], says: str, ask: Any, tmp_path: Path) -> None:
    refused(ask(region=geojson(tmp_path / "roi.geojson", geometry)), 2, "roi.geojson", says)


def test_a_missing_region_file(ask: Any, tmp_path: Path) -> None:
    refused(ask(region={"file": str(tmp_path / "no.geojson")}), 2, "no.geojson")


def test_a_region_outside_the_imagery(ask: Any, tmp_path: Path) -> None:
    elsewhere = mapping(box(10.0, 50.0, 10.1, 50.1))
    refused(ask(region=geojson(tmp_path / "roi.geojson", elsewhere)), 2, "outside the imagery")


def test_no_imagery_in_any_period(ask: Any) -> None:
    refused(ask(periods=[1999, 2000]), 2, "no imagery", "2019")


def test_a_wrong_band_name(ask: Any, world: World) -> None:
    bands = {"red": "rde", "green": "green", "blue": "blue"}
    source = {"kind": "files", "path": str(world.scenes), "bands": bands}
    refused(ask(sources=[source]), 2, "rde", "red")


def test_a_model_that_wants_bands_which_are_not_there(
    ask: Any, world: World, tmp_path: Path
) -> None:
    from minetrace.testing.models import write_patch_net

    write_patch_net(tmp_path / "net", bands=("red", "green", "rededge071"))
    refused(ask(model={"path": str(tmp_path / "net")}), 2, "rededge071")


def test_an_unknown_and_a_missing_model(ask: Any, tmp_path: Path) -> None:
    refused(ask(model={"name": "spectrl"}), 2, "spectrl", "spectral")
    refused(ask(model={"path": str(tmp_path / "no-model")}), 2, "no-model")


def test_two_runs_on_one_folder(ask: Any, tmp_path: Path) -> None:
    from minetrace.store.run_folder import RunFolder

    with RunFolder(tmp_path / "out").claimed():
        refused(ask(), 2, "another run")


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB, where one may be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)  # rasters may be held open


def test_a_full_disk_and_then_room(ask: Any, tiny_disk: Path) -> None:
    filler = tiny_disk / "filler"
    filler.write_bytes(b"0" * 900_000)
    refused(ask(out=tiny_disk / "out"), 1, "disk is full")
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=50m", str(tiny_disk)], check=True)
    assert ask(out=tiny_disk / "out").returncode == 0


def test_a_place_that_may_not_be_written(ask: Any, tiny_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    refused(ask(out=tiny_disk / "out"), 2, "no permission", "--out")


def test_a_blind_period_is_a_warning_and_all_blind_an_error(ask: Any, world: World) -> None:
    from minetrace.store.files import read_json

    mask = {"kind": "scl", "keep": [1]}  # no pixel of the world has this class
    source = {"kind": "files", "path": str(world.scenes), "mask": mask}
    refused(ask(sources=[source]), 2, "no clear look")
    done = ask(periods=[2019, 1999])
    assert done.returncode == 0
    report = read_json(Path(done.args[done.args.index("--out") + 1]) / "run.json")
    assert report["attempts"][-1]["outcome"] == "done"


def test_imagery_smaller_than_a_window_is_not_called_clouds(
    ask: Any, world: World, tmp_path: Path
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    window = rasterio.windows.Window(40, 40, 20, 20)
    for path in world.scenes.glob("*2019*.tif"):
        with rasterio.open(path) as whole:
            profile = {"driver": "GTiff", "width": 20, "height": 20, "count": whole.count,
                       "dtype": whole.dtypes[0], "crs": whole.crs, "nodata": whole.nodata,
                       "transform": whole.window_transform(window)}  # fmt: skip
            bounds = rasterio.windows.bounds(window, whole.transform)
            with rasterio.open(small / path.name, "w", **profile) as part:
                part.write(whole.read(window=window))
                part.descriptions = whole.descriptions
                part.scales, part.offsets = whole.scales, whole.offsets
    ground = transform_geom(profile["crs"], "EPSG:4326", mapping(box(*bounds)))
    asked = ask(
        sources=files(small), region=geojson(tmp_path / "small.geojson", ground),
        model={"name": "artisanal-gold-rgb"},
    )  # fmt: skip
    refused(asked, 2, "window of 48 px", "artisanal-gold-rgb")
