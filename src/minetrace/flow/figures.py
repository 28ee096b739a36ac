"""The figures of a run: which to draw, of what, and where they are written."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from minetrace.errors import PeriodError, RunError, StudyError
from minetrace.flow.report import Reporter, Silent
from minetrace.flow.run_views import RunViews
from minetrace.panel.summary import summary
from minetrace.publish.figures.frame import Frame
from minetrace.publish.figures.map import map_figure, map_mm
from minetrace.publish.figures.multiples import columns_for, multiples_figure
from minetrace.publish.figures.series import KIND, Spell, series_figure
from minetrace.publish.figures.sheet import FORMATS, save_figure
from minetrace.publish.figures.style import DOUBLE_MM, SINGLE_MM, styled
from minetrace.publish.figures.thumbnails import Strip, chip_mm, thumbnail_figures
from minetrace.publish.figures.timelines import Course, timeline_figures
from minetrace.publish.words import INTERVAL, as_given_in, count, hectares, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES = ("map", "series", "multiples", "thumbnails", "timelines")
ORDERS = ("area", "score", "random")
WRITTEN = ("png", "svg")
CHIPS = ("auto", "periods", "before-after")

MOST_CHIPS = 6  # periods of a site that are shown side by side by default
CHIP_SHARE = 0.7  # of a chip's side that the site fills
LEAST_CHIP_PX = 40
NARROWEST_MM, WIDEST_MM = 60.0, 600.0


@dataclass(frozen=True)
class Choice:
    """What is asked of the figures.

    Attributes:
        figures: which, by name.
        period: of the map; by default the last that was looked at.
        sites: how many in thumbnails and timelines.
        site_ids: these and no others.
        by: which come first: the largest, the most certain, or any.
        seed: of a random choice.
        chips: every period of a site, or before its start and at its last outline.
        formats: of the files.
        dpi: of PNG, and of the pictures inside SVG and PDF.
        width_mm: of every figure: 85 for a column, 180 for a page.
    """

    figures: tuple[str, ...] = FIGURES
    period: str | None = None
    sites: int = 12
    site_ids: tuple[str, ...] = ()
    by: str = "area"
    seed: int = 0
    chips: str = "auto"
    formats: tuple[str, ...] = WRITTEN
    dpi: int = 300
    width_mm: float = DOUBLE_MM

    def __post_init__(self) -> None:
        for word, known, flag in (
            *((figure, FIGURES, "--figure") for figure in self.figures),
            *((kind, FORMATS, "--format") for kind in self.formats),
            (self.by, ORDERS, "--by"),
            (self.chips, CHIPS, "--chips"),
        ):
            if word not in known:
                raise StudyError(f"{flag} {word}: there is none; choose from {', '.join(known)}")
        if not NARROWEST_MM <= self.width_mm <= WIDEST_MM:
            raise StudyError(
                f"--width-mm {self.width_mm:g}: give {NARROWEST_MM:g} to {WIDEST_MM:g}; "
                "a column is 85, a page 180"
            )
        if not 50 <= self.dpi <= 1200:
            raise StudyError(f"--dpi {self.dpi}: give 50 to 1200; print wants 300")
        if self.sites < 1:
            raise StudyError(f"--sites {self.sites}: give at least 1")


def plot(
    run: Path, choice: Choice | None = None, *, out: Path | None = None,
    reporter: Reporter | None = None,
) -> tuple[Path, ...]:  # fmt: skip
    """Draw the figures of a run and write them.

    Args:
        run: a run folder that has come as far as its panel.
        choice: what is asked; all figures by default.
        out: where they are written; by default ``figures`` in the run folder.
        reporter: is told of each figure, and in one line of what cannot be drawn.

    Returns:
        The files, in the order drawn.

    Raises:
        MissingExtraError: matplotlib is not installed.
        RunError: the folder is not a run, or nothing of what is asked can be drawn.
        PeriodError: the run has no such period.
        StudyError: the run has no such site.
    """
    choice, tell = choice or Choice(), reporter or Silent()
    with styled():  # says at once if matplotlib is missing
        views = RunViews.open(run)
    _check(views, choice)
    folder = out or run / "figures"
    written: list[Path] = []
    missing: list[str] = []
    for name in dict.fromkeys(choice.figures):
        if reason := _cannot(name, views):
            missing.append(f"{name}: {reason}")
            tell.warn(f"no {missing[-1]}")
            continue
        tell.start(name, 1, 0.0)
        for stem, figure in DRAW[name](views, choice):
            written += [save_figure(figure, folder / f"{stem}.{kind}", dpi=choice.dpi)
                        for kind in dict.fromkeys(choice.formats)]  # fmt: skip
        tell.finish()
    if not written:
        raise RunError(f"{run}: nothing that was asked for can be drawn ({'; '.join(missing)})")
    return tuple(written)


def width_from(words: str) -> float:
    """Millimetres from ``single``, ``double`` or a number.

    Raises:
        StudyError: it is none of them.
    """
    named = {"single": SINGLE_MM, "double": DOUBLE_MM}
    try:
        return named.get(words) or float(words)
    except ValueError:
        raise StudyError(f"--width-mm {words}: give single, double or millimetres") from None


def _check(views: RunViews, choice: Choice) -> None:
    labels = list(views.place)
    if choice.period is not None and choice.period not in labels:
        raise PeriodError(
            f"--period {choice.period}: not a period of this run, which has {', '.join(labels)}"
        )
    known = set(views.outlined["site_id"])
    for site in choice.site_ids:
        if site not in known:
            raise StudyError(f"--site {site}: no such site in {views.folder.root}/panel.parquet")


def _cannot(name: str, views: RunViews) -> str:
    """Why a figure cannot be drawn, or nothing."""
    if name in ("thumbnails", "timelines") and views.outlined.empty:
        return "the panel has no site"
    if name == "thumbnails" and views.recipe is None:
        return "the run has no composites that make a picture"
    if name in ("map", "multiples") and views.region is None and views.outlined.empty:
        return "the run has neither a region nor an outline"
    return ""


def _map(views: RunViews, choice: Choice) -> Iterator[tuple[str, Figure]]:
    period = choice.period or _last_looked(views)
    spell = next(spell for spell in _spells(views) if spell.period.label == period)
    wide = choice.width_mm - 7
    view = views.view(period, views.frame, width_mm=wide, dpi=choice.dpi)
    view_mm = map_mm(view, choice.width_mm)
    if view_mm < 0.8 * wide:  # a tall map is narrow: its picture need not be finer
        view = views.view(period, views.frame, width_mm=view_mm, dpi=choice.dpi)
    yield f"map-{period}", map_figure(
        view, periods=views.periods, title=f"{_title(views)}, {period}",
        headline=_found(views, spell)[0], credit=_credit(views), width_mm=choice.width_mm,
    )  # fmt: skip


def _series(views: RunViews, choice: Choice) -> Iterator[tuple[str, Figure]]:
    yield "series", series_figure(
        _spells(views), extent=views.extent, title=_title(views),
        headline=INTERVAL, credit=_credit(views, pictured=False),
        width_mm=choice.width_mm,
    )  # fmt: skip


def _multiples(views: RunViews, choice: Choice) -> Iterator[tuple[str, Figure]]:
    _, wide = columns_for(len(views.periods), views.frame.aspect, choice.width_mm)
    spells = _spells(views)
    yield "multiples", multiples_figure(
        [views.view(p.label, views.frame, width_mm=wide, dpi=choice.dpi) for p in views.periods],
        [_found(views, spell)[1:] for spell in spells], periods=views.periods,
        title=_title(views), headline=f"{KIND[views.extent]}: {INTERVAL}",
        credit=_credit(views), width_mm=choice.width_mm,
    )  # fmt: skip


def _thumbnails(views: RunViews, choice: Choice) -> Iterator[tuple[str, Figure]]:
    sites = choose_sites(views, choice)
    every = choice.chips == "periods" or (
        choice.chips == "auto" and len(views.periods) <= MOST_CHIPS
    )
    chips = len(views.periods) if every else min(2, len(views.periods))
    side = chip_mm(chips, choice.width_mm)
    strips = [_strip(views, site, side, choice.dpi, every=every) for site in sites]
    pages = thumbnail_figures(
        strips, periods=views.periods, title=_title(views), headline=_which(views, choice, sites),
        credit=_credit(views), width_mm=choice.width_mm,
    )  # fmt: skip
    yield from _numbered("thumbnails", pages)


def _timelines(views: RunViews, choice: Choice) -> Iterator[tuple[str, Figure]]:
    sites = choose_sites(views, choice)
    by_site = dict(list(views.panel[views.panel["site_id"].isin(sites)].groupby("site_id")))
    pages = timeline_figures(
        [_course(views, site, by_site[site]) for site in sites], periods=views.periods,
        extent=views.extent, title=_title(views), headline=_which(views, choice, sites),
        credit=_credit(views, pictured=False), width_mm=choice.width_mm,
    )  # fmt: skip
    yield from _numbered("timelines", pages)


DRAW: dict[str, Callable[[RunViews, Choice], Iterator[tuple[str, Figure]]]] = {
    "map": _map, "series": _series, "multiples": _multiples, "thumbnails": _thumbnails,
    "timelines": _timelines,
}  # fmt: skip


def _numbered(name: str, pages: Sequence[Figure]) -> Iterator[tuple[str, Figure]]:
    for i, page in enumerate(pages, start=1):
        yield (name if len(pages) == 1 else f"{name}-{i}"), page


def choose_sites(views: RunViews, choice: Choice) -> list[str]:
    """Ids of the sites to show: those named, or the first of an order that nothing else sways."""
    if choice.site_ids:
        return list(dict.fromkeys(choice.site_ids))
    column = views.hectares if choice.by == "area" else "score_mean"
    most = views.outlined.groupby("site_id", sort=True)[column].max()
    if choice.by == "random":
        line = most.index.to_numpy()[np.random.default_rng(choice.seed).permutation(len(most))]
        return [str(site) for site in line[: choice.sites]]
    ranked = most.sort_values(ascending=False, kind="stable", na_position="last")
    return [str(site) for site in ranked.index[: choice.sites]]


def _which(views: RunViews, choice: Choice, sites: Sequence[str]) -> str:
    every = views.outlined["site_id"].nunique()
    shown = f"{len(sites)} of {count(every, 'site')}"
    words = {"area": "the largest", "score": "highest score first",
             "random": f"drawn at random, seed {choice.seed}"}  # fmt: skip
    how = "as chosen" if choice.site_ids else words[choice.by]
    return f"{shown}, {how}; {KIND[views.extent]}: {INTERVAL}"


def _strip(views: RunViews, site: str, side_mm: float, dpi: int, *, every: bool) -> Strip:
    rows = views.outlined[views.outlined["site_id"] == site]
    crs = views.crs or _nearest_crs(views, rows.geometry.iloc[0].representative_point())
    frame = Frame.square(
        rows.geometry.union_all(), crs, least_m=LEAST_CHIP_PX * views.finest_m, share=CHIP_SHARE
    )
    labels = [p.label for p in views.periods] if every else _before_and_after(views, site, rows)
    own = views.panel[views.panel["site_id"] == site].set_index("period")
    return Strip(
        site, _facts(views, rows),
        tuple(views.view(label, frame, width_mm=side_mm, dpi=dpi, site=site) for label in labels),
        tuple(_caption(views, own, label) for label in labels),
    )  # fmt: skip


def _nearest_crs(views: RunViews, point: Any) -> str:
    """The UTM zone of a place: its composites' own."""
    return Frame.around(point.buffer(1e-3)).crs


def _before_and_after(views: RunViews, site: str, rows: pd.DataFrame) -> list[str]:
    """The last look before the site began (or its first outline), and its last outline."""
    labels = list(views.place)
    seen = sorted(rows["period"], key=labels.index)
    own = views.panel[views.panel["site_id"] == site].set_index("period")
    earlier = labels[: labels.index(seen[0])]
    looked = [label for label in earlier if not _unseen(own, label)]
    before = looked[-1] if looked else seen[0]
    return list(dict.fromkeys((before, seen[-1])))


def _unseen(own: pd.DataFrame, label: str) -> bool:
    return label not in own.index or bool(own.loc[label, "event"] == "not_looked")


def _facts(views: RunViews, rows: pd.DataFrame) -> tuple[str, ...]:
    ha = f"{hectares(float(rows[views.hectares].max()))} ha"
    score = rows["score_mean"].max()
    scored = f", score {score:.2f}" if score == score else ""
    since = f", since {rows['first_period'].iloc[0]}"
    return f"at most {ha}{scored}{since}", f"{ha}{scored}{since}", f"{ha}{scored}", ha, ""


def _caption(views: RunViews, own: Any, label: str) -> tuple[str, ...]:
    if _unseen(own, label):
        return f"{label}: not looked at", f"{label}: not looked", label
    row = own.loc[label]
    value, score = float(row[views.hectares]), float(row["score_mean"])
    if not value > 0:
        return f"{label}: no outline", label
    ha = f"{label}: {hectares(value)} ha"
    return (f"{ha}, score {score:.2f}", f"{ha}, {score:.2f}", ha, label) if score == score else (
        ha, label)  # fmt: skip


def _course(views: RunViews, site: str, rows: Any) -> Course:
    own = rows.set_index("period")
    labels = list(views.place)
    found = [own.loc[label] if label in own.index else None for label in labels]
    values = [math.nan if row is None or row["event"] == "not_looked" else
              float(row[views.hectares]) for row in found]  # fmt: skip
    words = [row["event"] if row is not None and isinstance(row["event"], str) else None
             for row in found]  # fmt: skip
    first = views.place[str(own["first_period"].iloc[0])]
    return Course(site, tuple(values), tuple(words), first)


def _spells(views: RunViews) -> list[Spell]:
    """Hectares of every period, split by the first period of the sites."""
    looked = views.looked
    table: Any = summary(views.panel, views.periods, looked=looked or None).set_index("period")
    parts = views.outlined.pivot_table(
        index="period", columns="first_period", values=views.hectares, aggfunc="sum", fill_value=0.0
    ) if len(views.outlined) else pd.DataFrame()  # fmt: skip
    labels = list(views.place)
    split = parts.reindex(index=labels, columns=labels, fill_value=0.0)
    return [
        Spell(period, float(table.loc[period.label, views.hectares]),
              looked.get(period.label, math.nan), tuple(map(float, split.loc[period.label])))
        for period in views.periods
    ]  # fmt: skip


def _last_looked(views: RunViews) -> str:
    """The last period with hectares, be they none; the last of all if there is no such."""
    seen = [spell.period.label for spell in _spells(views) if spell.hectares == spell.hectares]
    return seen[-1] if seen else views.periods[-1].label


def _found(views: RunViews, spell: Spell) -> tuple[str, ...]:
    """What is seen in a period, the longest wording first."""
    label = spell.period.label
    sites = count(int((views.outlined["period"] == label).sum()), "site")
    share = spell.looked_share
    looked = f", {percent(share)} looked at" if share == share else ""
    if spell.hectares != spell.hectares:
        return f"not looked at{looked}", "not looked at", "not looked"
    ha = f"{hectares(spell.hectares)} ha"
    return (f"{sites}, {ha} of {KIND[views.extent]} ({INTERVAL}){looked}",
            f"{sites}, {ha}{looked}", f"{sites}, {ha}", ha)  # fmt: skip


def _title(views: RunViews) -> str:
    return str(views.card.get("title") or views.folder.root.resolve().name)


def _credit(views: RunViews, *, pictured: bool = True) -> str:
    """Picture, sources and licence, model and maker, as sentences."""
    sources = views.card.get("sources", ())
    said = [str(s.get("attribution") or f"imagery {s.get('name')}, attribution not stated")
            for s in sources]  # fmt: skip
    terms = [str(s["licence"]) for s in sources if s.get("licence")]
    model = views.card.get("model", {}).get("id")
    given = [Path(file["file"]).name for file in views.note.get("files", ())]
    measured = views.note.get("hectares", "geodesic")
    parts = [
        f"Picture: {views.recipe.name}" if views.recipe and pictured else "",
        "; ".join(dict.fromkeys(said)),
        f"Licence: {', '.join(dict.fromkeys(terms))}" if terms else
        "Licence of the imagery not stated" if sources else "",
        f"Outlines {as_given_in(given)}" if given else
        f"Mapped with minetrace, model {model}" if model else "Mapped with minetrace",
        f"Hectares of {KIND[views.extent]} are {measured}: {INTERVAL}",
    ]  # fmt: skip
    return " ".join(f"{part.rstrip('.')}." for part in parts if part)
