"""The HTTP client: modest, patient, and silent about secrets."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from minetrace.errors import ReadFailedError, StudyError
from minetrace.store.http import HttpClient, HttpOptions, redacted
from minetrace.store.range_cache import RangeCache
from minetrace.store.remote import RemoteFile
from minetrace.testing.stac_server import Fault, StacServer

QUICK = HttpOptions(attempts=3, backoff_s=0.01, longest_wait_s=0.2, read_s=0.5, connect_s=0.5)
CONTENT = bytes(range(256)) * 400


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StacServer]:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.bin").write_bytes(CONTENT)
    with StacServer(tmp_path, latency_s=0.02) as served:
        yield served


def test_an_answer_that_does_not_pass_is_handed_back_at_once(server: StacServer) -> None:
    client = HttpClient(QUICK)
    assert client.request("GET", f"{server.url}/data/none").status == 404
    assert len(server.seen.requests) == 1
    assert client.request("GET", f"{server.url}/data/a.bin").body == CONTENT


def test_a_wait_is_no_shorter_than_the_server_asks_and_no_longer_than_allowed(
    server: StacServer,
) -> None:
    client = HttpClient(QUICK)
    for asked_s, least_s in ((0.1, 0.1), (3600.0, 0.2)):
        server.faults = [Fault("status", times=1, status=429, retry_after_s=asked_s)]
        began = time.monotonic()
        assert client.request("GET", f"{server.url}/data/a.bin").status == 200
        assert least_s <= time.monotonic() - began < 60


def test_waits_grow_and_are_drawn_by_chance() -> None:
    client = HttpClient(HttpOptions(backoff_s=1.0, longest_wait_s=5.0))
    drawn = [[client._wait_s(attempt, None) for _ in range(50)] for attempt in range(5)]
    for attempt, waits in enumerate(drawn):
        ceiling = min(2.0**attempt, 5.0)
        assert all(0 < wait <= ceiling for wait in waits)
        assert len(set(waits)) > 40
    assert max(drawn[0]) < max(drawn[3])


def test_no_secret_is_in_an_error(server: StacServer) -> None:
    server.faults = [Fault("status", times=99, status=500)]
    address = f"{server.url}/data/a.bin?sig=hush#hush".replace("//", "//me:hush@")
    with pytest.raises(ReadFailedError) as failure:
        HttpClient(QUICK).request("GET", address)
    assert "hush" not in str(failure.value)
    assert "/data/a.bin" in str(failure.value)
    assert redacted("https://me:hush@x.org:8080/a?b=hush#c") == "https://x.org:8080/a"
    assert redacted("https://me:hu#sh@x.org:99999/a?b=hush") == "x.org:99999/a"
    with pytest.raises(StudyError, match="not an address"):
        HttpClient(QUICK).request("GET", "ftp://x.org/a?sig=hush")


def _ask(url: str, slots: Path, count: int) -> None:
    client = HttpClient(HttpOptions(per_host=3), slots)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: client.request("GET", url), range(count)))


def test_threads_and_processes_keep_to_the_limit_together(
    server: StacServer, tmp_path: Path
) -> None:
    url, slots = f"{server.url}/data/a.bin", tmp_path / "slots"
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=_ask, args=(url, slots, 12)) for _ in range(2)]
    for other in others:
        other.start()
    _ask(url, slots, 12)
    for other in others:
        other.join()
        assert other.exitcode == 0
    assert len(server.seen.requests) == 36
    assert server.seen.most_at_once <= 3


def test_near_ranges_are_asked_for_together_and_none_twice(
    server: StacServer, tmp_path: Path
) -> None:
    file = RemoteFile(f"{server.url}/data/a.bin", HttpClient(QUICK), RangeCache(tmp_path / "c"))
    wanted = [(20_000, 500), (20_600, 500), (90_000, 10)]
    assert file.ranges(wanted) == [CONTENT[a : a + n] for a, n in wanted]
    assert len(server.seen.requests) == 2
    assert file.ranges(wanted[::-1]) == [CONTENT[a : a + n] for a, n in wanted[::-1]]
    assert len(server.seen.requests) == 2
    with pytest.raises(ReadFailedError, match="cut short"):
        file.ranges([(len(CONTENT) - 5, 10)])


def test_threads_that_want_the_same_fetch_it_once(server: StacServer, tmp_path: Path) -> None:
    cache, client = RangeCache(tmp_path / "c"), HttpClient(QUICK)
    file = RemoteFile(f"{server.url}/data/a.bin", client, cache)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: file.ranges([(40_000, 100)]), range(16)))
    assert all(one == [CONTENT[40_000:40_100]] for one in found)
    assert len(server.seen.requests) == 1


def test_a_server_that_knows_no_ranges_sends_a_file_once(
    server: StacServer, tmp_path: Path
) -> None:
    server.faults = [Fault("no-range", times=99)]
    file = RemoteFile(f"{server.url}/data/a.bin", HttpClient(QUICK), RangeCache(tmp_path / "c"))
    assert file.read(10, 20) == CONTENT[10:30]
    assert file.ranges([(20_000, 500), (90_000, 10)]) == [
        CONTENT[20_000:20_500],
        CONTENT[90_000:90_010],
    ]
    assert Path(file.whole()).read_bytes() == CONTENT
    assert len(server.seen.requests) == 1


def test_the_cache_stays_below_its_cap(tmp_path: Path) -> None:
    cache = RangeCache(tmp_path / "c", cap_bytes=64_000)
    for number in range(200):
        cache.put("file", number * 1000, bytes(1000))
    kept = sum(p.stat().st_size for p in (tmp_path / "c").rglob("*") if p.is_file())
    assert kept <= 64_000
    assert cache.get("file", 199_000, 1000) == bytes(1000)


def test_tiffs_are_cut_up_and_put_together_again(tmp_path: Path) -> None:
    import numpy as np
    import rasterio
    from hypothesis import given, settings
    from hypothesis import strategies as st
    from rasterio.io import MemoryFile
    from rasterio.windows import Window

    from minetrace.store.tiff import parse, sparse

    profiles = st.fixed_dictionaries({
        "tiled": st.booleans(), "interleave": st.sampled_from(["band", "pixel"]),
        "compress": st.sampled_from(["none", "deflate", "lzw", "zstd"]),
        "BIGTIFF": st.sampled_from(["YES", "NO"]), "ENDIANNESS": st.sampled_from(["BIG", "LITTLE"]),
        "dtype": st.sampled_from(["uint8", "uint16", "int16", "float32"]),
    })  # fmt: skip

    @settings(max_examples=25, deadline=None)
    @given(profiles, st.integers(0, 60), st.integers(0, 50), st.integers(1, 30))
    def check(profile: dict[str, object], row: int, col: int, side: int) -> None:
        pixels = (
            np.random.default_rng(1).integers(0, 200, (3, 90, 80)).astype(str(profile["dtype"]))
        )
        place = rasterio.transform.from_origin(5e5, 8e6, 10, 10)
        said = {k: v for k, v in profile.items() if k != "dtype"}
        sides = {"blockxsize": 32, "blockysize": 16} if profile["tiled"] else {}
        with MemoryFile() as memory:
            with memory.open(driver="GTiff", width=80, height=90, count=3, dtype=pixels.dtype,
                             transform=place, crs="EPSG:32719",
                             **said, **sides) as target:  # fmt: skip
                target.write(pixels)
            content = memory.read()
        layout = parse(lambda offset, length: content[offset : offset + length])
        numbers = [n for plane in range(layout.planes)
                   for n in layout.blocks(row, col, side, side, plane)]  # fmt: skip
        blocks = {n: content[layout.offsets[n] : layout.offsets[n] + layout.counts[n]]
                  for n in numbers}  # fmt: skip
        with MemoryFile(sparse(layout, blocks)) as memory, memory.open() as source:
            found = source.read(window=Window(col, row, side, side))
        assert np.array_equal(found, pixels[:, row : row + side, col : col + side])

    check()
