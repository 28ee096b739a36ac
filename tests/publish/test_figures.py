"""Figures for print: what they say, that it stays on the paper, and that reruns are equal."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from datetime import date
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from fake_run import fake_panel
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from minetrace.core.period import Period
from minetrace.core.region import project
from minetrace.errors import MissingExtraError
from minetrace.publish.figures.frame import LONLAT, Frame, degree_ticks, nice_below
from minetrace.publish.figures.map import map_figure
from minetrace.publish.figures.multiples import columns_for, multiples_figure
from minetrace.publish.figures.series import Spell, series_figure
from minetrace.publish.figures.sheet import save_figure
from minetrace.publish.figures.style import TALLEST_MM, styled
from minetrace.publish.figures.thumbnails import Strip, thumbnail_figures
from minetrace.publish.figures.timelines import Course, timeline_figures
from minetrace.publish.figures.view import Backdrop, View
from minetrace.publish.figures.words import fitted, width_mm, wrapped

pytest.importorskip("matplotlib")
from matplotlib.figure import Figure

PLACE = box(-70.10, -12.90, -69.90, -12.72)
WIDE, TALL = box(-70.0, -12.81, -68.5, -12.80), box(-70.0, -13.5, -69.98, -12.3)
TWO_ZONES, CONTINENT = box(-66.3, -12.9, -65.7, -12.5), box(-75, -15, -50, 5)
CREDIT = "Contains modified Copernicus Sentinel data 2019-2024. Licence: CC-BY-4.0. " * 2
LONG = "a-name-that-somebody-chose-in-a-national-register-of-mining-concessions-0001"

YEARS = tuple(Period.year(year) for year in range(2019, 2025))
THIRTY = tuple(Period.year(year) for year in range(1990, 2020))
ONE = (Period.year(2024),)
UNEVEN = (
    Period(date(2010, 1, 1), date(2015, 1, 1), "early-years"),
    Period.year(2018), Period.quarter(2020, 1), Period.quarter(2020, 2),
    Period(date(2021, 6, 1), date(2021, 6, 15), "dry-season-fortnight-2021"),
    Period.year(2024),
)  # fmt: skip
TIMES = {"years": YEARS, "thirty": THIRTY, "one": ONE, "uneven": UNEVEN}
PLACES = {"place": PLACE, "wide": WIDE, "tall": TALL, "zones": TWO_ZONES, "continent": CONTINENT}


def view(ground: BaseGeometry, label: str, cohort: int, *, blind: bool = False) -> View:
    """A view with four outlines, half of it a picture; nothing but hatch if it is blind."""
    frame = Frame.around(ground)
    left, bottom, right, top = frame.bounds
    middle, reach = (left + right) / 2, min(frame.width_m, frame.height_m)
    shapes = [shapely.Point(middle, bottom + share * frame.height_m).buffer(size * reach)
              for share, size in ((0.2, 0.1), (0.5, 0.2), (0.8, 0.1), (0.5, 1e-5))]  # fmt: skip
    shapes[1] = shapes[1].difference(shapes[1].buffer(-0.1 * reach))
    outlines = np.array([] if blind else shapes, dtype=object)
    picture = np.full((20, 30, 4), 90, dtype=np.uint8)
    return View(
        frame, label, outlines, np.full(len(outlines), cohort, dtype=np.intp),
        None if blind else Backdrop(picture, (left, bottom, middle, top)),
        frame.shape if blind else box(left, bottom, middle, (bottom + top) / 2),
        project(ground, LONLAT, frame.crs),
    )  # fmt: skip


def spells(periods: tuple[Period, ...]) -> list[Spell]:
    """Hectares that grow; the second period was not looked at."""

    def one(i: int, period: Period) -> Spell:
        if i == 1:
            return Spell(period, math.nan, 0.0)
        parts = tuple(12.5 * (j <= i) for j in range(len(periods)))
        return Spell(period, sum(parts), 0.9, parts)

    return [one(i, period) for i, period in enumerate(periods)]


def course(periods: tuple[Period, ...], name: str) -> Course:
    values = [math.nan if i == 1 else 10.0 + i for i in range(len(periods))]
    words = ["appears", "not_looked", *["grows", "merges", "splits"] * len(periods)]
    return Course(name, tuple(values), tuple(words[: len(periods)]), 0)


def all_figures(
    periods: tuple[Period, ...], ground: BaseGeometry, width: float
) -> Iterator[tuple[str, Figure]]:
    head: dict[str, Any] = {
        "title": f"A study of {LONG}", "credit": CREDIT, "width_mm": width,
        "headline": "42 sites, 1,234 ha of mined ground (mapped, no interval), 98 % looked at",
    }  # fmt: skip
    views = [view(ground, p.label, i, blind=i == 1) for i, p in enumerate(periods)]
    captions = [("12 sites, 345 ha, 97 % looked at", "345 ha")] * len(views)
    yield "map", map_figure(views[0], periods=periods, **head)
    yield "multiples", multiples_figure(views, captions, periods=periods, **head)
    yield "series", series_figure(spells(periods), extent="mined", **head)
    courses = [course(periods, name) for name in ("short", LONG)]
    for figure in timeline_figures(courses, periods=periods, extent="footprint", **head):
        yield "timelines", figure
    side = Frame.square(ground.centroid.buffer(0.01), views[0].frame.crs, least_m=400, share=0.6)
    chips = tuple(View(side, v.period, v.outlines, v.cohort, unlooked=v.unlooked)
                  for v in views[:6])  # fmt: skip
    strips = [Strip(name, ("at most 12.3 ha, score 0.91", "12.3 ha"), chips, tuple(
        (f"{v.period}: 12.3 ha, score 0.91", v.period) for v in chips))
        for name in ("short", LONG)]  # fmt: skip
    for figure in thumbnail_figures(strips, periods=periods, **head):
        yield "thumbnails", figure


def assert_on_paper(name: str, figure: Figure) -> None:
    """Every word stands on the sheet, and no two words stand on each other."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with styled():
        figure.set_dpi(120)
        FigureCanvasAgg(figure).draw()
        paper = figure.bbox
        shown = []
        for axes in figure.axes:
            texts = [*axes.texts]
            if axes.axison:
                for axis in (axes.xaxis, axes.yaxis):
                    low, high = sorted(axis.get_view_interval())
                    texts += [tick.label1 for tick in axis.get_major_ticks()
                              if low <= tick.get_loc() <= high]  # fmt: skip
            shown += [t for t in texts if t.get_text() and t.get_visible()]
        boxes = [(t.get_text(), t.get_window_extent()) for t in shown]
    for words, at in boxes:
        inside = at.x0 >= -1 and at.y0 >= -1 and at.x1 <= paper.x1 + 1 and at.y1 <= paper.y1 + 1
        assert inside, f"{name}: {words!r} hangs over the edge, {at} on {paper}"
    for (one, a), (other, b) in combinations(boxes, 2):
        wide = min(a.x1, b.x1) - max(a.x0, b.x0)
        tall = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert wide <= 1 or tall <= 2, f"{name}: {one!r} and {other!r} overlap"
    assert figure.get_figheight() * 25.4 <= TALLEST_MM + 30


@pytest.mark.parametrize("width", [85.0, 180.0])
@pytest.mark.parametrize("times", TIMES)
def test_every_word_stands_on_the_paper(times: str, width: float) -> None:
    for name, figure in all_figures(TIMES[times], PLACE, width):
        assert_on_paper(f"{name} {times} {width}", figure)


@pytest.mark.parametrize("place", [p for p in PLACES if p != "place"])
def test_wide_tall_and_large_ground_fits(place: str) -> None:
    for width in (85.0, 180.0):
        one = view(PLACES[place], "2024", 0)
        assert_on_paper(place, map_figure(one, periods=ONE, title=place, width_mm=width))
        four = [view(PLACES[place], p.label, 0) for p in YEARS[:4]]
        captions = [("12 sites, 345 ha, 97 % looked at", "345 ha")] * 4
        figure = multiples_figure(four, captions, periods=YEARS[:4], width_mm=width)
        assert_on_paper(place, figure)


def test_a_rerun_gives_equal_bytes_and_text_stays_text(tmp_path: Path) -> None:
    for kind in ("png", "svg", "pdf"):
        files = []
        for turn in ("first", "second"):
            figure = map_figure(view(PLACE, "2024", 0), periods=ONE, title="Oro Manso $5")
            files.append(save_figure(figure, tmp_path / f"{turn}.{kind}", dpi=80))
        assert files[0].read_bytes() == files[1].read_bytes()
    text = (tmp_path / "first.svg").read_text()
    assert "Oro Manso $5" in text
    assert "not looked at" in text


def test_nobody_elses_settings_change() -> None:
    import matplotlib as mpl

    mpl.rcParams["font.size"] = 23
    before = dict(mpl.rcParams)
    series_figure(spells(YEARS), extent="mined")
    assert dict(mpl.rcParams) == before
    mpl.rcdefaults()


def test_bars_stand_over_the_days_of_their_period() -> None:
    axes = series_figure(spells(UNEVEN), extent="mined").axes[1]
    frames = [p for p in axes.patches if p.get_facecolor()[3] == 0 and p.get_height() > 1]
    looked = [p for i, p in enumerate(UNEVEN) if i != 1]
    assert len(frames) == len(looked)  # none for the period that was not looked at
    for bar, period in zip(frames, looked, strict=True):
        start, end = period.start.toordinal(), period.end.toordinal()
        assert bar.get_x() + bar.get_width() / 2 == pytest.approx((start + end) / 2)
        assert bar.get_width() <= end - start or period.days < 30  # what is short stays visible


def test_not_looked_is_hatched_and_never_zero() -> None:
    figure = series_figure(spells(YEARS), extent="footprint")
    axes = figure.axes[1]
    hatched = [p for p in axes.patches if p.get_hatch()]
    assert len(hatched) == 1
    assert "0" not in [t.get_text() for t in axes.texts]
    assert any("footprint of detections, ha" in t.get_text() for t in figure.axes[0].texts)


def test_zero_is_zero() -> None:
    none = [Spell(period, 0.0, 1.0, (0.0,) * 6) for period in YEARS]
    words = [t.get_text() for t in series_figure(none, extent="mined").axes[1].texts]
    assert words.count("0") == 6


def test_the_scale_bar_is_true_ground() -> None:
    frame = Frame.around(CONTINENT)
    assert frame.true_m() == pytest.approx(1, abs=0.03)
    utm = Frame.around(box(-72, 0.1, -71.9, 0.2), "EPSG:32619")  # at the edge of its zone
    x = (utm.left + utm.right) / 2
    one, other = utm._to_lonlat.transform([x - 500, x + 500], [utm.bottom, utm.bottom])
    true = Geod(ellps="WGS84").inv(one[0], other[0], one[1], other[1])[2]
    assert utm.true_m() == pytest.approx(true / 1000, rel=1e-4)
    assert utm.true_m() < 0.9995


def test_north_leans_with_the_grid() -> None:
    """West of the middle of a southern zone the grid's top lies left of true north."""
    west, middle, east = (
        Frame.around(box(lon, -20.1, lon + 0.1, -20), "EPSG:32719").north_deg()
        for lon in (-72, -69.05, -66.1)
    )
    assert abs(middle) < 0.01
    assert east == pytest.approx(-west, rel=0.01)
    assert abs(west) == pytest.approx(2.95 * math.sin(math.radians(20.05)), rel=0.02)


def test_without_matplotlib_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'minetrace\[plot\]'"):
        series_figure(spells(YEARS), extent="mined")


def test_many_sites_go_on_further_pages() -> None:
    pages = timeline_figures([course(YEARS, str(i)) for i in range(40)], periods=YEARS,
                             extent="mined")  # fmt: skip
    assert len(pages) == 3


def test_heavy_outlines_become_pixels_so_that_an_svg_opens(tmp_path: Path) -> None:
    panel = fake_panel(24)
    rows = panel[panel.geometry.notna()]
    frame = Frame.around(PLACE)
    shapes = np.asarray(project(rows.geometry.to_numpy(), LONLAT, frame.crs), dtype=object)
    many = np.tile(shapes, 60)
    figure = map_figure(View(frame, "2024", many, np.zeros(len(many), dtype=np.intp)), periods=ONE)
    assert save_figure(figure, tmp_path / "m.svg", dpi=60).stat().st_size < 1_000_000


@given(st.floats(1e-6, 1e9))
def test_nice_numbers_are_below_and_near(value: float) -> None:
    nice = nice_below(value)
    assert nice <= value * (1 + 1e-6)
    assert nice > value / 2.6


@given(st.floats(-179, 178), st.floats(1e-4, 40), st.integers(1, 6))
def test_degree_ticks_are_few_and_inside(low: float, span: float, most: int) -> None:
    ticks = degree_ticks(low, low + span, most)
    assert 1 <= len(ticks) <= most
    assert all(low - 1e-6 <= tick <= low + span + 1e-6 for tick in ticks)
    steps = {round(b - a, 9) for a, b in pairwise(ticks)}
    assert len(steps) <= 1


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(codec="ascii", exclude_categories=("C",)), max_size=60),
       st.floats(8, 80))  # fmt: skip
def test_fitted_text_fits(words: str, room: float) -> None:
    assert width_mm(fitted(words, room, 7.0), 7.0) <= room
    assert all(width_mm(line, 6.0) <= room for line in wrapped(words, room, 6.0))


@given(st.integers(1, 60), st.floats(0.45, 4.0), st.floats(60, 250))
def test_panels_fit_the_sheet(count: int, aspect: float, sheet: float) -> None:
    columns, panel = columns_for(count, aspect, sheet)
    rows = math.ceil(count / columns)
    assert panel > 0
    assert columns * panel <= sheet
    assert rows * panel / aspect <= TALLEST_MM
