"""What the site has beside its pages: generated references, and pages from outside ``docs/``.

A page holds ``<!-- generated: NAME -->`` where something made of the code itself goes, so that it
can never be out of date. Links lead to files of the repository, so that they also work where the
repository is read; here those that lie outside ``docs/`` become pages, or plain text.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "LICENSE": "licence.md",
    "studies/README.md": "studies.md",
    "studies/artisanal-gold/README.md": "studies/artisanal-gold.md",
    "studies/tropical-panel/README.md": "studies/tropical-panel.md",
    "studies/small-mines/README.md": "studies/small-mines.md",
    "studies/amazon-detector/README.md": "studies/amazon-detector.md",
    "studies/landsat-net/README.md": "studies/landsat-net.md",
    "src/minetrace/models/shipped/artisanal-gold-rgb/README.md": "artisanal-gold-rgb.md",
}
"""Files of the repository that are pages of the site, by the path that they have there."""
PICTURES = {
    "src/minetrace/models/shipped/artisanal-gold-rgb/confusions.webp": "images/confusions.webp",
    "studies/artisanal-gold/figures.png": "images/artisanal-gold-figures.png",
    "studies/artisanal-gold/scenes.png": "images/artisanal-gold-scenes.png",
}
"""Pictures of those pages, likewise."""

_MARK = re.compile(r"<!-- generated: ([\w-]+) -->")
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
_FENCE = re.compile(r"(^ *```.*?^ *```)", re.DOTALL | re.MULTILINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages that patterns stand for into the navigation."""
    found = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    rest = sorted(found - set(_named(config.nav or [])))
    config.nav = _spelled(config.nav or [], rest)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Bring in the pages from outside."""
    for origin, uri in OUTSIDE.items():
        text = (ROOT / origin).read_text(encoding="utf-8")
        page = _licence(text) if origin == "LICENSE" else text
        files.append(File.generated(config, uri, content=page))
    for origin, uri in PICTURES.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / origin)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Make what is generated, and lead links to where their files are on the site."""
    text = _MARK.sub(lambda mark: GENERATED[mark[1]](), markdown)
    inside = {uri: origin for origin, uri in OUTSIDE.items()}
    uri = page.file.src_uri
    origin = inside.get(uri, f"docs/{uri}")
    parts = _FENCE.split(text)
    parts[::2] = [_LINK.sub(lambda link: _led(link, origin, uri), part) for part in parts[::2]]
    return "".join(parts)


def _named(nav: list[Any]) -> Iterator[str]:
    for entry in nav:
        if isinstance(entry, Mapping):
            for inner in entry.values():
                yield from _named(inner if isinstance(inner, list) else [inner])
        else:
            yield entry


def _spelled(nav: list[Any], rest: list[str]) -> list[Any]:
    spelled: list[Any] = []
    for entry in nav:
        if isinstance(entry, Mapping):
            spelled.append(
                {k: _spelled(v, rest) if isinstance(v, list) else v for k, v in entry.items()}
            )
        elif "*" in entry:
            folder = posixpath.dirname(entry)
            spelled += [p for p in rest if posixpath.dirname(p) == folder and fnmatch(p, entry)]
        else:
            spelled.append(entry)
    return spelled


def _led(link: re.Match[str], origin: str, uri: str) -> str:
    """One link: as it is, to a page of the site, or as its text alone."""
    picture, words, target = link.groups()
    path, _, anchor = target.partition("#")
    if ":" in target or not path:
        return link[0]
    there = posixpath.normpath(posixpath.join(posixpath.dirname(origin), path))
    if there in OUTSIDE | PICTURES:
        place = (OUTSIDE | PICTURES)[there]
    elif there.startswith("docs/"):
        place = there.removeprefix("docs/")
    elif (ROOT / there).exists():
        return words
    else:
        return link[0]
    led = posixpath.relpath(place, posixpath.dirname(uri) or ".")
    return f"{picture}[{words}]({led}{'#' + anchor if anchor else ''})"


def _licence(text: str) -> str:
    return f"# Licence\n\n{text}"


def commands() -> str:
    """Every command's ``--help``, as the terminal shows it 80 columns wide."""
    import typer

    from minetrace.faces.cli import app

    return "\n".join(_helps(typer.main.get_command(app), None))


def _helps(command: Any, parent: Any) -> Iterator[str]:
    name = command.name if parent else "minetrace"
    context = command.make_context(name, [], parent=parent, resilient_parsing=True,
                                   terminal_width=80, max_content_width=80)  # fmt: skip
    yield f"## {context.command_path}\n\n```text\n{command.get_help(context).rstrip()}\n```\n"
    for inner in getattr(command, "commands", {}).values():
        yield from _helps(inner, context)


def study_keys() -> str:
    """Every key of a study."""
    from minetrace.flow.study import Study

    return _keys("The study", Study.model_json_schema())


def train_keys() -> str:
    """Every key of a study of a training."""
    from minetrace.flow.train_study import TrainStudy

    return _keys("Every key", TrainStudy.model_json_schema())


def _keys(heading: str, schema: Mapping[str, Any]) -> str:
    """Every key that a schema checks, in tables."""
    shown: set[str] = set()
    parts = [f"## {heading}\n", _table("", schema, schema)]
    for key, said in schema["properties"].items():
        parts += _sections(key, said, schema, shown)
    return "\n".join(parts)


def _sections(
    key: str, said: Mapping[str, Any], schema: Mapping[str, Any], shown: set[str]
) -> Iterator[str]:
    """A section for each mapping that may stand under a key, each once."""
    for inner in _objects(said, schema):
        name = f"{key}: {inner['title']}"
        if name in shown:
            continue
        again = any(one.startswith(f"{key}: ") for one in shown)
        shown.add(name)
        kind = inner["properties"].get("kind", {}).get("const")
        head = f"## {key}, kind {kind}" if again else f"## {key}"
        yield f"{head}\n\n{_meaning(inner)}\n"
        yield _table(key, inner, schema)
        for deeper, value in inner["properties"].items():
            yield from _sections(f"{key}.{deeper}", value, schema, shown)


def _objects(said: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Mappings of known keys that a value may be made of."""
    if "$ref" in said:
        target = schema["$defs"][said["$ref"].rpartition("/")[2]]
        if "properties" in target:
            yield target
    for inner in [
        *said.get("anyOf", ()), *said.get("oneOf", ()), *said.get("allOf", ()),
        *(said[k] for k in ("items", "additionalProperties") if isinstance(said.get(k), Mapping)),
    ]:  # fmt: skip
        yield from _objects(inner, schema)


def _table(place: str, said: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    rows = ["| key | kind | default | meaning |", "|---|---|---|---|"]
    needed = said.get("required", ())
    for name, value in said["properties"].items():
        default = "**needed**" if name in needed else _default(value.get("default"))
        inner = list(_objects(value, schema))
        kind, words = _kind(value, schema), value.get("description", "")
        if inner:
            key = f"{place}.{name}" if place else name
            kind = kind.replace("keys", f"[keys](#{key.replace('.', '')})", 1)
            words = words or _meaning(inner[0])
        rows.append(f"| `{name}` | {kind} | {default} | {_cell(words)} |")
    return "\n".join(rows) + "\n"


def _meaning(said: Mapping[str, Any]) -> str:
    """The docstring of what a mapping becomes, up to its first full stop."""
    return str(said.get("description", "")).split("\n\n")[0].replace("``", "`")


def _default(value: Any) -> str:
    if value is None or value == "" or value == []:
        return ""
    if isinstance(value, Mapping):
        return "below" if any(v not in (None, "", []) for v in value.values()) else ""
    return f"`{_plain(value)}`"


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _kind(said: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """What a value may be, in a reader's words."""
    if "$ref" in said:
        return _kind(schema["$defs"][said["$ref"].rpartition("/")[2]], schema)
    if "enum" in said or "const" in said:
        return ", ".join(f"`{v}`" for v in said.get("enum", [said.get("const")]))
    several = [*said.get("anyOf", ()), *said.get("oneOf", ()), *said.get("allOf", ())]
    if several:
        kinds = [_kind(one, schema) for one in several if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if said.get("type") == "array" and isinstance(said.get("items"), Mapping):
        return f"list of {_kind(said['items'], schema)}"
    if said.get("format") in ("date", "path", "uri"):
        return str(said["format"])
    words = {"string": "text", "object": "keys", "array": "list", "boolean": "true or false"}
    kind = words.get(said.get("type", ""), said.get("type", ""))
    return kind + _bounds(said)


def _bounds(said: Mapping[str, Any]) -> str:
    if {"minimum", "maximum"} <= set(said):
        return f", {said['minimum']:g} to {said['maximum']:g}"
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f" {sign} {said[key]:g}" for key, sign in signs.items() if key in said]
    return " and".join(bounds)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def error_tree() -> str:
    """The family of errors, as its module draws it."""
    from minetrace import errors

    tree = str(errors.__doc__).partition("\n\n")[2]
    return f"```text\n{tree.rpartition(chr(10) * 2)[0].strip()}\n```"


def error_table() -> str:
    """Every error, its exit code and what it means."""
    from minetrace import errors

    rows = ["| error | exit code | meaning |", "|---|--:|---|"]
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.MinetraceError):
            rows.append(f"| `{name}` | {kind.exit_code} | {_cell(str(kind.__doc__))} |")
    return "\n".join(rows)


def events() -> str:
    """Every word of the panel's column ``event``."""
    from minetrace.panel.events import EVENTS

    rows = ["| event | meaning |", "|---|---|"]
    return "\n".join([*rows, *(f"| `{word}` | {_cell(said)} |" for word, said in EVENTS.items())])


def models() -> str:
    """The models that have a name."""
    from minetrace.models.registry import entries

    rows = ["| model | for | not for | licence |", "|---|---|---|---|"]
    for entry in entries():
        rows.append(f"| `{entry.name}` | {entry.purpose} | {entry.not_for} | {entry.licence} |")
    return "\n".join(rows)


GENERATED: Mapping[str, Callable[[], str]] = {
    "commands": commands,
    "study": study_keys,
    "train": train_keys,
    "error-tree": error_tree,
    "errors": error_table,
    "events": events,
    "models": models,
}
