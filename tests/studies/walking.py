"""Give the commands of a study's page in this process, on less data, for tests."""

from __future__ import annotations

import glob
import importlib.util
import io
import runpy
import shlex
import subprocess
import sys
from collections.abc import Mapping
from contextlib import chdir, redirect_stdout
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

from terminal import minetrace

STUDIES = Path(__file__).resolve().parents[2] / "studies"


def script(path: Path) -> ModuleType:
    """A script of a study as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


walk = script(STUDIES / "walk.py")


def laid_out(study: str, out: Path, smaller: Mapping[str, Mapping[str, str]]) -> Path:
    """A study's folder with words of its files replaced; each must be there."""
    walk.lay_out(STUDIES / study, out)
    for name, words in smaller.items():
        text = (out / name).read_text(encoding="utf-8")
        for old, new in words.items():
            assert old in text, f"{name}: {old}"
            text = text.replace(old, new)
        (out / name).write_text(text, encoding="utf-8")
    return out


def walked(folder: Path) -> str:
    """Give each command of the page in the folder; what they all print."""
    said = []
    for command in walk.commands(folder):
        code, told = given(command, folder)
        assert code == 0, f"{command}: {told}"
        said.append(told)
    return "\n".join(said)


def given(command: str, folder: Path) -> tuple[int, str]:
    """Give one command; its exit code and what it prints."""
    line, _, expected = command.partition(" || test $? -eq ")
    line, _, target = line.partition(" > ")
    with chdir(folder):
        first, *rest = shlex.split(line)
        words = [found for word in rest for found in (sorted(glob.glob(word)) or [word])]
        if first == "minetrace":
            done = minetrace(*words)
            code, told = done.returncode, done.stdout + done.stderr
        elif first == "python":
            code, told = 0, _ran(words)
        else:
            ran = subprocess.run([first, *words], capture_output=True, text=True, check=False)
            code, told = ran.returncode, ran.stdout + ran.stderr
        if target:
            Path(target).write_text(told, encoding="utf-8")
    return (0 if code == int(expected) else code or 1) if expected else code, told


def _ran(words: list[str]) -> str:
    out = io.StringIO()
    with patch.object(sys, "argv", words), redirect_stdout(out):
        runpy.run_path(words[0], run_name="__main__")
    return out.getvalue()
