"""What stands on the pages runs as it stands: commands, Python and studies.

A console block may show, below a command, lines of what it prints; on a tutorial, a text block
after Python does the same. They must be printed so, in that order, where … is anything. A YAML
block whose first line names a file is saved under that name.
"""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import yaml

import minetrace as mt
from minetrace.flow.train_study import TrainStudy
from terminal import minetrace

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FIRST = (  # they make what the others look at
    DOCS / "quickstart.md", ROOT / "README.md", DOCS / "how-to" / "own-labels.md",
)  # fmt: skip
PAGES = (*FIRST, *sorted(page for page in DOCS.rglob("*.md") if page not in FIRST))
NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))
NOT_RUN = {
    "how-to/figures.md": "run with the tests of figures",
    "how-to/foundation-models.md": "needs published weights; run with the tests of models",
    "how-to/imagery-from-stac.md": "needs a network",
    "how-to/published-checkpoints.md": "needs a published checkpoint",
    "how-to/published-models.md": "needs a published Keras file",
    "how-to/train.md": "run with the tests of training",
    "shipped-model.md": "tells how the model was trained",
}
_MADE: dict[tuple[Any, ...], str] = {}  # what making a country printed; pages share it
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


def test_every_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    monkeypatch.chdir(tmp_path)
    for page in PAGES:
        name = page.relative_to(DOCS if DOCS in page.parents else ROOT).as_posix()
        if name in NOT_RUN:
            continue
        with subtests.test(page=name):
            walk(page, name)
    with subtests.test(page="notebooks"):
        run_notebooks()


def walk(page: Path, name: str) -> None:
    """Do what a page says, from its top to its end."""
    names: dict[str, Any] = {"__name__": "__page__"}
    printed = ""
    for language, code in blocks(page, "console", "python", "yaml", "text"):
        if language == "console":
            for line, said in commands(code):
                shown(said, command(line), line)
        elif language == "python":
            with redirect_stdout(io.StringIO()) as out:
                exec(compile(code, name, "exec"), names)
            printed = out.getvalue()
            continue
        elif language == "yaml" and (named := re.match(r"# ([\w-]+\.yaml)\n", code)):
            Path(named[1]).write_text(code, encoding="utf-8")
        elif language == "text" and printed and name.startswith("tutorials/"):
            shown(code.splitlines(), printed, f"{name}, after Python")
        printed = ""


def run_notebooks() -> None:
    """Run each cell by cell; what a tutorial has made under the same name is gone on with."""
    matplotlib = pytest.importorskip("matplotlib", reason="pip install 'minetrace[plot]'")
    matplotlib.use("agg")
    for path in NOTEBOOKS:
        names: dict[str, Any] = {"__name__": "__notebook__"}
        for source in sources(path):
            if source.startswith("!"):
                command(source.removeprefix("!"))
            else:
                exec(compile(source, path.name, "exec"), names)


def sources(path: Path) -> list[str]:
    """The code of a notebook's cells."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def commands(code: str) -> Iterator[tuple[str, list[str]]]:
    """Each command of a console block, and the lines that the page shows below it."""
    for part in re.split(r"^\$ ", code, flags=re.MULTILINE)[1:]:
        line, *said = part.splitlines()
        yield line, said


def command(line: str) -> str:
    """Run a line of a page as the terminal would; what it prints."""
    name, *words = shlex.split(line)
    assert name == "minetrace", f"{line}: pages run minetrace alone"
    if words[0] == "demo" and "--size" not in words:
        words += ["--size", "256"]  # a smaller country, so that the tests stay quick
    if words[0] == "init" and "study.yaml" in words and Path("study.yaml").exists():
        return ""
    if words[0] == "demo" and (Path.cwd(), *words) in _MADE:
        return _MADE[(Path.cwd(), *words)]
    done = minetrace(*words)
    assert not done.returncode, f"{line}: exit code {done.returncode}: {done.stderr}"
    if words[0] == "demo":
        _MADE[(Path.cwd(), *words)] = done.stderr + done.stdout
    return done.stderr + done.stdout


def shown(said: Iterable[str], printed: str, what: str) -> None:
    """Hold the lines of a page against what was printed."""
    lines = iter([" ".join(line.split()) for line in printed.splitlines()])
    for line in (" ".join(line.split()) for line in said):
        if line in ("", "…"):
            continue
        pattern = ".*".join(map(re.escape, line.split("…")))
        assert any(re.fullmatch(pattern, one) for one in lines), (
            f"{what}: not printed, or not in this order: {line}\n{printed}"
        )


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_studies_on_pages_are_studies(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINETRACE_DATA", "/data")
    for _, text in blocks(page, "yaml"):
        said = yaml.safe_load(text)
        trains = page.stem == "foundation-models" and not set(said) & {"model", "delineate"}
        trains = trains or (page.stem == "training" and "network" in said)
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
