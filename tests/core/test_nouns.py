"""Periods, bands, footprints, model cards, hashes: what each promises."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer
from shapely.geometry import LineString, box

from minetrace.core import metrics
from minetrace.core.bands import common_name, nearest
from minetrace.core.footprints import Footprints, geodesic_hectares
from minetrace.core.model import ModelCard, Scaling
from minetrace.core.period import Period, ordered
from minetrace.core.provenance import fingerprint
from minetrace.core.scores import NOT_LOOKED, decode, encode
from minetrace.errors import ModelError, OutlineError, PeriodError
from minetrace.testing.strategies import years


def test_periods_are_half_open() -> None:
    year = Period.parse("2020")
    assert date(2020, 12, 31) in year
    assert date(2021, 1, 1) not in year
    assert Period.parse("2020-Q4").last_day == date(2020, 12, 31)


@pytest.mark.parametrize("label", ["2020/21", "Dry 2020", "", "2020.1"])
def test_labels_must_be_safe_as_file_names(label: str) -> None:
    with pytest.raises(PeriodError, match="file name"):
        Period(date(2020, 1, 1), date(2021, 1, 1), label)


def test_overlapping_and_doubled_periods_are_refused() -> None:
    with pytest.raises(PeriodError, match="overlap"):
        ordered([Period.year(2020), Period.quarter(2020, 2)])
    with pytest.raises(PeriodError, match="twice"):
        ordered([Period.year(2020), Period.year(2020)])


@pytest.mark.parametrize("word", ["0000", "9999", "9999-q4", "२०२०", "2020.5", ""])
def test_a_year_that_no_calendar_has_is_no_period(word: str) -> None:
    with pytest.raises(PeriodError, match="neither a year"):
        Period.parse(word)


@given(years(), st.randoms())
def test_the_order_in_which_periods_are_given_does_not_matter(given_: list[Period], rng) -> None:
    shuffled = rng.sample(given_, len(given_))
    assert ordered(shuffled) == ordered(given_) == tuple(sorted(given_))


def test_bands_by_name() -> None:
    assert [common_name(n) for n in ("B08", "B8A", "B5", "SR_B4", "Red", "SCL", "band 1")] == [
        "nir", "nir08", "nir08", "red", "red", "scl", None]  # fmt: skip
    assert nearest("gren", ["blue", "green"]) == "green"


def test_a_hectare_is_the_same_hectare_in_every_crs() -> None:
    square = box(-70.21, -12.81, -70.20, -12.80)
    here = geodesic_hectares(np.array([square]), "EPSG:4326")[0]
    for crs in ("EPSG:32719", "EPSG:32718", "EPSG:3857", "EPSG:6933"):
        to = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
        fine = shapely.segmentize(square, 0.001)
        moved = shapely.transform(fine, lambda xy, t=to: np.column_stack(t.transform(*xy.T)))
        assert geodesic_hectares(np.array([moved]), crs)[0] == pytest.approx(here, rel=1e-4)
    assert here == pytest.approx(120.0, rel=0.01)


def test_holes_are_taken_off_and_lines_have_no_hectares() -> None:
    outer, hole = box(0, 0, 0.1, 0.1), box(0.04, 0.04, 0.05, 0.05)
    with_hole = outer.difference(hole)
    a, b, c = geodesic_hectares(np.array([outer, hole, with_hole]), "EPSG:4326")
    assert c == pytest.approx(a - b)
    with pytest.raises(OutlineError, match="only polygons"):
        geodesic_hectares(np.array([LineString([(0, 0), (1, 1)])]), "EPSG:4326")
    with pytest.raises(OutlineError, match="CRS"):
        geodesic_hectares(np.array([box(5e5, 8e6, 6e5, 9e6)]), "EPSG:4326")


def test_footprints_keep_columns_with_their_rows() -> None:
    shapes = np.array([box(0, 0, 1, 1), box(2, 2, 3, 3)])
    both = Footprints(shapes, "EPSG:4326", "mined", {"score_max": np.array([0.4, 0.9])})
    (kept,) = [both.where(both.columns["score_max"] > 0.5)]
    assert len(kept) == 1
    assert kept.geometry[0].equals(shapes[1])


def test_scores_survive_and_not_looked_is_never_zero() -> None:
    p = np.array([[0.0, 0.5, 1.0, np.nan]])
    looked = np.array([[True, True, True, False]])
    values = encode(p, looked)
    assert values.tolist() == [[0, 5000, 10000, NOT_LOOKED]]
    assert np.isnan(decode(values)[0, 3])


def test_a_model_card_comes_back_from_its_file() -> None:
    card = ModelCard(
        "net", ("red", "nir"), 48, 8, "patch", "footprint", call_px=96, fill=(0.1, 0.2),
        accepts={"nir": ("nir08",)}, scaling={"red": Scaling(2.0, -1.0, (0.0, 0.3))},
        resolution_m=10.0, data=({"source": "gallery", "licence": "CC-BY-4.0"},),
    )  # fmt: skip
    assert ModelCard.from_json(card.to_json()) == card
    with pytest.raises(ModelError, match="not a model card"):
        ModelCard.from_json({"properties": {}})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"stride": 7}, "must divide"),
        ({"extent": "mined"}, "footprint"),
        ({"fill": (0.1,)}, "one each"),
        ({"call_px": 50}, "multiple of the stride"),
        ({"threshold": 1.5}, "between 0 and 1"),
    ],
)
def test_a_card_that_contradicts_itself_is_refused(change: dict[str, object], says: str) -> None:
    good = {"name": "n", "bands": ("red", "nir"), "window": 48, "stride": 8,
            "output": "patch", "extent": "footprint"}  # fmt: skip
    with pytest.raises(ModelError, match=says):
        ModelCard(**{**good, **change})  # type: ignore[arg-type]


def test_fingerprints_do_not_depend_on_key_order() -> None:
    assert fingerprint({"a": 1, "b": [1, 2]}) == fingerprint({"b": [1, 2], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})


def test_metrics_of_counts() -> None:
    assert metrics.precision(3, 1) == 0.75
    assert metrics.iou(2, 1, 1) == 0.5
    assert metrics.f1(2, 1, 1) == pytest.approx(2 / 3)
    assert metrics.recall(0, 0) != metrics.recall(0, 0)
