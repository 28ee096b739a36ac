"""The evaluation as one HTML page: figures with intervals, charts, pictures; nothing beside it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from minetrace.assess.charts import chart
from minetrace.assess.evaluation import Evaluation, Figure
from minetrace.assess.histogram import Counts, along, reliability
from minetrace.assess.shift import BandShift, verdict

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;
background:#fff}h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2.2rem;border-bottom:1px solid
#ddd}table{border-collapse:collapse;margin:.6rem 0}td,th{padding:.25rem .8rem;text-align:left;
border-bottom:1px solid #e5e5e5;font-variant-numeric:tabular-nums}.wide{overflow-x:auto}
.charts{display:flex;flex-wrap:wrap;gap:1rem}.charts svg{width:26rem;max-width:100%;font-size:12px}
.leak{color:#a02000}figure{display:inline-block;margin:.3rem;width:11rem;vertical-align:top}
figure img{width:100%;image-rendering:pixelated}figcaption{font-size:.8rem;overflow-wrap:anywhere}
"""


@dataclass(frozen=True)
class Picture:
    """One chip: a PNG, and what to say of it."""

    png: bytes
    caption: str


@dataclass(frozen=True)
class Report:
    """Everything that the page shows.

    Attributes:
        model: its name.
        data: name and version of the set, and which of its splits.
        facts: what was done, as pairs of words.
        evaluations: by what was counted: pixels, chips, outlines.
        groups: by heading, the figures of each group.
        counts: (2, BINS) of what the charts show, and what was counted.
        threshold: of the model.
        disturbed: figure by disturbance, the first of them undisturbed.
        disturbed_figure: its name.
        shifts: each band beside those of training; empty if nobody said what it was.
        matrix: figure by model (row) and by region that it was judged on (column).
        pictures: by heading.
        audit: fragment of HTML; empty if no split was audited.
        notes: what a reader must know.
    """

    model: str
    data: str
    facts: Sequence[tuple[str, str]]
    evaluations: Mapping[str, Evaluation]
    groups: Mapping[str, Mapping[str, Evaluation]]
    counts: Counts
    counted: str
    threshold: float
    disturbed: Mapping[str, float] = field(default_factory=dict)
    disturbed_figure: str = ""
    shifts: Sequence[BandShift] = ()
    matrix: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    pictures: Mapping[str, Sequence[Picture]] = field(default_factory=dict)
    audit: str = ""
    notes: Sequence[str] = ()


def page(report: Report) -> str:
    """The report as HTML."""
    title = f"{report.model} on {report.data}"
    body = [f"<h1>{escape(title)}</h1>", *(f"<p>{escape(note)}</p>" for note in report.notes),
            _table([("", ""), *report.facts], head=False)]  # fmt: skip
    for counted, evaluation in report.evaluations.items():
        body += [f"<h2>Figures of {escape(counted)}</h2>", _figures(evaluation)]
    body += ["<h2>Along the threshold</h2>", f'<div class="charts">{_charts(report)}</div>']
    for heading, groups in report.groups.items():
        body += [f"<h2>{escape(heading)}</h2>", _groups(groups)]
    if report.matrix:
        body += ["<h2>Regions left out</h2>", _matrix(report)]
    if report.shifts:
        body += ["<h2>Beside training</h2>", _shifts(report.shifts)]
    if report.disturbed:
        body += ["<h2>Sensitivity</h2>", _disturbed(report)]
    for heading, pictures in report.pictures.items():
        body += [f"<h2>{escape(heading)}</h2>", *map(_picture, pictures)]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>'
        + "\n".join(body) + report.audit + "</body></html>\n"
    )  # fmt: skip


def said(figure: Figure) -> str:
    """A figure with its interval: ``0.612 (0.55 to 0.67)``."""
    if figure.value != figure.value:
        return "none"
    if figure.low != figure.low:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"


def _figures(evaluation: Evaluation) -> str:
    blocks = f"{evaluation.blocks:,} block{'s' * (evaluation.blocks != 1)}"
    text = (f"<p>{evaluation.chips:,} chips in {blocks}; in brackets the "
            "middle 95 % of 1,000 draws of whole blocks.</p>")  # fmt: skip
    few = "" if evaluation.blocks >= 10 else (
        f"<p>Only {blocks}: the intervals are rough.</p>"
    )  # fmt: skip
    rows = [("figure", "value")] + [(name, said(f)) for name, f in evaluation.figures.items()]
    return text + few + _table(rows)


def _groups(groups: Mapping[str, Evaluation]) -> str:
    names = list(next(iter(groups.values())).figures)[:5]
    rows = [("", "chips", *names)] + [
        (name or "not named", f"{e.chips:,}", *(said(e.figures[n]) for n in names))
        for name, e in groups.items()
    ]
    return f'<div class="wide">{_table(rows)}</div>'


def _charts(report: Report) -> str:
    lines = along(report.counts)
    x = lines["threshold"].tolist()
    curves = {name: (x, lines[name].tolist()) for name in ("precision", "recall", "f1")}
    if report.counted == "chips":
        curves = {n: (x, lines[k].tolist()) for n, k in
                  (("sensitivity", "recall"), ("specificity", "specificity"))}  # fmt: skip
    told = reliability(report.counts)
    return (
        chart(curves, "threshold", "share", mark_x=report.threshold)
        + chart({"": (lines["recall"].tolist(), lines["precision"].tolist())}, "recall",
                "precision")
        + chart({"": (told["said"].tolist(), told["seen"].tolist())}, "score", "share of mines",
                diagonal=True, points=True)
    )  # fmt: skip


def _matrix(report: Report) -> str:
    columns = list(next(iter(report.matrix.values())))
    rows = [("trained without", *columns)] + [
        (name, *(("none" if v != v else f"{v:.3f}") + (" *" if column == name else "")
                 for column, v in cells.items()))
        for name, cells in report.matrix.items()
    ]  # fmt: skip
    figure = "ROC AUC" if report.counted == "chips" else "IoU"
    return (f"<p>{figure} on the chips of each region, by the region that training left out. "
            "What bears * was never seen; the rest was trained or validated on.</p>"
            f'<div class="wide">{_table(rows)}</div>')  # fmt: skip


def _shifts(shifts: Sequence[BandShift]) -> str:
    head = ("band", "mean, in spreads of training", "spread", "beyond 98 % of training", "")
    rows = [head] + [
        (s.band, f"{s.apart:+.2f}", f"{s.spread:.2f}", f"{s.strange:.1%}",
         "unlike" if s.warns else "")
        for s in shifts
    ]  # fmt: skip
    return f"<p>{escape(verdict(shifts))}</p>{_table(rows)}"


def _disturbed(report: Report) -> str:
    first = next(iter(report.disturbed.values()))
    rows = [("picture", report.disturbed_figure, "change")] + [
        (name, f"{value:.3f}", f"{value - first:+.3f}") for name, value in report.disturbed.items()
    ]
    return _table(rows)


def _picture(picture: Picture) -> str:
    data = b64encode(picture.png).decode()
    return (f'<figure><img alt="{escape(picture.caption)}" src="data:image/png;base64,{data}">'
            f"<figcaption>{escape(picture.caption)}</figcaption></figure>")  # fmt: skip


def _table(rows: Sequence[Sequence[str]], *, head: bool = True) -> str:
    first, *rest = rows
    top = "<tr>" + "".join(f"<th>{escape(c)}</th>" for c in first) + "</tr>" if head else ""
    body = "".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in rest)
    return f"<table>{top}{body}</table>"
