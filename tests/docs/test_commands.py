"""What stands on the pages runs as it stands: commands, Python and studies."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import minetrace as mt
from minetrace.faces.cli import main
from minetrace.flow.train_study import TrainStudy

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FIRST = (  # they make what the others look at
    DOCS / "quickstart.md", ROOT / "README.md", DOCS / "how-to" / "own-labels.md",
)  # fmt: skip
PAGES = (*FIRST, *sorted(page for page in DOCS.rglob("*.md") if page not in FIRST))
NOT_RUN = {
    "how-to/figures.md": "run with the tests of figures",
    "how-to/foundation-models.md": "needs published weights; run with the tests of models",
    "how-to/imagery-from-stac.md": "needs a network",
    "how-to/published-checkpoints.md": "needs a published checkpoint",
    "how-to/published-models.md": "needs a published Keras file",
    "how-to/train.md": "run with the tests of training",
    "shipped-model.md": "tells how the model was trained",
}
WHOLE = {
    "name": "page",
    "region": {"bbox": [0, 0, 1, 1]},
    "periods": [2019],
    "sources": [{"path": "scenes"}],
}


def blocks(page: Path, *languages: str) -> list[tuple[str, str]]:
    """Language and content of a page's fenced blocks, in order."""
    fence = rf"^```({'|'.join(languages)})\n(.*?)^```"
    text = page.read_text(encoding="utf-8")
    return re.findall(fence, text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def one_core() -> Iterator[None]:
    """Work in this process: starting others takes longer than the examples do."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


def test_every_page_runs(
    tmp_path: Path, one_core: None, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    monkeypatch.chdir(tmp_path)
    for page in PAGES:
        name = page.relative_to(DOCS if DOCS in page.parents else ROOT).as_posix()
        if name in NOT_RUN:
            continue
        with subtests.test(page=name):
            names: dict[str, Any] = {"__name__": "__page__"}
            for language, code in blocks(page, "console", "python"):
                if language == "python":
                    exec(compile(code, name, "exec"), names)
                    continue
                for line in code.splitlines():
                    if line.startswith("$ "):
                        command(line[2:], monkeypatch)


def command(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a line of a page as the terminal would."""
    name, *words = shlex.split(line)
    assert name == "minetrace", f"{line}: pages run minetrace alone"
    if words[0] == "demo":
        words += ["--size", "256"]  # a smaller country, so that the tests stay quick
    if words[0] == "init" and "study.yaml" in words and Path("study.yaml").exists():
        return
    monkeypatch.setattr(sys, "argv", ["minetrace", *words])
    with pytest.raises(SystemExit) as left:
        main()
    assert not left.value.code, f"{line}: exit code {left.value.code}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_studies_on_pages_are_studies(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINETRACE_DATA", "/data")
    for _, text in blocks(page, "yaml"):
        said = yaml.safe_load(text)
        trains = page.stem == "foundation-models" and not set(said) & {"model", "delineate"}
        if page.stem == "train" or trains:
            TrainStudy.of({"name": "page", "data": {"path": "chips"}, **said}, origin=text)
        elif isinstance(said, dict) and set(said) & set(mt.Study.model_fields):
            mt.Study.of({**WHOLE, **said}, origin=f"{page.name}: {text}")


def test_the_schema_is_json() -> None:
    done = subprocess.run([sys.executable, "-m", "minetrace", "init", "--schema"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert set(json.loads(done.stdout)["properties"]) >= {"region", "periods", "sources", "model"}


def test_links_between_files_lead_somewhere() -> None:
    for page in (*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md",
                 ROOT / "studies" / "README.md"):  # fmt: skip
        text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"),
                      flags=re.DOTALL | re.MULTILINE)  # fmt: skip
        for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
