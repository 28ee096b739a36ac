"""A watch: run a study with the period that has come, say what is new, hand it on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np

from minetrace.core.period import Period
from minetrace.errors import PeriodError, StudyError
from minetrace.flow import steps
from minetrace.flow.alert_evidence import (
    before_and_after,
    confidence,
    false_alarms,
    probabilities,
)
from minetrace.flow.countries import SHIPPED, shipped
from minetrace.flow.report import Reporter
from minetrace.flow.run_views import RunViews
from minetrace.flow.study import Study
from minetrace.panel.alerts import alerts_of
from minetrace.panel.country import countries_of
from minetrace.panel.territories import Territories
from minetrace.publish.digest import Alert, Digest, write_digest, write_feed
from minetrace.store.files import read_json
from minetrace.store.outlines import read_polygons
from minetrace.store.run_folder import RunFolder

FOLDER, FEED, OUTBOX = "alerts", "feed.xml", "outbox.sqlite"
PICTURED = 100  # alerts that are shown with pictures; the rest stand in the table
STEPS = ("month", "quarter", "year")


@dataclass(frozen=True)
class Watch:
    """What is watched.

    Attributes:
        every: add periods of this length to those of the study, up to the last that is over;
            None: the study's own.
        by: polygons of territories, or ``natural-earth``.
        id: the column that names one.
        min_ha: leave out alerts that add less.
        cloudy: with less of the region looked at, it was too cloudy to tell.
    """

    every: str | None = None
    by: str = SHIPPED
    id: str = "iso_a3"
    min_ha: float = 0.0
    cloudy: float = 0.5

    def __post_init__(self) -> None:
        if self.every not in (None, *STEPS):
            raise StudyError(f"every is {self.every!r}; give {', '.join(STEPS)}")
        if not 0 <= self.cloudy <= 1:
            raise StudyError(f"cloudy is {self.cloudy}; give a share from 0 to 1")


def watch(
    study: Study, out: Path, asked: Watch, *, today: date, workers: int = 1,
    reporter: Reporter | None = None,
) -> tuple[Digest, list[Path]]:  # fmt: skip
    """Run a study up to now, and write the digest of its last period into ``alerts/LABEL/``.

    Args:
        study: what is watched; periods already worked on are not worked on again.
        out: the run folder.
        asked: see there.
        today: a period counts once its last day is over.
        workers: processes.
        reporter: who is told.

    Raises:
        UserError: something given cannot be used, or the study has a single period.
        FailedError: the run failed; the same command goes on.
    """
    study = lengthened(study, asked.every, today)
    over = [period for period in study.timeline if period.end <= today]
    if len(over) < 2:
        raise PeriodError(
            "a watch compares the last period that is over with those before it; the study has "
            f"{len(over)} of them: give more periods, or --every month"
        )
    steps.run(study, out, workers=workers, reporter=reporter)
    digest = digest_of(out, over[-1], asked, title=study.publish.title or study.name)
    files = write_digest(out / FOLDER / digest.period, digest)
    told = [read_json(path) for path in sorted((out / FOLDER).glob("*/digest.json"))]
    write_feed(out / FOLDER / FEED, f"{digest.title}: alerts", told)
    return digest, [*files, out / FOLDER / FEED]


def lengthened(study: Study, every: str | None, today: date) -> Study:
    """The study with the periods that have been completed since it was written."""
    if every is None:
        return study
    line, end = list(study.timeline), study.timeline[-1].end
    new = [period for period in _following(end, every) if period.end <= today]
    periods = [{"label": p.label, "start": p.start, "end": p.end} for p in [*line, *new]]
    return Study.of({**study.model_dump(), "periods": periods})


def _following(start: date, every: str) -> Iterator[Period]:
    """Whole periods from a day on, for half a century."""
    last = start.year + 50
    for year in range(start.year, last):
        for month in range(1, 13, {"month": 1, "quarter": 3, "year": 12}[every]):
            if date(year, month, 1) >= start:
                yield _period(year, month, every)


def _period(year: int, month: int, every: str) -> Period:
    if every == "year":
        return Period.year(year)
    if every == "quarter":
        return Period.quarter(year, (month + 2) // 3)
    start = date(year, month, 1)
    end = (start + timedelta(days=31)).replace(day=1)
    return Period(start, end, f"{year}-{month:02d}")


def digest_of(out: Path, period: Period, asked: Watch, *, title: str) -> Digest:
    """What a run says of a period, with evidence and pictures.

    Raises:
        PeriodError: the run has no such period.
    """
    views, run, label = RunViews.open(out), RunFolder(out), period.label
    rules = Study.read(run.study).panel
    found = alerts_of(
        views.panel, label, min_ha=asked.min_ha, growth=rules.growth,
        min_looked_share=rules.min_looked_share,
    )  # fmt: skip
    territories = _territories(found, asked)
    sure = probabilities(run, label, found["added"].to_numpy())
    looked = views.looked.get(label, 0.0)
    alerts = []
    for number, row in enumerate(found.itertuples()):
        p = None if np.isnan(sure[number]) else round(float(sure[number]), 4)
        facts = _facts(row._asdict(), territories.get(str(row.site_id)), p)
        pictures = []
        if number < PICTURED:
            pictures = before_and_after(views, facts["site_id"], row.geometry, label)
        alerts.append(Alert(facts, row.geometry, pictures))
    return Digest(
        Study.read(run.study).name, title, label,
        period.start.isoformat(), period.last_day.isoformat(),
        "too cloudy" if looked < asked.cloudy else "alerts" if alerts else "quiet",
        round(looked, 6), _hidden(views.panel, period, rules.min_looked_share),
        false_alarms(run, views.card, len(alerts), looked * _region_km2(views)), alerts,
    )  # fmt: skip


def _hidden(panel: gpd.GeoDataFrame, period: Period, min_looked_share: float) -> int:
    """Sites with an outline before the period that nobody could look at in it."""
    before = panel[panel.geometry.notna() & (panel["end"].dt.date <= period.start)]
    unseen = panel[(panel["period"] == period.label) & (panel["looked_share"] < min_looked_share)]
    return int(unseen["site_id"].isin(before["site_id"]).sum())


def _region_km2(views: RunViews) -> float:
    if views.region is None:
        return 0.0
    ground = gpd.GeoSeries([views.region], crs="EPSG:4326").to_crs("EPSG:6933")
    return float(ground.area.sum()) / 1e6


def _territories(found: gpd.GeoDataFrame, asked: Watch) -> Mapping[str, str]:
    """By site the name of the territory that holds most of it."""
    if not len(found):
        return {}
    own = asked.by != SHIPPED
    layer = read_polygons(Path(asked.by) if own else shipped())
    territories = Territories.of(layer, id=asked.id, name=None if own else "name", layer=asked.by)
    units = countries_of(found, territories).dropna()
    return {str(site): territories.names.get(unit, unit) for site, unit in units.items()}


def _facts(row: Mapping[str, Any], territory: str | None, p: float | None) -> dict[str, Any]:
    """Plain values, rounded, so that equal runs tell equal things."""
    numbers = ("hectares", "before_ha", "added_ha", "score_mean", "looked_share", "lon", "lat")
    facts: dict[str, Any] = {name: row[name] for name in ("site_id", "kind", "period", "since")}
    for name in numbers:
        value = float(row[name])
        facts[name] = None if np.isnan(value) else round(value, 6)
    return {
        **facts, "extent": row["extent"], "territory": territory, "probability": p,
        "confidence": confidence(p),
    }  # fmt: skip
