"""The house rules that a test can see."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "rasterio", "geopandas", "onnxruntime", "pandas", "pyogrio")


def loaded_by(code: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [name for name in HEAVY if name in done.stdout.split()]


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_by("import minetrace") == []


def test_no_library_reports_who_uses_it(tmp_path: Path) -> None:
    code = "import minetrace as mt; mt.load_model('artisanal-gold-rgb').scorer()._session()"
    loud = {"CI", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS"}
    told = {name: value for name, value in os.environ.items() if name not in loud}
    subprocess.run(
        [sys.executable, "-c", code], env=told | {"XDG_CACHE_HOME": str(tmp_path)}, check=True
    )
    assert list(tmp_path.iterdir()) == []  # where ONNX Runtime would keep an identifier


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys, contextlib\n"
        f"sys.argv = ['minetrace', *{words!r}]\n"
        "from minetrace.faces.cli import main\n"
        "with contextlib.suppress(SystemExit): main()"
    )
    assert loaded_by(code) == []


def test_a_base_install_is_small_and_has_no_torch() -> None:
    found: set[str] = set()
    waiting = ["minetrace"]
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError:  # a dependency for another platform
            continue
        found.add(name)
        for need in map(Requirement, needs):
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                waiting.append(need.name)
    assert "torch" not in found
    assert len(found) <= 85


def test_imports_point_down() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [linter, "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_no_module_grows_past_one_noun() -> None:
    long = {
        p.name: n
        for p in (ROOT / "src").rglob("*.py")
        if (n := len(p.read_text().splitlines())) > 450
    }
    assert long == {}


def test_every_command_shows_an_example() -> None:
    for name in ("demo", "init", "run", "status"):
        done = subprocess.run([sys.executable, "-m", "minetrace", name, "--help"],
                              capture_output=True, text=True, check=True)  # fmt: skip
        assert f"Example:  minetrace {name}" in done.stdout
