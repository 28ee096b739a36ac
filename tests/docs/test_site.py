"""The site: it builds without a warning, every link leads somewhere, and it fetches nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml

import minetrace as mt

ROOT = Path(__file__).resolve().parents[2]


class _Page(HTMLParser):
    """What a page links to, what it loads, and what may be linked to in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attributes}
        if "id" in said:
            self.anchors.add(said["id"])
        if tag == "a" and "href" in said:
            self.links.append(said["href"])
        if tag == "link" and said.get("rel") not in ("canonical", "prev", "next"):
            self.loads.append(said["href"])
        self.loads += [said[key] for key in ("src", "srcset", "poster") if said.get(key)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("material", reason="the site needs: pip install 'minetrace[docs]'")
    out = tmp_path_factory.mktemp("site")
    # not --quiet, with which warnings are neither shown nor counted
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", out],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stderr, done.stderr
    return out


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, _Page]:
    return {
        path.resolve(): _Page(path.read_text(encoding="utf-8"))
        for path in site.rglob("*.html")
        if path.name != "404.html"  # it is served from anywhere, so its links start at the root
    }


def test_every_page_is_there(site: Path, pages: dict[Path, _Page]) -> None:
    built = {path.relative_to(site.resolve()).as_posix() for path in pages}
    written = {
        path.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
        for path in (ROOT / "docs").rglob("*.md")
    }
    outside = {"changelog.html", "contributing.html", "licence.html", "studies.html",
               "artisanal-gold-rgb.html", "studies/artisanal-gold.html",
               "studies/tropical-panel.html", "studies/small-mines.html",
               "studies/amazon-detector.html", "studies/landsat-net.html"}  # fmt: skip
    assert written | outside == built


def test_every_link_and_anchor_leads_somewhere(pages: dict[Path, _Page]) -> None:
    broken = []
    for path, page in pages.items():
        for link in page.links:
            where = urlsplit(link)
            if where.scheme or where.netloc:
                continue
            there = (path.parent / unquote(where.path)).resolve() if where.path else path
            if not there.is_file():
                broken.append(f"{path.name}: {link}")
            elif where.fragment and there in pages:
                anchors = pages[there].anchors | {"__comments", "__search"}
                if unquote(where.fragment) not in anchors:
                    broken.append(f"{path.name}: {link}")
    assert not broken


def test_nothing_is_fetched_from_elsewhere(site: Path, pages: dict[Path, _Page]) -> None:
    for path, page in pages.items():
        for load in page.loads:
            where = urlsplit(load)
            assert not where.netloc, f"{path.name} loads {load}"
            assert where.scheme in ("", "data"), f"{path.name} loads {load}"
            assert where.scheme or (path.parent / unquote(where.path)).is_file(), load
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert "url(http" not in text
        assert "@import" not in text


def test_every_command_and_name_is_explained(pages: dict[Path, _Page]) -> None:
    import typer

    from minetrace.faces.cli import app

    written = {path: path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md")}
    prose = "\n".join(written.values()) + (ROOT / "README.md").read_text(encoding="utf-8")
    anchors = {path.stem: page.anchors for path, page in pages.items()}
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        assert f"minetrace {name}" in prose or f"`{name}" in prose, f"no page speaks of {name}"
        assert f"minetrace-{name}" in anchors["commands"]
        for inner in getattr(command, "commands", ()):
            assert f"minetrace-{name}-{inner}" in anchors["commands"]
    library = "\n".join(t for p, t in written.items() if "reference" in p.parts)
    for name in set(mt.__all__) - {"__version__"}:
        assert f"mt.{name}" in library, f"no page of the reference speaks of mt.{name}"


def test_every_key_of_a_study_is_on_its_page(pages: dict[Path, _Page]) -> None:
    page = next(p for p in pages if p.as_posix().endswith("reference/study.html"))
    text = page.read_text(encoding="utf-8")
    schema = mt.Study.model_json_schema()
    keys = {key for part in schema["$defs"].values() for key in part.get("properties", ())}
    assert not [key for key in keys | set(schema["properties"]) if f">{key}</code>" not in text]
    assert not re.findall(
        r"<td><code>(\w+)</code></td>(?:\s*<td>[^\n]*</td>){2}\s*<td></td>", text
    ), "these keys have no meaning: give their fields a description"


def test_the_citation_names_this_version() -> None:
    said = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert said["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(said)
    known = {"cff-version", "message", "type", "title", "abstract", "authors", "version", "license",
             "keywords", "date-released", "doi", "url", "repository-code"}  # fmt: skip
    assert set(said) <= known
    assert said["version"] == mt.__version__
    assert all({"name"} <= set(author) or "family-names" in author for author in said["authors"])


@pytest.mark.browser
def test_it_reads_and_searches_from_disk(site: Path, browser: Any) -> None:
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    tab.set_default_timeout(60_000)
    elsewhere, wrong = [], []
    tab.on("request", lambda r: r.url.startswith("http") and elsewhere.append(r.url))
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.goto((site / "index.html").as_uri())
    tab.locator(".md-search__input").fill("mosaic")
    found = tab.locator(".md-search-result__item a").first
    found.wait_for()
    assert "own-imagery" in str(found.get_attribute("href"))
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto((site / "reference" / "study.html").as_uri())
    wide = tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"a phone would have to scroll {wide} px sideways"
    assert not elsewhere
    assert not wrong
    tab.close()
