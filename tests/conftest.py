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

settings.register_profile("shared", deadline=None)  # a busy machine is no failure
settings.load_profile("shared")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # workers of the suite share the cores


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


@pytest.fixture
def one_core() -> Iterator[None]:
    """Work in this process: starting others takes longer than small examples do."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


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
