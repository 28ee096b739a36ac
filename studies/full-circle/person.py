"""Somebody who sits at the page of a review, scripted: a real browser, real keys."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import sync_playwright

NEXT = (
    "before => !document.getElementById('done').hidden || "
    "(document.getElementById('work').dataset.ready || before) !== before"
)


def look(run: Path, verdict: Callable[[str], str], *words: str, picture: Path | None = None) -> int:
    """Answer a whole review.

    Args:
        run: the run's folder.
        verdict: mine, not or unsure for an item's id.
        words: more of the command, such as ``--detections``.
        picture: keep a picture of the first item here.

    Returns:
        How many answers were given.
    """
    with socket.socket() as any_:
        any_.bind(("127.0.0.1", 0))
        port = int(any_.getsockname()[1])
    server = subprocess.Popen(
        [sys.executable, "-m", "minetrace", "review", str(run), "--port", str(port), *words],
        stdout=subprocess.DEVNULL,
    )
    try:
        _wait(port)
        return _answer(f"http://127.0.0.1:{port}/", verdict, picture)
    finally:
        server.terminate()
        server.wait()
        subprocess.run(
            [sys.executable, "-m", "minetrace", "review", str(run), "--no-page", *words], check=True
        )


def _answer(url: str, verdict: Callable[[str], str], picture: Path | None) -> int:
    path = os.environ.get("MINETRACE_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        page.goto(url)
        page.fill("#name", "script")
        page.press("#name", "Enter")
        before, count = "", 0
        while True:
            page.wait_for_function(NEXT, arg=before, timeout=60_000)
            if page.locator("#done").is_visible():
                break
            before = str(page.get_attribute("#work", "data-ready"))
            if picture is not None and count == 0:
                page.screenshot(path=picture)
            page.keyboard.press(verdict(before)[0])
            count += 1
        page.wait_for_function("() => !localStorage.length || !Object.keys(localStorage)"
                               ".some(key => key.startsWith('minetrace.review.said.'))")  # fmt: skip
        browser.close()
    return count


def _wait(port: int) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise TimeoutError("the page did not start")
