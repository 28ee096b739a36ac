"""Outlines do not depend on how the raster was cut, and equal the whole raster polygonised."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import rasterio.features
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import shape

from minetrace.core.footprints import Footprints
from minetrace.core.grid import Grid, Rect
from minetrace.core.scores import NOT_LOOKED
from minetrace.errors import StudyError
from minetrace.vectors.outlines import OutlineRules, outlines

GRID = Grid("EPSG:32719", 10.0)
ORIGIN = (-857_000, 33_000)  # rows are negative: the zone's northings fall from the equator's


@dataclass(frozen=True)
class Raster:
    """Two arrays of scores whose first pixel is ORIGIN."""

    detect: np.ndarray
    value: np.ndarray

    def __call__(self, rect: Rect) -> tuple[np.ndarray, np.ndarray]:
        where = Rect(rect.row - ORIGIN[0], rect.col - ORIGIN[1], *rect.shape)
        rows, cols = where.within(self.rect_at_zero)
        return self.detect[rows, cols], self.value[rows, cols]

    @property
    def rect_at_zero(self) -> Rect:
        return Rect(0, 0, *self.detect.shape)

    @property
    def rect(self) -> Rect:
        return Rect(*ORIGIN, *self.detect.shape)


def raster(scores: np.ndarray) -> Raster:
    scores = np.asarray(scores, dtype=np.uint16)
    return Raster(scores, scores)


def of_mask(mask: np.ndarray) -> Raster:
    return raster(np.where(mask, 9_000, 1_000))


def cut(rect: Rect, rng: np.random.Generator, pieces: int) -> list[Rect]:
    """The rectangle in pieces of random sizes, shuffled."""
    found = [rect]
    for _ in range(pieces):
        whole = found.pop(rng.integers(len(found)))
        k = rng.integers(1, max(2, max(whole.shape)))
        row, col, height, width = whole.row, whole.col, whole.height, whole.width
        if height >= width and height > 1:
            found += [Rect(row, col, k, width), Rect(row + k, col, height - k, width)]
        elif width > 1:
            found += [Rect(row, col, height, k), Rect(row, col + k, height, width - k)]
        else:
            found.append(whole)
    rng.shuffle(found)
    return [Rect(*map(int, (t.row, t.col, t.height, t.width))) for t in found]


def by_gdal(source: Raster, threshold: int = 5_000) -> np.ndarray:
    """The whole raster polygonised at once, 4-connected."""
    mask = (source.detect >= threshold) & (source.detect != NOT_LOOKED)
    shapes = rasterio.features.shapes(
        mask.astype(np.uint8), mask=mask, connectivity=4, transform=GRID.affine(source.rect)
    )
    return np.array([shape(s) for s, _ in shapes], dtype=object)


def wkb(geometry: np.ndarray) -> list[bytes]:
    return sorted(shapely.to_wkb(shapely.normalize(geometry)))


def same(a: Footprints, b: Footprints) -> None:
    assert shapely.to_wkb(a.geometry).tolist() == shapely.to_wkb(b.geometry).tolist()
    assert a.columns.keys() == b.columns.keys()
    for name in a.columns:
        np.testing.assert_array_equal(a.columns[name], b.columns[name])


def smooth(rng: np.random.Generator, shape_: tuple[int, int], reach: int) -> np.ndarray:
    noise = rng.random(shape_)
    for axis in (0, 1):
        noise = sum(np.roll(noise, k, axis) for k in range(reach))
    rank = np.argsort(np.argsort(noise, axis=None)).reshape(shape_)
    return (rank * (10_000 / rank.size)).astype(np.uint16)


def nested_rings(n: int) -> np.ndarray:
    rows, cols = np.indices((n, n))
    return np.maximum(abs(rows - n // 2), abs(cols - n // 2)) % 4 < 2


SIDE = 60
SHAPES = {
    "checkerboard": np.indices((SIDE, SIDE)).sum(0) % 2 == 0,
    "rings with islands": nested_rings(SIDE),
    "all true": np.ones((SIDE, SIDE), dtype=bool),
    "nothing": np.zeros((SIDE, SIDE), dtype=bool),
    "checkerboard of blocks": np.kron(np.indices((6, 6)).sum(0) % 2 == 0, np.ones((10, 10), bool)),
    "lattice": (np.indices((SIDE, SIDE)) % 3 == 0).any(0),
    "diagonal": np.eye(SIDE, dtype=bool),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("side", [7, 10, 30])
def test_tiles_equal_the_whole_raster(name: str, side: int) -> None:
    source = of_mask(SHAPES[name])
    tiles = [block & source.rect for block in source.rect.blocks(side)]
    found = outlines(tiles, source, GRID, OutlineRules(), "mined")
    assert wkb(found.geometry) == wkb(by_gdal(source))
    assert shapely.is_valid(found.geometry).all()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1), height=st.integers(1, 40), width=st.integers(1, 40),
    reach=st.sampled_from([1, 1, 2, 5]), pieces=st.integers(0, 20),
)  # fmt: skip
def test_any_cut_equals_the_whole_raster(
    seed: int, height: int, width: int, reach: int, pieces: int
) -> None:
    rng = np.random.default_rng(seed)
    source = raster(smooth(rng, (height, width), reach))
    found = outlines(cut(source.rect, rng, pieces), source, GRID, OutlineRules(), "mined")
    assert wkb(found.geometry) == wkb(by_gdal(source))
    assert shapely.is_valid(found.geometry).all()


RULES = st.builds(
    OutlineRules, threshold=st.sampled_from([0.3, 0.5, 0.7]),
    high=st.sampled_from([None, 0.9, 0.97]), sieve_px=st.integers(0, 8),
    fill_holes_ha=st.sampled_from([0.0, 0.05, 0.3]), min_ha=st.sampled_from([0.0, 0.02, 0.1]),
    simplify_m=st.sampled_from([0.0, 12.0]),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), reach=st.sampled_from([1, 2, 3]), rules=RULES)
def test_cleaning_does_not_depend_on_the_cut(seed: int, reach: int, rules: OutlineRules) -> None:
    rng = np.random.default_rng(seed)
    detect, value = smooth(rng, (40, 36), reach), smooth(rng, (40, 36), reach)
    detect[rng.random(detect.shape) < 0.05] = NOT_LOOKED
    value[rng.random(value.shape) < 0.05] = NOT_LOOKED
    source = Raster(detect, value)
    whole = outlines([source.rect], source, GRID, rules, "footprint")
    same(outlines(cut(source.rect, rng, 12), source, GRID, rules, "footprint"), whole)
    assert shapely.is_valid(whole.geometry).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), sieve=st.integers(0, 9), fill_px=st.integers(0, 60))
def test_cleaning_equals_cleaning_polygon_by_polygon(seed: int, sieve: int, fill_px: int) -> None:
    rng = np.random.default_rng(seed)
    source = raster(smooth(rng, (40, 40), 2))
    rules = OutlineRules(sieve_px=sieve, fill_holes_ha=(fill_px + 0.5) / 100)
    found = outlines(cut(source.rect, rng, 6), source, GRID, rules, "mined")
    large = [p for p in by_gdal(source) if p.area >= sieve * 100]
    filled = [
        shapely.Polygon(p.exterior, [h for h in p.interiors if keeps(h, sieve, fill_px)])
        for p in large
    ]
    # what a filled hole swallowed lies wholly inside another outline
    left = [p for p in filled if not any(q is not p and q.covers(p) for q in filled)]
    assert wkb(found.geometry) == wkb(np.array(left, dtype=object))


def keeps(hole: shapely.LinearRing, sieve: int, fill_px: int) -> bool:
    pixels = round(shapely.Polygon(hole).area / 100)
    return pixels >= sieve and pixels > fill_px


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), low=st.floats(0.5, 1.0), rise=st.floats(0.0, 0.5),
       rules=RULES)  # fmt: skip
def test_raising_high_never_adds_an_outline(
    seed: int, low: float, rise: float, rules: OutlineRules
) -> None:
    rng = np.random.default_rng(seed)
    source = raster(smooth(rng, (40, 40), 3))
    settings_ = {**vars(rules), "threshold": 0.4}
    few, many = (
        wkb(outlines([source.rect], source, GRID, OutlineRules(**{**settings_, "high": high}),
                     "mined").geometry)
        for high in (min(1.0, low + rise), low)
    )  # fmt: skip
    assert set(few) <= set(many)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), high=st.floats(0.2, 1.0), drop=st.floats(0.0, 0.5),
       rules=RULES)  # fmt: skip
def test_a_lower_threshold_covers_the_ground_of_a_higher(
    seed: int, high: float, drop: float, rules: OutlineRules
) -> None:
    rng = np.random.default_rng(seed)
    source = raster(smooth(rng, (40, 40), 3))
    settings_ = {**vars(rules), "simplify_m": 0.0, "high": None}
    less, more = (
        shapely.union_all(
            outlines([source.rect], source, GRID, OutlineRules(**{**settings_, "threshold": t}),
                     "mined").geometry
        )
        for t in (high, max(0.01, high - drop))
    )  # fmt: skip
    assert shapely.difference(less, more).area == 0.0


def test_scores_come_from_exact_sums_and_leave_out_what_was_not_looked_at() -> None:
    detect = np.zeros((6, 8), dtype=np.uint16)
    detect[1:4, 1:7] = 6_000
    detect[2, 5] = 9_500
    detect[1, 2] = NOT_LOOKED  # a hole in the outline's edge
    value = np.full((6, 8), 4_000, dtype=np.uint16)
    value[3, 1:4] = 7_000
    value[2, 2] = NOT_LOOKED
    source = Raster(detect, value)
    tiles = [block & source.rect for block in source.rect.blocks(3)]
    found = outlines(tiles, source, GRID, OutlineRules(), "mined")
    assert found.columns["score_max"].tolist() == [0.95]
    assert found.columns["score_mean"].tolist() == [(3 * 7_000 + 13 * 4_000) / 16 / 10_000]
    assert found.geometry[0].area == 1_700.0
    np.testing.assert_allclose(found.columns["area_ha"], found.hectares)
    assert found.columns["area_ha"][0] == pytest.approx(0.17, rel=2e-3)


def test_an_outline_without_values_has_no_mean() -> None:
    source = Raster(np.full((2, 2), 9_000, np.uint16), np.full((2, 2), NOT_LOOKED, np.uint16))
    found = outlines([source.rect], source, GRID, OutlineRules(), "footprint")
    assert np.isnan(found.columns["score_mean"]).all()
    assert set(found.columns) == {"score_mean", "score_max", "footprint_ha"}


def test_ground_not_looked_at_is_never_outlined() -> None:
    source = raster(np.full((5, 5), NOT_LOOKED))
    assert len(outlines([source.rect], source, GRID, OutlineRules(), "mined")) == 0
    assert len(outlines([], source, GRID, OutlineRules(min_ha=1), "mined")) == 0


def test_a_filled_hole_takes_in_the_islands_inside() -> None:
    source = of_mask(nested_rings(31))
    rules = OutlineRules(fill_holes_ha=10.0)
    tiles = [block & source.rect for block in source.rect.blocks(8)]
    found = outlines(tiles, source, GRID, rules, "mined")
    assert len(found) == 1
    assert len(found.geometry[0].interiors) == 0
    detected = by_gdal(source)
    assert len(detected) > 3


def test_simplified_outlines_stay_valid_and_are_measured_anew() -> None:
    rng = np.random.default_rng(5)
    source = raster(smooth(rng, (120, 120), 9))
    plain, simple = (
        outlines([source.rect], source, GRID, OutlineRules(simplify_m=m), "mined") for m in (0, 15)
    )
    assert shapely.is_valid(simple.geometry).all()
    assert shapely.get_num_coordinates(simple.geometry).sum() < 0.7 * (
        shapely.get_num_coordinates(plain.geometry).sum()
    )
    np.testing.assert_array_equal(simple.columns["area_ha"], simple.hectares)
    np.testing.assert_allclose(simple.hectares.sum(), plain.hectares.sum(), rtol=0.05)


def test_min_ha_is_geodesic_where_the_projection_stretches() -> None:
    mercator = Grid("EPSG:3857", 10.0)
    rect = Rect(-1_100_000, 0, 20, 20)  # 70 degrees north: 400 pixels are about 0.45 ha
    plate = np.full((20, 20), 9_000, np.uint16)

    def read(_: Rect) -> tuple[np.ndarray, np.ndarray]:
        return plate, plate

    found = outlines([rect], read, mercator, OutlineRules(), "mined")
    measured = float(found.columns["area_ha"][0])
    assert measured < 1.0
    for min_ha, count in ((measured * 0.999, 1), (measured * 1.001, 0)):
        rules = OutlineRules(min_ha=min_ha)
        assert len(outlines([rect], read, mercator, rules, "mined")) == count


def test_two_processes_give_the_same_outlines() -> None:
    rng = np.random.default_rng(11)
    source = raster(smooth(rng, (200, 200), 6))
    tiles = cut(source.rect, rng, 9)
    rules = OutlineRules(sieve_px=3, min_ha=0.02)
    with ProcessPoolExecutor(2) as pool:
        parallel = outlines(tiles, source, GRID, rules, "mined", map=pool.map)
    same(parallel, outlines([source.rect], source, GRID, rules, "mined"))


def test_cleared_forest_of_madre_de_dios_has_no_seams(shared_data: Path) -> None:
    path = sorted((shared_data / "madre-de-dios").glob("*2018*.tif"))[0]
    with rasterio.open(path) as file:
        cover, nodata = file.read(1), file.nodata
    looked = cover != nodata
    bare = np.clip(100 - np.where(looked, cover, 0), 0, 100) * 100
    source = raster(np.where(looked, bare, NOT_LOOKED))
    rules = OutlineRules(threshold=0.4)
    tiles = [block & source.rect for block in source.rect.blocks(128)]
    found = outlines(tiles, source, GRID, rules, "mined")
    assert len(found) > 100
    assert wkb(found.geometry) == wkb(by_gdal(source, 4_000))
    pixels = ((source.detect >= 4_000) & looked).sum()
    assert shapely.area(found.geometry).sum() == pixels * 100


def test_tiles_that_overlap_are_refused() -> None:
    source = of_mask(np.ones((8, 8)))
    row, col = ORIGIN
    with pytest.raises(ValueError, match="overlap"):
        outlines([Rect(row, col, 8, 5), Rect(row, col + 4, 8, 4)], source, GRID, OutlineRules(),
                 "mined")  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"threshold": 0.0}, "threshold"), ({"high": 0.2}, "high"), ({"min_ha": -1.0}, "min_ha"),
     ({"sieve_px": -1}, "sieve_px"), ({"simplify_m": float("nan")}, "simplify_m")],
)  # fmt: skip
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        OutlineRules(**wrong)  # type: ignore[arg-type]
