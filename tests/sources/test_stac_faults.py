"""A server that is slow, broken or lying: equal pixels come of it, or a failure with its name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from rasterio.windows import Window
from stac_scenes import GRID, shot, source

from minetrace.core.grid import Rect
from minetrace.errors import MissingFileError, NoPermissionError, ReadFailedError, StudyError
from minetrace.sources.stac import StacSource
from minetrace.sources.stac_raster import Reading, RemoteRaster
from minetrace.testing.stac_catalog import write_catalog
from minetrace.testing.stac_server import Fault, StacServer

RECT = Rect(-859_000, 35_000, 160, 160)
BANDS = ("red", "swir16")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    one = shot("S2A_19LCH_20190704_0_L2A", date(2019, 7, 4))
    return write_catalog(tmp_path_factory.mktemp("catalog"), [one], block_px=128)


@pytest.fixture
def server(catalog: Path) -> Iterator[StacServer]:
    with StacServer(catalog) as served:
        yield served


def pixels(here: StacSource) -> np.ndarray:
    return here.read(here.scenes()[0], BANDS, GRID, RECT).pixels


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", r"/data/", times=3, status=429, retry_after_s=0.02),
        Fault("status", r"/data/", times=3, status=500),
        Fault("status", r"/data/", times=2, status=503),
        Fault("timeout", r"red\.tif", times=1, seconds=1.3),
        Fault("reset", r"/data/", times=3),
        Fault("short", r"/data/", times=3),
        Fault("corrupt", r"red\.tif", times=1),
        Fault("corrupt", r"red\.tif", times=1, from_byte=1),
        Fault("corrupt", r"scl\.tif", times=1, from_byte=1),
        Fault("no-range", r"/data/", times=100),
        Fault("status", r"/search", times=2, status=502),
        Fault("reset", r"^/$", times=2),
        Fault("short", r"/search", times=2),
    ],
    ids=lambda f: f"{f.kind}-{f.status}-{f.match}-{f.from_byte}",
)
def test_what_passes_leaves_no_trace(fault: Fault, server: StacServer, tmp_path: Path) -> None:
    expected = pixels(source(server, tmp_path / "calm"))
    server.forget()
    server.faults = [fault]
    left = fault.times
    assert np.array_equal(pixels(source(server, tmp_path / "rough")), expected)
    assert fault.times < left


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("status", r"red\.tif", times=99, status=500), r"red\.tif: HTTP 500 \(4 attempts\)"),
        (Fault("status", r"red\.tif", times=99, status=404), r"red\.tif: .*no such file"),
        (Fault("reset", r"red\.tif", times=99), r"red\.tif: broke the connection"),
        (Fault("short", r"red\.tif", times=99), r"red\.tif: answered with less"),
        (Fault("corrupt", r"red\.tif", times=99, from_byte=1), r"red\.tif: cannot be decoded"),
        (Fault("corrupt", r"red\.tif", times=99), r"red\.tif: cannot be decoded"),
    ],
    ids=lambda v: v if isinstance(v, str) else f"{v.kind}-{v.status}-{v.from_byte}",
)
def test_what_stays_is_named(fault: Fault, said: str, server: StacServer, tmp_path: Path) -> None:
    here = source(server, tmp_path)
    server.faults = [fault]
    with pytest.raises(ReadFailedError, match=said):
        pixels(here)
    server.forget()
    assert pixels(here).any(), "what failed once is not remembered as failed"


def test_a_file_that_is_cut_short_on_the_server_is_named(tmp_path: Path) -> None:
    one = shot("S2A_19LCH_20190704_0_L2A", date(2019, 7, 4))
    folder = write_catalog(tmp_path / "catalog", [one], block_px=128)
    file = next(folder.glob("data/*/red.tif"))
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])
    with StacServer(folder) as served:
        here = source(served, tmp_path)
        with pytest.raises(ReadFailedError, match=r"red\.tif: .*cut short"):
            pixels(here)
        assert here.read(here.scenes()[0], ("swir16",), GRID, RECT).valid.any()


def test_a_file_that_changes_meanwhile_is_named(tmp_path: Path) -> None:
    one = shot("S2A_19LCH_20190704_0_L2A", date(2019, 7, 4))
    folder = write_catalog(tmp_path / "catalog", [one], block_px=128)
    with StacServer(folder) as served:
        here = source(served, tmp_path)
        here.read(here.scenes()[0], ("red",), GRID, Rect(-859_000, 35_000, 30, 30))
        file = next(folder.glob("data/*/red.tif"))
        file.write_bytes(file.read_bytes() + b"more")
        with pytest.raises(ReadFailedError, match=r"red\.tif: changed"):
            pixels(here)


def test_a_catalog_that_does_not_answer_is_named(server: StacServer, tmp_path: Path) -> None:
    for fault, error, said in (
        (Fault("status", "^/$", times=99, status=500), ReadFailedError, "HTTP 500"),
        (Fault("status", "/search", times=1, status=403), NoPermissionError, "wants an account"),
        (Fault("status", "^/$", times=1, status=404), MissingFileError, "check sources.url"),
        (Fault("corrupt", "/search", times=99), ReadFailedError, "damaged on the way"),
        (Fault("corrupt", "^/$", times=99), StudyError, "no STAC catalog"),
    ):
        server.faults = [fault]
        with pytest.raises(error, match=said):
            source(server, tmp_path)
        server.forget()
    with pytest.raises(ReadFailedError, match="refused the connection"):
        source(server, tmp_path, url="http://127.0.0.1:9/stac")


def write_blocks(path: Path, first: int, order: range) -> None:
    """Four blocks of one count each, laid down in an order of their own."""
    with rasterio.open(
        path, "w", driver="GTiff", height=256, width=256, count=1, dtype="int16", crs="EPSG:32719",
        transform=from_origin(500_000, 8_000_000, 10, 10), tiled=True, blockxsize=128,
        blockysize=128,
    ) as target:  # fmt: skip
        for number in order:
            row, col = divmod(number, 2)
            block = np.full((128, 128), first + number, dtype=np.int16)
            target.write(block, 1, window=Window(col * 128, row * 128, 128, 128))


def test_blocks_of_a_changed_file_are_not_sought_where_the_old_had_them(tmp_path: Path) -> None:
    folder = tmp_path / "catalog"
    (folder / "data").mkdir(parents=True)
    path = folder / "data" / "a.tif"
    write_blocks(path, 100, range(4))
    with StacServer(folder) as served:
        here = RemoteRaster(f"{served.url}/data/a.tif", reading=Reading(tmp_path / "cache"))
        assert here.read((1,), Rect(0, 0, 8, 8))[0].max() == 100
        write_blocks(path, 1000, range(3, -1, -1))
        path.write_bytes(path.read_bytes() + b"more")
        for _ in range(2):
            with pytest.raises(ReadFailedError, match="changed while it was being read"):
                here.read((1,), Rect(128, 0, 8, 8))
        assert here.read((1,), Rect(128, 0, 8, 8))[0].max() == 1002
