"""The commands of the README and the quickstart run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", ROOT / "docs" / "quickstart.md")


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_the_commands_run(page: Path, tmp_path: Path) -> None:
    commands = [
        line[2:] for block in blocks(page, "console") for line in block.splitlines()
        if line.startswith("$ ")
    ]  # fmt: skip
    assert commands
    for command in commands:
        assert command.startswith("minetrace ")
        words = command.split()[1:]
        if words[0] == "demo":
            words += ["--size", "256"]  # a smaller country, so that the tests stay quick
        done = subprocess.run([sys.executable, "-m", "minetrace", *words], cwd=tmp_path,
                              capture_output=True, text=True, check=False)  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stderr}"
    for code in blocks(page, "python"):
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


def test_the_schema_is_json() -> None:
    import json

    done = subprocess.run([sys.executable, "-m", "minetrace", "init", "--schema"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert set(json.loads(done.stdout)["properties"]) >= {"region", "periods", "sources", "model"}


def test_links_between_pages_lead_somewhere() -> None:
    for page in (*PAGES, *(ROOT / "docs").rglob("*.md"), ROOT / "studies" / "README.md"):
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
