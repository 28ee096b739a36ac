"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from minetrace.testing.world import World, make_world

HERE = Path(__file__).parent
settings.register_profile("shared", deadline=None)  # a busy machine is no failure
settings.load_profile("shared")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # workers of the suite share the cores

# Files whose tests take longest, longest first: begun early, they hold nobody up at the end.
LONG = (
    "docs/test_commands.py", "flow/test_equal_runs.py", "flow/test_chaos.py",
    "studies/test_tropical_panel.py", "studies/test_amazon_detector.py",
    "studies/test_landsat_net.py", "publish/test_map_browser.py", "faces/test_review_page.py",
    "flow/test_changed_studies.py", "faces/test_cli.py", "store/test_mirror.py",
    "flow/test_truth.py", "flow/test_engines.py",
)  # fmt: skip


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put long files first in the share that each worker begins with: as many tests in a row."""
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    if workers == 1:
        return
    files: dict[str, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(os.path.relpath(item.path, HERE), []).append(item)
    long = [files.pop(name) for name in LONG if name in files]
    rest = [item for file in files.values() for item in file]
    shares = [[item for file in long[k::workers] for item in file] for k in range(workers)]
    size = len(items) // workers
    for share in shares[:-1]:
        room = max(0, size - len(share))
        share += rest[:room]
        del rest[:room]
    items[:] = [item for share in [*shares[:-1], [*shares[-1], *rest]] for item in share]


@pytest.fixture(scope="session", autouse=True)
def _alone() -> Iterator[None]:
    """No waiting for the disk, and one process where nobody says how many: tests share a machine.

    What survives a loss of power is not tested by running; `test_store` holds that each write is
    synced. Starting a worker takes longer than a small example does.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        patch.setattr(os, "sched_getaffinity", lambda pid: {0}, raising=False)
        yield


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The seeded country, small: 2.56 km a side, three dates a year, 2022 all but unseen."""
    return make_world(tmp_path_factory.mktemp("world"), seed=3, size_px=256, dates_per_year=3)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data beside the checkout; tests that need it skip where it is absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("MINETRACE_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder}: set MINETRACE_DATA to its folder")
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium, as Debian packages it; tests that need it skip where it is absent."""
    path = os.environ.get("MINETRACE_CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("no Chromium: install the package chromium or set MINETRACE_CHROMIUM")
    sync_api = pytest.importorskip("playwright.sync_api")
    flags = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=flags)
        yield chromium
        chromium.close()
