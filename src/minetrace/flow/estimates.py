"""Areas with intervals from an answered sample: the numbers, and the files that hold them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from minetrace.assess.agreement import agreement
from minetrace.assess.change import KINDS, Change, change, kind_of
from minetrace.assess.intervals import Interval
from minetrace.assess.mining import (
    Mining,
    Told,
    answered,
    area_of,
    bounds_ha,
    difference,
    mining,
)
from minetrace.assess.model_assisted import by_ratio, by_regression
from minetrace.assess.resampling import bootstrap_error
from minetrace.assess.stratified import Drawn, Figure, spread_error
from minetrace.assess.warnings import after
from minetrace.flow.answers import Answers, read_answers
from minetrace.flow.estimated import keep
from minetrace.flow.report import versions
from minetrace.flow.sample_design import ALONG, Design
from minetrace.flow.verified import map_checksum
from minetrace.publish.area_page import area_page
from minetrace.publish.tables import write_plain
from minetrace.publish.words import ESTIMATED, INTERVAL
from minetrace.store.files import sha256, write_json, write_text

FORMAT = "minetrace-estimates/1"
FACTS, TABLE, PAGE = "estimates.json", "estimates.csv", "estimates.html"
MISSING_MANY = 0.05  # share of points without an answer from which on it is said aloud


@dataclass(frozen=True)
class Estimates:
    """What was estimated.

    Attributes:
        facts: as ``estimates.json`` holds them.
        files: that were written.
    """

    facts: dict[str, Any]
    files: tuple[Path, ...]

    def table(self) -> pd.DataFrame:
        """One row a figure: period, what, where, value, standard error, interval, mapped."""
        return pd.DataFrame(list(_rows(self.facts)))


def estimate(
    folder: Path, *, answers: Path | None = None, draws: int = 1000, write: bool = True
) -> Estimates:
    """Estimate from an answered sample; writes JSON, CSV and a page into its folder.

    Args:
        folder: what ``minetrace sample`` wrote.
        answers: a filled table elsewhere.
        draws: of the bootstrap that checks the standard errors.
        write: put the files into the folder, and the figures beside the run.

    Raises:
        UserError: the sample or its answers cannot be used.
    """
    design = Design.read(folder)
    told = read_answers(design, answers)
    facts = {**tell(design, told, draws=draws), "versions": versions()}
    files = _write(design, facts) if write else ()
    return Estimates(facts, files)


def tell(design: Design, told: Answers, *, draws: int = 1000) -> dict[str, Any]:
    """All that a sample says, as ``estimates.json`` holds it."""
    drawn = design.drawn
    facts: dict[str, Any] = {
        "format": FORMAT,
        "interval": ESTIMATED,
        "run": design.facts["run"],
        "sample": {"id": design.id, "name": design.folder.resolve().name},
        "extent": design.facts["extent"],
        "frame_ha": design.facts["frame_ha"],
        "not_looked_ha": design.facts["not_looked_ha"],
        "unit": design.facts["unit"],
        "block_m": design.facts.get("block_m"),
        "points": len(drawn.stratum),
        "territories": design.facts.get("territories"),
        "answers_sha256": None if told.file is None else sha256(told.file),
        "periods": [
            _period(design, told, drawn, number, draws) for number in range(len(design.periods))
        ],
        "warnings": [],
    }
    if len(design.periods) == 2:
        facts["change"] = _change(design, told, drawn)
    facts["warnings"] = list(dict.fromkeys(_warnings(design, facts)))
    return facts


def _period(design: Design, told: Answers, drawn: Drawn, number: int, draws: int) -> dict[str, Any]:
    label, every = design.periods[number], told.agreed[:, number]
    here, known = answered(drawn, every)
    y = every[known]
    here.refuse_thin()
    mapped = np.array([row["mapped"][number] for row in design.facts["strata"]], dtype=np.float64)
    least, most = bounds_ha(drawn, every)
    total = drawn.strata.total
    score = design.column(f"score_{label}")[known]
    everywhere = [row["mean_score"][number] for row in design.facts["strata"]]
    return {
        "period": label,
        "mapped_ha": design.facts["mapped_ha"][label],
        "estimated_ha": area_of(here, y).facts(),
        **_accuracies(None if design.of_blocks else mining(here, mapped == 1, y)),
        "answered": int(known.sum()),
        "without_answer": int((~known).sum()),
        "if_all_unanswered_are_ha": {"not": round(least, 6), "mine": round(most, 6)},
        "regression_ha": _hectares(by_regression(here, y, score, everywhere), total),
        "ratio_ha": _hectares(by_ratio(here, y, score, everywhere), total),
        "spread_standard_error_ha": round(
            spread_error(here, y, design.column(ALONG)[known]) * total, 6
        ),
        "bootstrap_standard_error_ha": round(bootstrap_error(here, y, draws=draws) * total, 6),
        "interpreters": _interpreters(told, number),
        "strata": _strata(here, y, mapped),
        "territories": _territories(design, here, known, y),
        "warnings": list(after(here, y, noun=design.noun)),
    }


def _hectares(figure: Figure, total_ha: float) -> dict[str, float | None]:
    """A share of the ground as hectares; null where no score was above zero."""
    if np.isnan(figure.value):
        return {"value": None, "standard_error": None}
    value, error = figure.value * total_ha, figure.standard_error * total_ha
    return {"value": round(value, 6), "standard_error": round(error, 6)}


def _accuracies(found: Mining | None) -> dict[str, Any]:
    """Of the map; nothing where an answer says how much of a block is mined, but not where."""
    if found is None:
        nothing = Told.of(Figure(np.nan, np.nan), Interval(np.nan, np.nan)).facts()
        return {"users": nothing, "producers": nothing, "overall": nothing, "matrix": None}
    return {
        "users": found.users.facts(),
        "producers": found.producers.facts(),
        "overall": found.overall.facts(),
        "matrix": {
            "rows": "mapped", "columns": "true", "classes": ["mine", "not"],
            "shares": np.round(found.matrix, 9).tolist(),
        },
    }  # fmt: skip


def _interpreters(told: Answers, number: int) -> dict[str, Any] | None:
    pair = agreement(told.first[:, number], told.second[:, number])
    if not pair.both:
        return None
    kappa = None if np.isnan(pair.kappa) else round(pair.kappa, 6)
    return {"both": pair.both, "agreed": round(pair.agreed, 6), "kappa": kappa}


def _strata(
    drawn: Drawn, y: NDArray[np.float64], mapped: NDArray[np.float64]
) -> list[dict[str, Any]]:
    shares, strata = drawn.means(y), drawn.strata
    return [
        {
            "name": name, "area_ha": float(strata.area[i]), "mapped": float(mapped[i]),
            "answered": int(drawn.counts[i]), "mines": round(float(shares[i] * drawn.counts[i]), 6),
            "share": round(float(shares[i]), 6),
            "a_point_stands_for_ha": round(float(strata.area[i] / max(drawn.counts[i], 1)), 4),
        }
        for i, name in enumerate(strata.names)
    ]  # fmt: skip


def _territories(
    design: Design, drawn: Drawn, known: NDArray[np.bool_], y: NDArray[np.float64]
) -> list[dict[str, Any]]:
    """By territory: y counts where it lies in it (Cochran 1977, section 5A.14)."""
    if "territory" not in design.facts["points"]:
        return []
    where = design.column("territory")[known]
    rows = []
    for name in sorted(set(where) - {""}):
        inside = where == name
        told = area_of(drawn, y * inside)
        rows.append(
            {
                "territory": str(name), "answered": int(inside.sum()),
                "mines": round(float(y[inside].sum()), 6), "estimated_ha": told.facts(),
            }
        )  # fmt: skip
    return rows


def _change(design: Design, told: Answers, drawn: Drawn) -> dict[str, Any]:
    """Net change, gain and loss, of points that were answered in both periods."""
    both = np.asarray(~np.isnan(told.agreed).any(axis=1))
    here = drawn.where(both)
    before, now = told.agreed[both].T
    here.refuse_thin()
    gain, loss = np.maximum(now - before, 0), np.maximum(before - now, 0)
    figures: dict[str, Told] = {
        "net_ha": difference(here, before, now),
        "gained_ha": area_of(here, gain),
        "lost_ha": area_of(here, loss),
    }
    first, last = design.periods
    mapped = design.facts["mapped_ha"]
    kinds = np.array([kind_of(*row["mapped"]) for row in design.facts["strata"]], dtype=np.int64)
    return {
        "from": first, "to": last, "answered_in_both": int(both.sum()),
        "mapped_net_ha": round(mapped[last] - mapped[first], 6),
        **{name: figure.facts() for name, figure in figures.items()},
        **_kinds(change(here, kinds, before, now), here, kinds),
        "warnings": list(dict.fromkeys([*after(here, gain), *after(here, loss)])),
    }  # fmt: skip


def _kinds(found: Change, drawn: Drawn, mapped: NDArray[np.int64]) -> dict[str, Any]:
    """By kind of change, and the matrix of mapped against true change."""
    area = drawn.strata.area
    return {
        "overall": found.overall.facts(),
        "kinds": [
            {
                "kind": kind, "mapped_ha": round(float(area[mapped == k].sum()), 6),
                "estimated_ha": found.areas_ha[k].facts(), "users": found.users[k].facts(),
                "producers": found.producers[k].facts(),
            }
            for k, kind in enumerate(KINDS)
        ],
        "matrix": {
            "rows": "mapped", "columns": "true", "classes": list(KINDS),
            "shares": np.round(found.matrix, 9).tolist(),
        },
    }  # fmt: skip


def _warnings(design: Design, facts: dict[str, Any]) -> Iterator[str]:
    noun = design.noun
    for row in facts["periods"]:
        for warning in row["warnings"]:
            yield f"{row['period']}: {warning}"
        missing = row["without_answer"] / max(facts["points"], 1)
        if missing > MISSING_MANY:
            least, most = row["if_all_unanswered_are_ha"].values()
            yield (
                f"{row['period']}: {row['without_answer']:,} of {facts['points']:,} {noun} have "
                "no answer; they are taken to be like the others of their stratum. Were none of "
                f"them mines it would be {least:,.0f} ha, were all of them {most:,.0f} ha"
            )
    for warning in facts.get("change", {}).get("warnings", ()):
        yield f"{facts['change']['from']} to {facts['change']['to']}: {warning}"
    if facts["not_looked_ha"] > 0:
        yield (
            f"the estimate holds for the {facts['frame_ha']:,.0f} ha that were looked at; of "
            f"{facts['not_looked_ha']:,.0f} ha nothing is known, which is not to say no mine"
        )
    folder = design.run_folder
    now = None if folder is None else map_checksum(folder)
    if now is not None and now != facts["run"].get("map_sha256"):
        yield (
            "the run was made anew since the sample was drawn: estimated hectares still hold, for "
            "the strata are those of the old map, but mapped hectares are the old ones"
        )


def _rows(facts: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for row in facts["periods"]:
        period = row["period"]
        yield _row(period, "mined_ha", "", row["estimated_ha"], row["mapped_ha"])
        for part in row["territories"]:
            yield _row(period, "mined_ha", part["territory"], part["estimated_ha"], None)
        for name in ("users", "producers", "overall"):
            yield _row(period, f"{name}_accuracy", "", row[name], None)
    if change := facts.get("change"):
        span = f"{change['from']} to {change['to']}"
        yield _row(span, "net_ha", "", change["net_ha"], change["mapped_net_ha"])
        for part in change["kinds"]:
            kind = part["kind"]
            yield _row(span, f"{kind}_ha", "", part["estimated_ha"], part["mapped_ha"])
            for name in ("users", "producers"):
                yield _row(span, f"{name}_accuracy_{kind}", "", part[name], None)


def _row(
    period: str, what: str, territory: str, told: dict[str, Any], mapped: float | None
) -> dict[str, Any]:
    return {
        "period": period, "what": what, "territory": territory, "estimated": told["value"],
        "standard_error": told["standard_error"], "low_95": told["low"], "high_95": told["high"],
        "usual_low_95": told["usual_low"], "usual_high_95": told["usual_high"],
        "mapped": mapped, "mapped_is": "" if mapped is None else INTERVAL,
    }  # fmt: skip


def _write(design: Design, facts: dict[str, Any]) -> tuple[Path, ...]:
    folder = design.folder
    files = [folder / name for name in (FACTS, TABLE, PAGE)]
    write_json(files[0], facts)
    write_plain(files[1], pd.DataFrame(list(_rows(facts))))
    write_text(files[2], area_page(facts, str(design.facts["run"]["name"])))
    if design.run_folder is not None:
        keep(design.run_folder, design.label, facts, datetime.now(UTC))
    return tuple(files)


def lines(facts: dict[str, Any]) -> Iterator[str]:
    """What to tell in the terminal."""
    for row in facts["periods"]:
        found = row["estimated_ha"]
        yield (
            f"{row['period']}: {found['value']:,.1f} ha estimated, 95 % interval "
            f"{found['low']:,.1f} to {found['high']:,.1f} (standard error "
            f"{found['standard_error']:,.1f}); mapped {row['mapped_ha']:,.1f} ha"
        )
        for name in ("users", "producers", "overall"):
            told = row[name]
            if told["value"] is not None:
                yield (
                    f"      {name:>9} accuracy {told['value']:.3f}, "
                    f"{told['low']:.3f} to {told['high']:.3f}"
                )
    if change := facts.get("change"):
        for name, word in (("net_ha", "net"), ("gained_ha", "gained"), ("lost_ha", "lost")):
            told = change[name]
            yield (
                f"{change['from']} to {change['to']}, {word}: {told['value']:,.1f} ha, "
                f"{told['low']:,.1f} to {told['high']:,.1f}"
            )
