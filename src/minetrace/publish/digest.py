"""What a watch tells: a page, a layer, a table and a feed, all offline and from one record."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import shapely
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from minetrace.publish.tables import write_plain
from minetrace.publish.words import INTERVAL, count, hectares, percent
from minetrace.store.files import write_json, write_text, write_whole

ATOM = "http://www.w3.org/2005/Atom"
_WORDS = {
    "new": "is new", "first-seen": "is seen for the first time", "grown": "grew",
    "returned": "is mined again",
}  # fmt: skip
_SPACE = uuid.UUID("3c7b8f52-6d0e-5a3c-9d0f-5f3e2f6a1b77")


@dataclass(frozen=True)
class Alert:
    """One site that changed.

    Attributes:
        facts: as ``minetrace.panel.alerts`` says, with ``territory``, ``probability`` and
            ``confidence``; plain values.
        outline: EPSG:4326.
        sights: pictures before and after, each with ``label``, ``uri`` and ``rings``.
    """

    facts: Mapping[str, Any]
    outline: BaseGeometry
    sights: Sequence[Any] = ()


@dataclass(frozen=True)
class Digest:
    """What is told of a period.

    Attributes:
        study: its name, and
        title: how it is called.
        period: the label, with
        start: its first and
        end: its last day, ISO.
        verdict: ``alerts``, ``quiet`` or ``too cloudy``.
        looked_share: of the region.
        hidden_sites: known sites that nobody could look at.
        false_alarms: see ``minetrace.flow.alert_evidence``; None where nobody knows.
        alerts: the largest first.
    """

    study: str
    title: str
    period: str
    start: str
    end: str
    verdict: str
    looked_share: float
    hidden_sites: int
    false_alarms: Mapping[str, Any] | None
    alerts: Sequence[Alert]

    def record(self) -> dict[str, Any]:
        """All but outlines and pictures, for JSON; equal digests make equal records."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        own["alerts"] = [dict(alert.facts) for alert in self.alerts]
        return {**own, "interval": INTERVAL, "headline": self.headline()}

    def headline(self) -> str:
        """The digest in a sentence."""
        found = count(len(self.alerts), "alert") if self.alerts else "nothing new"
        if self.verdict == "too cloudy":
            found = f"too cloudy to tell; {found} in the {percent(self.looked_share)} that was seen"
        return f"{self.title}, {self.period}: {found}"


def lines(digest: Digest) -> Iterator[str]:
    """The digest as plain text, for a terminal or a mail."""
    yield digest.headline()
    yield f"{percent(digest.looked_share)} of the region looked at"
    if digest.hidden_sites:
        yield f"{count(digest.hidden_sites, 'known site')} could not be looked at"
    yield _false(digest)
    for alert in digest.alerts:
        yield _line(alert)
    yield f"hectares {INTERVAL}"


def _line(alert: Alert) -> str:
    facts = alert.facts
    sure = facts["confidence"]
    if facts["probability"] is not None:
        sure = f"{sure} confidence, p {facts['probability']:.2f}"
    where = f" in {facts['territory']}" if facts["territory"] else ""
    before = f", {hectares(facts['before_ha'])} ha in {facts['since']}" if facts["since"] else ""
    return (
        f"{facts['site_id']} {_WORDS[facts['kind']]}{where}: {hectares(facts['hectares'])} ha "
        f"{facts['extent']}{before}; {sure}; at {facts['lat']:.5f}, {facts['lon']:.5f}"
    )


def _false(digest: Digest) -> str:
    known = digest.false_alarms
    if known is None:
        return "how many alerts are false is not known: draw a sample with 'minetrace sample'"
    span = f" ({known['low']:g} to {known['high']:g})" if "low" in known else ""
    return f"expected false alarms per 1,000 km²: {known['per_1000_km2']:g}{span}, {known['words']}"


def write_digest(folder: Path, digest: Digest) -> list[Path]:
    """Write ``digest.html``, ``alerts.geojson``, ``alerts.csv`` and ``digest.json``."""
    paths = [folder / name for name in ("digest.html", "alerts.geojson", "alerts.csv")]
    write_text(paths[0], page(digest))
    write_text(paths[1], json.dumps(_geojson(digest), ensure_ascii=False, allow_nan=False) + "\n")
    columns = ["site_id", "kind", "period", "hectares", "interval"]
    table = pd.DataFrame([{**a.facts, "interval": INTERVAL} for a in digest.alerts])
    write_plain(paths[2], table if len(table) else pd.DataFrame(columns=columns))
    write_json(folder / "digest.json", digest.record())
    return [*paths, folder / "digest.json"]


def _geojson(digest: Digest) -> dict[str, Any]:
    features = [
        {
            "type": "Feature", "id": alert.facts["site_id"],
            "properties": {**alert.facts, "interval": INTERVAL},
            "geometry": mapping(shapely.transform(alert.outline, lambda xy: xy.round(6))),
        }
        for alert in digest.alerts
    ]  # fmt: skip
    return {"type": "FeatureCollection", "features": features}


def write_feed(path: Path, title: str, records: Sequence[Mapping[str, Any]]) -> None:
    """Write an Atom feed of records, an entry each, the latest period first.

    Names of entries follow from study and period alone, so that a reader sees each once.
    """
    ElementTree.register_namespace("", ATOM)
    feed = ElementTree.Element(f"{{{ATOM}}}feed")
    records = sorted(records, key=lambda record: record["end"], reverse=True)
    _add(feed, "title", title)
    _add(feed, "id", f"urn:uuid:{uuid.uuid5(_SPACE, str(records[0]['study']))}")
    _add(feed, "updated", f"{records[0]['end']}T00:00:00Z")
    _add(_add(feed, "author"), "name", "minetrace")
    for record in records:
        entry = _add(feed, "entry")
        _add(entry, "title", record["headline"])
        name = uuid.uuid5(_SPACE, f"{record['study']} {record['period']}")
        _add(entry, "id", f"urn:uuid:{name}")
        _add(entry, "updated", f"{record['end']}T00:00:00Z")
        _add(entry, "link", href=f"{record['period']}/digest.html")
        _add(entry, "summary", f"{record['headline']}; hectares {INTERVAL}")
    ElementTree.indent(feed)
    tree = ElementTree.ElementTree(feed)
    write_whole(path, lambda part: tree.write(part, encoding="utf-8", xml_declaration=True))


def _add(parent: Any, name: str, text: str | None = None, **attributes: str) -> Any:
    child = ElementTree.SubElement(parent, f"{{{ATOM}}}{name}", attributes)
    child.text = text
    return child


def page(digest: Digest) -> str:
    """The digest as one page without scripts; text from data is escaped."""
    viewer = resources.files("minetrace.publish") / "viewer"
    style = "".join((viewer / name).read_text(encoding="utf-8")
                    for name in ("tally.css", "digest.css"))  # fmt: skip
    allowed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    body = "\n".join(_body(digest))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        f"style-src 'sha256-{allowed}'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{html.escape(digest.headline())}</title>\n<style>{style}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _body(digest: Digest) -> Iterator[str]:
    yield f"<header><h1>{html.escape(digest.headline())}</h1></header>"
    hidden = digest.hidden_sites
    seen = f"{digest.start} to {digest.end}; {percent(digest.looked_share)} of the region looked at"
    seen += f"; {count(hidden, 'known site')} could not be looked at" if hidden else ""
    yield f'<p class="muted">{html.escape(seen)}.</p>'
    if digest.verdict == "too cloudy":
        words = "Too cloudy to tell. What is not listed may still have happened."
        yield f'<p class="cloudy">{words}</p>'
    yield f'<p class="muted">{html.escape(_false(digest).capitalize())}.</p>'
    for alert in digest.alerts:
        yield _article(alert)
    yield (
        f'<p class="muted small">Hectares {INTERVAL}. An alert is a reason to look, not evidence. '
        "Confidence: high from a probability of 0.9, medium from 0.7; unrated where the study does "
        "not decode.</p>"
    )


def _article(alert: Alert) -> str:
    facts = alert.facts
    figures = "".join(_figure(sight) for sight in alert.sights)
    return (
        f'<article class="{facts["confidence"]}"><h2>{html.escape(str(facts["site_id"]))} '
        f"{_WORDS[facts['kind']]}</h2><p>{html.escape(_line(alert).partition(': ')[2])}</p>"
        f'<div class="sights">{figures}</div></article>'
    )


def _figure(sight: Any) -> str:
    label = html.escape(sight.label)
    rings = " ".join(
        "M" + " L".join(f"{100 * x:.2f} {100 * y:.2f}" for x, y in ring) + "Z"
        for ring in sight.rings
    )
    drawn = (
        f'<img src="{sight.uri}" alt="The ground in {label}">'
        if sight.uri
        else '<span class="none">no clear picture</span>'
    )
    outline = (
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">'
        f'<path class="casing" d="{rings}"/><path d="{rings}"/></svg>'
    )
    return f"<figure><div>{drawn}{outline}</div><figcaption>{label}</figcaption></figure>"
