"""The data card of a run: what it is, what it says, and what it cannot say.

It is written for somebody who will quote the numbers and did not make them: ``datacard.md`` to be
read, ``datacard.json`` with the same facts for machines.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from shapely.geometry.base import BaseGeometry

from minetrace.core.footprints import Extent, geodesic_hectares
from minetrace.core.model import ModelCard
from minetrace.core.period import Period
from minetrace.publish.words import (
    ESTIMATED,
    INTERVAL,
    count,
    degrees,
    estimated,
    hectares,
    km2,
    percent,
    several,
)
from minetrace.store.files import write_json, write_text

HECTARES: dict[Extent, str] = {"mined": "area_ha", "footprint": "footprint_ha"}
UNEVEN = 0.05  # difference of shares looked at from which on periods do not compare

_KIND: dict[Extent, str] = {
    "mined": "They measure the **mined ground** itself, as well as the model can tell it apart.",
    "footprint": (
        "They measure **footprints**: the squares of imagery in which the model saw mining. "
        "A footprint covers far more ground than the mine inside it, often several times as much. "
        "Never quote these figures as mined area."
    ),
}


@dataclass(frozen=True)
class SourceRead:
    """One source of imagery, as it was read.

    Attributes:
        name: what it is called, such as the folder or the collection.
        looks: scenes that were read.
        first: day of the earliest.
        last: day of the latest.
        licence: as the study says.
        attribution: likewise.
        masking: how clouds were kept out; empty if they were not.
    """

    name: str
    looks: int
    first: date | None = None
    last: date | None = None
    licence: str = ""
    attribution: str = ""
    masking: str = ""


@dataclass(frozen=True)
class DataCard:
    """All that the card says.

    Attributes:
        title: such as the study's title.
        region: EPSG:4326.
        periods: in time order.
        rows: per period ``period``, ``sites``, ``looked_share`` and ``area_ha`` or
            ``footprint_ha``, NaN where nothing was looked at; ``estimated`` where a sample was
            checked, with ``value``, ``standard_error``, ``low``, ``high`` and ``frame_ha``.
        sites: different sites over all periods.
        extent: what the hectares measure.
        sources: imagery that was read.
        model: what found the mines.
        executor: what the model ran on: ``cpu`` is the reference.
        threshold: probability from which on ground belongs to an outline.
        delineated_by: the model that outlined mined ground inside the detections, if any did.
        decoded: whether scores were decoded through time; then the threshold is of that.
        composite: how many looks became one picture, such as ``median, at least 1 clear look``.
        crs: projections that were worked in.
        resolution_m: side of a pixel.
        rules: how scores became outlines and outlines sites.
        failed: what could not be made, with the reason.
        versions: of everything that has a say in the numbers.
        licence: of the result; empty if nobody has said.
        lent: by period label, how much of its picture shows ground as a neighbouring period saw it,
            0 to 1.
    """

    title: str
    region: BaseGeometry
    periods: Sequence[Period]
    rows: Sequence[Mapping[str, Any]]
    sites: int
    extent: Extent
    sources: Sequence[SourceRead]
    model: ModelCard
    threshold: float
    composite: str
    crs: Sequence[str]
    resolution_m: float
    executor: str = "cpu"
    delineated_by: str | None = None
    decoded: bool = False
    rules: Mapping[str, Any] | None = None
    failed: Sequence[tuple[str, str]] = ()
    versions: Mapping[str, str] | None = None
    licence: str = ""
    lent: Mapping[str, float] = field(default_factory=dict)

    @property
    def region_ha(self) -> float:
        """Geodesic hectares of the region."""
        return float(geodesic_hectares(np.array([self.region], dtype=object), "EPSG:4326")[0])


def write_datacard(folder: Path, card: DataCard) -> Path:
    """Write ``datacard.md`` and ``datacard.json``.

    Returns:
        The path of ``datacard.md``.

    Raises:
        DiskFullError: no room left.
        NoPermissionError: the folder may not be written.
    """
    write_json(folder / "datacard.json", facts(card))
    write_text(folder / "datacard.md", text(card))
    return folder / "datacard.md"


def facts(card: DataCard) -> dict[str, Any]:
    """The card as JSON can hold it; what is not known is null."""
    kind = HECTARES[card.extent]
    return {
        "title": card.title,
        "region": {
            "bbox": [round(edge, 6) for edge in card.region.bounds],
            "hectares": round(card.region_ha, 2),
        },
        "extent": card.extent,
        "interval": INTERVAL,
        "sites": card.sites,
        "periods": [
            {
                "period": period.label,
                "start": period.start.isoformat(),
                "end": period.end.isoformat(),
                "sites": int(row["sites"]),
                kind: _finite(row[kind]),
                "looked_share": _finite(row["looked_share"]),
                "estimated_ha": dict(row["estimated"]) if row.get("estimated") else None,
            }
            for period, row in _paired(card)
        ],
        "sources": [
            {"name": s.name, "looks": s.looks, "first": _iso(s.first), "last": _iso(s.last),
             "licence": s.licence or None, "attribution": s.attribution or None,
             "clouds": s.masking or None}
            for s in card.sources
        ],
        "model": card.model.to_json(),
        "executor": card.executor,
        "threshold": card.threshold,
        "delineated_by": card.delineated_by,
        "composite": card.composite,
        "grid": {"crs": list(card.crs), "resolution_m": card.resolution_m},
        "rules": dict(card.rules or {}),
        "failed": [{"artefact": what, "reason": why} for what, why in card.failed],
        "versions": dict(card.versions or {}),
        "licence": card.licence or None,
        **({"pictures_filled": dict(card.lent)} if card.lent else {}),
    }  # fmt: skip


def text(card: DataCard) -> str:
    """The card as Markdown."""
    parts = [
        [f"# {card.title}", "", *_lead(card)],
        ["## The figures", "", *_figures(card)],
        ["## What was not looked at", "", *_unseen(card)],
        ["## How the hectares come about", "", *_method(card)],
        ["## What it cannot tell", "", *_limits(card)],
        ["## Imagery", "", *_imagery(card)],
        ["## Model", "", *_model(card)],
        ["## Settings and software", "", *_settings(card)],
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _paired(card: DataCard) -> list[tuple[Period, Mapping[str, Any]]]:
    rows = {str(row["period"]): row for row in card.rows}
    return [(period, rows[period.label]) for period in card.periods]


def _lead(card: DataCard) -> Iterator[str]:
    west, south, east, north = card.region.bounds
    first, last = card.periods[0], card.periods[-1]
    span = first.label if first == last else f"{first.label} to {last.label}"
    yield (
        f"Outlines of mines, {span}, over {km2(card.region_ha)} between "
        f"{degrees(south, 'N', 'S')} and {degrees(north, 'N', 'S')}, "
        f"{degrees(west, 'E', 'W')} and {degrees(east, 'E', 'W')}. "
        f"The model `{card.model.name}` found them in satellite imagery; "
        "no person has checked them one by one. "
        f"In all there are {count(card.sites, 'site')}."
    )


def _figures(card: DataCard) -> Iterator[str]:
    kind = HECTARES[card.extent]
    word = {"mined": "Mined hectares", "footprint": "Footprint hectares"}[card.extent]
    yield f"| Period | Days | Sites | {word} ({INTERVAL}) | Region looked at |"
    yield "|---|---|--:|--:|--:|"
    for period, row in _paired(card):
        blind = _is_blind(row)
        days = f"{period.start.isoformat()} to {period.last_day.isoformat()}"
        sites = "not looked" if blind else f"{int(row['sites']):,}"
        size = "not looked" if blind else hectares(_finite(row[kind]))
        yield f"| {period.label} | {days} | {sites} | {size} | {percent(row['looked_share'])} |"
    yield ""
    yield (
        f"“{INTERVAL.capitalize()}” means: these hectares are counted from the map, and how far "
        f"they may lie from the truth is not known{_because(card)}. " + _KIND[card.extent]
    )
    yield from _estimates(card)


def _because(card: DataCard) -> str:
    told = [str(row["period"]) for row in card.rows if row.get("estimated")]
    if told:
        return f" from the map; for {several(told)} see below"
    return ", because no sample of places has been checked"


def _estimates(card: DataCard) -> Iterator[str]:
    """What samples say, in a table of its own: mapped and estimated hectares never mix."""
    rows = [(p, row["estimated"]) for p, row in _paired(card) if row.get("estimated")]
    if not rows:
        return
    yield ""
    yield f"| Period | Mined hectares, {ESTIMATED} | Ground that it holds for | Sample |"
    yield "|---|--:|--:|---|"
    for period, told in rows:
        yield (
            f"| {period.label} | {estimated(told)} | {hectares(told['frame_ha'])} ha "
            f"| {told['sample']} |"
        )
    yield ""
    yield (
        "These do not depend on the map being right: people looked at places drawn at random. "
        "Quote them, with their interval, rather than the mapped hectares. They hold for the "
        "ground that was looked at, and say nothing of the rest."
    )


def _unseen(card: DataCard) -> Iterator[str]:
    pairs = _paired(card)
    blind = [period.label for period, row in pairs if _is_blind(row)]
    part = [(p.label, float(row["looked_share"])) for p, row in pairs
            if not _is_blind(row) and row["looked_share"] < 1]  # fmt: skip
    yield "Where nobody looked, nothing is said: it does not mean that there is no mine."
    yield ""
    if blind:
        yield f"- {several(blind)}: no clear look at any of the region. Mines may be there."
    for label, share in part:
        yield f"- {label}: {percent(1 - share)} of the region had no clear look."
    if not blind and not part:
        yield "- The whole region was looked at in every period."
    for label, share in card.lent.items():
        yield (
            f"- {label}: {percent(share)} of the picture on the map is lent by the period before "
            "or after, grey and hatched. Nothing there was looked at, and no figure comes of it."
        )
    seen = [float(row["looked_share"]) for _, row in pairs if not _is_blind(row)]
    if seen and max(seen) - min(seen) > UNEVEN:
        yield (
            "- The share looked at differs from period to period, so part of a rise or fall in the "
            "table may come from looking more, or less."
        )
    if card.failed:
        yield f"- {count(len(card.failed), 'file')} could not be made and count as not looked at:"
        yield from (f"  - `{what}`: {why}" for what, why in card.failed)


def _method(card: DataCard) -> Iterator[str]:
    yield f"1. All clear looks of a period become one picture ({card.composite})."
    if card.decoded:
        yield (
            f"2. The model rates {'squares' if card.model.output == 'patch' else 'pixels'}, and "
            "the ratings of all periods are weighed together: what is rated once is doubted, what "
            "lasts is believed, and a period without a look is told by those around it. Where it "
            f"is then mined with a probability of {card.threshold:g} or higher is an outline."
        )
    elif card.model.output == "patch":
        yield (
            f"2. The model rates squares of {card.model.window} pixels, one every "
            f"{card.model.stride} pixels; those rated {card.threshold:g} or higher are detections."
        )
    else:
        yield (
            f"2. The model rates every pixel of {card.resolution_m:g} m; those rated "
            f"{card.threshold:g} or higher, together, are an outline."
        )
    if card.delineated_by:
        yield f"3. Inside the detections `{card.delineated_by}` outlines the mined ground itself."
    step = 4 if card.delineated_by else 3
    yield (
        f"{step}. Outlines that share ground from one period to the next are one site and keep one "
        "name."
    )
    yield (
        f"{step + 1}. Hectares are measured on the curved Earth (geodesic, WGS 84), not on the "
        "picture of a map."
    )


def _limits(card: DataCard) -> Iterator[str]:
    if not card.model.calibrated:
        yield "- A score is not a probability: this model has not been calibrated."
    yield "- Whether a mine is legal, who runs it, and what it digs for."
    yield (
        "- Mines smaller than a few pixels, or underground. A pixel is "
        f"{card.resolution_m:g} m on the ground."
    )
    yield (
        "- The exact day on which something changed: a period is one picture, and its date is that "
        "of the clear looks in it."
    )
    yield "- For certain that it is a mine: bare fields, sandbanks and building sites look alike."
    yield "- A single site should be looked at on the map, or on the ground, before it is named."


def _imagery(card: DataCard) -> Iterator[str]:
    for source in card.sources:
        span = f", {source.first} to {source.last}" if source.first and source.last else ""
        yield f"- **{source.name}**: {count(source.looks, 'scene')}{span}."
        yield (
            f"  Clouds: masked by {source.masking}." if source.masking else
            "  Clouds: not masked, so a cloud counts as looked at, and may even look like a mine."
        )  # fmt: skip
        yield f"  Licence: {source.licence or 'not stated; ask whoever gave the files'}."
        if source.attribution:
            yield f"  Attribution: {source.attribution}"


def _model(card: DataCard) -> Iterator[str]:
    model = card.model
    yield f"`{model.name}`{': ' + model.description if model.description else ''}"
    yield ""
    yield f"- Bands: {', '.join(model.bands)}."
    yield f"- Licence: {model.licence or 'not stated'}."
    if model.sha256:
        yield f"- File: sha256 `{model.sha256}`."
    if card.executor != "cpu":
        yield f"- Run on {card.executor}; its scores were held against those of the CPU."
    for data in model.data:
        yield "- Trained on " + "; ".join(f"{key}: {value}" for key, value in data.items()) + "."
    if model.metrics:
        figures = (f"{k.replace('_', ' ')} {_plain(v)}" for k, v in model.metrics.items())
        yield "- Measured: " + "; ".join(figures) + "."
    else:
        yield "- No measured accuracy comes with it."


def _plain(value: object) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(_plain, value))
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _settings(card: DataCard) -> Iterator[str]:
    yield f"- Grid: {several(list(card.crs))}, {card.resolution_m:g} m."
    yield from (f"- {key}: {value}" for key, value in (card.rules or {}).items())
    if card.versions:
        yield "- " + ", ".join(f"{name} {version}" for name, version in card.versions.items()) + "."
    yield f"- Licence of this result: {card.licence or 'not stated'}."


def _is_blind(row: Mapping[str, Any]) -> bool:
    hectares = row.get("area_ha", row.get("footprint_ha"))
    return not row["looked_share"] > 0 or _finite(hectares) is None


def _finite(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
