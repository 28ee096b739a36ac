"""The map does not depend on how it was cut, and equals a plain reference."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon

from minetrace.core.grid import Grid, Rect
from minetrace.core.model import ModelCard, Scaling
from minetrace.core.raster import NODATA, Raster
from minetrace.core.region import Coverage
from minetrace.core.scores import NOT_LOOKED, Scores, encode
from minetrace.errors import BandError, ModelError, StudyError
from minetrace.predict.boards import taper
from minetrace.predict.scan import ScanOptions, scan
from minetrace.predict.scorer import FunctionScorer, function_scorer

GRID = Grid("EPSG:32723", 10.0)
BANDS = ("blue", "green", "red")
WHOLE = Rect(-37, 50, 150, 130)  # touches no stride
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


class Ground:
    """Seeded pixels with holes around WHOLE; nothing is valid outside it."""

    def __init__(self, whole: Rect = WHOLE, hole_share: float = 0.05, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.whole = whole
        self.pixels = rng.integers(-50, 6000, (3, *whole.shape), dtype=np.int16)
        self.valid = np.ones(whole.shape, bool)
        for _ in range(int(hole_share * 100)):
            r, c = rng.integers(0, whole.height), rng.integers(0, whole.width)
            self.valid[r : r + rng.integers(2, 30), c : c + rng.integers(2, 30)] = False
        self.pixels[:, ~self.valid] = NODATA

    def __call__(self, rect: Rect) -> Raster:
        pixels = np.full((3, *rect.shape), NODATA, np.int16)
        valid = np.zeros(rect.shape, bool)
        part = rect & self.whole
        if not part.empty:
            pixels[:, *part.within(rect)] = self.pixels[:, *part.within(self.whole)]
            valid[part.within(rect)] = self.valid[part.within(self.whole)]
        return Raster(BANDS, pixels, valid, GRID.geobox(rect))


def pixel_scorer(window: int = 24, stride: int = 16, **card: Any) -> FunctionScorer:
    """A pixel model that looks at the whole window, so that a wrong cut shows."""

    def score(blue: Any, green: Any, red: Any) -> Any:
        high = blue.mean(axis=(1, 2), keepdims=True, dtype=np.float64)
        ramp = np.linspace(0, 0.3, blue.shape[2])
        return np.clip(0.3 * green + red + high - blue + ramp, 0, 1)

    return function_scorer(score, BANDS, window=window, stride=stride, **card)


def patch_scorer(window: int = 24, stride: int = 8, side: int = 1, **card: Any) -> FunctionScorer:
    """A fully convolutional patch model: the mean of each window of a call, and a corner."""

    def score(blue: Any, green: Any, red: Any) -> Any:
        out = np.empty((len(blue), side, side))
        for i in range(side):
            for j in range(side):
                here = (slice(None), slice(i * stride, i * stride + window),
                        slice(j * stride, j * stride + window))  # fmt: skip
                out[:, i, j] = blue[here].mean(axis=(1, 2)) + red[here][:, 0, 3]
        return out

    return function_scorer(
        score, BANDS, window=window, stride=stride, output="patch", extent="footprint",
        call_px=window + (side - 1) * stride, **card,
    )  # fmt: skip


SCORERS: dict[str, Callable[[], FunctionScorer]] = {
    "pixels": lambda: pixel_scorer(min_valid_share=0.6),
    "pixels without overlap": lambda: pixel_scorer(32, 32),
    "pixels, four deep": lambda: pixel_scorer(30, 9, min_valid_share=0.3),
    "exact patches": lambda: patch_scorer(min_valid_share=0.8),
    "dense patches": lambda: patch_scorer(side=5, min_valid_share=0.8),
}


def mosaic(
    read: Any, scorer: Any, tiles: list[Rect], whole: Rect = WHOLE, **options: Any
) -> np.ndarray:
    """All tiles in one array over ``whole``; NOT_LOOKED where no tile is."""
    s = scorer.card.cell_px
    around = whole.cells(s)
    out: np.ndarray | None = None
    seen = []
    for tile, scores in scan(read, scorer, GRID, tiles, **options):
        seen.append(tile)
        if out is None:
            out = np.full((len(scores.names), *around.shape), NOT_LOOKED, np.uint16)
        cells = tile.cells(s)
        assert scores.geobox == GRID.coarsened(s).geobox(cells)
        part = cells & around
        out[:, *part.within(around)] = scores.values[:, *part.within(cells)]
    assert sorted(seen) == sorted(t for t in tiles if not t.cells(s).empty)
    assert out is not None
    return out


def reference(read: Any, scorer: FunctionScorer, whole: Rect = WHOLE) -> np.ndarray:
    """Every window by itself, one loop, float64."""
    card = scorer.card
    w, s, k = card.window, card.stride, card.window // card.stride
    single = patch_scorer(w, s) if card.output == "patch" else scorer
    cell = card.cell_px
    around = whole.expand(w).cells(cell)
    total = np.zeros(around.shape)
    weights = np.zeros(around.shape)
    highest = np.full(around.shape, -np.inf)
    line = taper(w, s).astype(float)
    for i in range((whole.row - w) // s, whole.row_stop // s + 1):
        for j in range((whole.col - w) // s, whole.col_stop // s + 1):
            here = Rect(i * s, j * s, w, w)
            raster = read(here)
            if raster.valid.mean() < max(card.min_valid_share, 1e-9):
                continue
            image = raster.pixels.astype(np.float32) * 1e-4
            image[:, ~raster.valid] = np.array(card.fill, np.float32)[:, None]
            answer = single(image[None])[0, 0]
            cells = Rect(i, j, k, k) if card.output == "patch" else here
            part = cells & around
            at, cut = part.within(around), part.within(cells)
            weight = np.ones(cells.shape) if cell > 1 else np.outer(line, line)
            value = np.broadcast_to(answer, cells.shape)
            total[at] += (value * weight)[cut]
            weights[at] += weight[cut]
            highest[at] = np.maximum(highest[at], value[cut])
    valid = read(around.scaled(cell)).valid
    seen = valid.reshape(around.height, cell, around.width, cell).any(axis=(1, 3))
    looked = seen & (weights > 0)
    mean = encode(total / np.maximum(weights, 1e-9), looked)
    both = np.stack([mean, encode(highest, looked)]) if cell > 1 else mean[None]
    return both[:, *whole.cells(cell).within(around)]


def cut(whole: Rect, rows: list[int], cols: list[int]) -> list[Rect]:
    edges_r = [whole.row, *sorted({whole.row + r for r in rows}), whole.row_stop]
    edges_c = [whole.col, *sorted({whole.col + c for c in cols}), whole.col_stop]
    return [Rect.spanning(a, c, b, d) for a, b in pairwise(edges_r) for c, d in pairwise(edges_c)]


@pytest.mark.parametrize("kind", SCORERS)
def test_equals_every_window_by_itself(kind: str) -> None:
    scorer, read = SCORERS[kind](), Ground()
    found, plain = mosaic(read, scorer, [WHOLE]), reference(read, scorer)
    assert ((found == NOT_LOOKED) == (plain == NOT_LOOKED)).all()
    assert (found == NOT_LOOKED).any()
    assert (found != NOT_LOOKED).mean() > 0.3
    np.testing.assert_allclose(found.astype(int), plain.astype(int), atol=1)


@pytest.mark.parametrize("kind", SCORERS)
@QUICK
@given(data=st.data())
def test_any_cut_any_order_any_batch(kind: str, data: st.DataObject) -> None:
    scorer, read = SCORERS[kind](), Ground()
    whole = mosaic(read, scorer, [WHOLE])
    rows = data.draw(st.lists(st.integers(1, WHOLE.height - 1), max_size=3))
    cols = data.draw(st.lists(st.integers(1, WHOLE.width - 1), max_size=3))
    tiles = data.draw(st.permutations(cut(WHOLE, rows, cols)))
    batch = data.draw(st.integers(1, 5))
    options = ScanOptions(batch=batch, ahead=data.draw(st.booleans()))
    assert (mosaic(read, scorer, tiles, options=options) == whole).all()
    for tile in data.draw(st.lists(st.sampled_from(tiles), max_size=3, unique=True)):
        if not tile.cells(scorer.card.cell_px).empty:
            alone = mosaic(read, scorer, [tile], tile)
            inside = tile.cells(scorer.card.cell_px).within(WHOLE.cells(scorer.card.cell_px))
            assert (alone == whole[:, *inside]).all()


@pytest.mark.parametrize("kind", SCORERS)
@QUICK
@given(data=st.data())
def test_a_subset_with_gaps_and_a_coverage_takes_nothing_from_the_rest(
    kind: str, data: st.DataObject
) -> None:
    scorer, read = SCORERS[kind](), Ground()
    whole = mosaic(read, scorer, [WHOLE])
    tiles = data.draw(st.lists(st.sampled_from(list(WHOLE.blocks(32))), min_size=1, unique=True))
    ring = data.draw(st.lists(st.tuples(st.integers(0, 130), st.integers(0, 150)),
                              min_size=3, max_size=3, unique=True))  # fmt: skip
    shape = Polygon([(GRID.x(WHOLE.col + x), GRID.y(WHOLE.row + y)) for x, y in ring])
    coverage = Coverage(shape, GRID)
    found = mosaic(read, scorer, tiles, coverage=coverage)
    s = scorer.card.cell_px
    cells = WHOLE.cells(s)
    wanted = np.zeros(cells.shape, bool)
    for tile in tiles:
        part = tile.cells(s) & cells
        if not part.empty:
            wanted[part.within(cells)] = True
    wanted &= Coverage(shape, GRID.coarsened(s)).mask(cells)
    assert (found == np.where(wanted, whole, NOT_LOOKED)).all()


def test_dense_and_exact_patches_are_the_same_numbers() -> None:
    read = Ground()
    exact = mosaic(read, patch_scorer(min_valid_share=0.8), [WHOLE])
    for side in (2, 3, 7):
        dense = mosaic(read, patch_scorer(side=side, min_valid_share=0.8), [WHOLE])
        assert (dense == exact).all()


def test_no_window_is_computed_twice_and_unwanted_ones_not_at_all() -> None:
    read, calls = Ground(hole_share=0), []
    inner = pixel_scorer()

    def count(blue: Any, green: Any, red: Any) -> Any:
        calls.append(len(blue))
        return inner.fn(blue, green, red)

    scorer = FunctionScorer(count, inner.card)
    tiles = cut(WHOLE, [40, 90], [64])
    mosaic(read, scorer, tiles, options=ScanOptions(batch=1))
    rows = range((WHOLE.row - 24) // 16 + 1, (WHOLE.row_stop - 1) // 16 + 1)
    cols = range((WHOLE.col - 24) // 16 + 1, (WHOLE.col_stop - 1) // 16 + 1)
    assert sum(calls) == len(rows) * len(cols)
    calls.clear()
    mosaic(read, scorer, [Rect(0, 96, 8, 8)], options=ScanOptions(batch=1))
    assert sum(calls) == 2 * 2


def test_pixels_are_read_once() -> None:
    ground, seen = Ground(), np.zeros(WHOLE.expand(64).shape, int)

    def read(rect: Rect) -> Raster:
        seen[rect.within(WHOLE.expand(64))] += 1
        return ground(rect)

    mosaic(read, patch_scorer(side=5), cut(WHOLE, [70], [30, 90]))
    assert seen.max() == 1
    assert (seen[64:-64, 64:-64] == 1).all()


def test_max_thresholded_is_the_union_of_detecting_windows() -> None:
    read, scorer = Ground(), patch_scorer(min_valid_share=0.9)
    highest = mosaic(read, scorer, [WHOLE])[1]
    threshold = int(np.quantile(highest[highest != NOT_LOOKED], 0.8))
    cells = WHOLE.cells(8)
    union = np.zeros(cells.shape, bool)
    for i in range(cells.row - 2, cells.row_stop):
        for j in range(cells.col - 2, cells.col_stop):
            raster = read(Rect(i * 8, j * 8, 24, 24))
            if raster.valid.mean() >= 0.9:
                image = np.where(raster.valid, raster.pixels * np.float32(1e-4), np.float32(0.1))
                score = scorer(image[None].astype(np.float32))[0, 0]
                part = Rect(i, j, 3, 3) & cells
                union[part.within(cells)] |= encode(score, np.array(True)).item() >= threshold
    looked = highest != NOT_LOOKED
    assert ((highest >= threshold) & looked == union & looked).all()
    assert union.any()


def test_statistics_of_the_windows_over_a_cell() -> None:
    read = Ground()
    options = ScanOptions(statistics=("min", "median", "std", "count"))
    tile, scores = next(scan(read, patch_scorer(), GRID, [WHOLE], options=options))
    assert scores.names == ("mean", "max", "min", "median", "std", "count")
    cells = tile.cells(8)
    for row, col in ((3, 4), (9, 2), (0, 0), (12, 11)):
        values = []
        for i in range(cells.row + row - 2, cells.row + row + 1):
            for j in range(cells.col + col - 2, cells.col + col + 1):
                raster = read(Rect(i * 8, j * 8, 24, 24))
                if raster.valid.any():
                    image = raster.pixels * np.float32(1e-4)
                    image[:, ~raster.valid] = 0.1
                    values.append(float(patch_scorer()(image[None].astype(np.float32))[0, 0, 0, 0]))
        got = {name: int(scores.band(name)[row, col]) for name in scores.names}
        if got["mean"] == NOT_LOOKED:
            continue
        wanted = {"mean": np.mean(values), "max": max(values), "min": min(values),
                  "median": np.median(values), "std": np.std(values)}  # fmt: skip
        assert got.pop("count") == len(values)
        for name, value in wanted.items():
            assert abs(got[name] - np.clip(value, 0, 1) * 10_000) <= 1, name


def test_turns_are_averaged_and_hold_for_any_cut() -> None:
    read = Ground()
    for scorer in (pixel_scorer(), patch_scorer(side=3)):
        options = ScanOptions(tta=True)
        whole = mosaic(read, scorer, [WHOLE], options=options)
        assert (mosaic(read, scorer, cut(WHOLE, [50], [33]), options=options) == whole).all()
        assert (whole != mosaic(read, scorer, [WHOLE])).any()

    # what does not care which way is up is not changed by turning it
    calm = function_scorer(lambda red: np.clip(red, 0, 1), ("red",), window=24, stride=16)
    plain = mosaic(read, calm, [WHOLE]).astype(int)
    assert abs(plain - mosaic(read, calm, [WHOLE], options=ScanOptions(tta=True))).max() <= 1


def test_holes_take_the_fill_and_bad_windows_do_not_count() -> None:
    ground = Ground(hole_share=0)
    ground.valid[60:90, 60:90] = False
    ground.pixels[:, 60:90, 60:90] = NODATA
    lowest = []

    def look(red: Any) -> Any:
        lowest.append(red.min())
        return np.zeros_like(red)

    scorer = function_scorer(look, ("red",), window=16, fill=(0.25,), min_valid_share=0.5)
    scores = mosaic(ground, scorer, [WHOLE])
    assert min(lowest) >= -0.0051  # never the nodata value
    looked = scores[0] != NOT_LOOKED
    assert not looked[60:90, 60:90].any()
    assert looked[:40, :40].mean() > 0.8


def test_clip_scale_and_offset_are_as_the_card_says() -> None:
    ground, seen = Ground(hole_share=0), []
    scaling = {"red": Scaling(2.0, 0.5, (0.0, 0.3)), "blue": Scaling(1.0, -0.1)}

    def look(red: Any, blue: Any) -> Any:
        seen.append((red.copy(), blue.copy()))
        return red * 0

    scorer = function_scorer(look, ("red", "blue"), window=16, scaling=scaling)
    list(scan(ground, scorer, GRID, [Rect(0, 64, 16, 16)], options=ScanOptions(batch=1)))
    raw = ground(Rect(0, 64, 16, 16)).pixels * 1e-4
    np.testing.assert_allclose(seen[0][0][0], np.clip(raw[2], 0, 0.3) * 2 + 0.5, atol=1e-6)
    np.testing.assert_allclose(seen[0][1][0], raw[0] - 0.1, atol=1e-6)


def test_nan_is_not_looked_at() -> None:
    scorer = function_scorer(lambda red: np.where(red > 0.3, np.nan, 0.2), ("red",), window=16)
    ground = Ground(hole_share=0)
    found = mosaic(ground, scorer, [WHOLE])[0]
    assert ((found == NOT_LOOKED) == (ground.pixels[2] * np.float32(1e-4) > 0.3)).mean() > 0.999


def test_nothing_valid_is_nothing_looked_at() -> None:
    tile = Rect(5000, 5000, 64, 64)
    for scorer in (pixel_scorer(), patch_scorer()):
        for _, scores in scan(Ground(), scorer, GRID, [tile]):
            assert not scores.looked.any()


def test_what_does_not_fit_is_refused() -> None:
    read = Ground()
    with pytest.raises(BandError, match=r"nir.*blue, green, red"):
        list(scan(read, function_scorer(lambda nir: nir, ("nir",)), GRID, [WHOLE]))
    with pytest.raises(ModelError, match=r"30 m.*10 m"):
        list(scan(read, pixel_scorer(resolution_m=30.0), GRID, [WHOLE]))
    with pytest.raises(ModelError, match="answered with shape"):
        list(scan(read, function_scorer(lambda red: red[:, 1:], ("red",)), GRID, [WHOLE]))
    with pytest.raises(StudyError, match="mode"):
        ScanOptions(statistics=("mode",))


def test_a_band_stands_in_only_where_the_card_accepts_it() -> None:
    accepts = {"nir": ("nir08", "green")}
    scorer = function_scorer(lambda nir: np.clip(nir, 0, 1), ("nir",), accepts=accepts)
    green = function_scorer(lambda green: np.clip(green, 0, 1), ("green",))
    read = Ground()
    assert (mosaic(read, scorer, [WHOLE]) == mosaic(read, green, [WHOLE])).all()


@pytest.mark.parametrize("ahead", [True, False])
def test_a_failing_read_is_raised_and_leaves_no_thread(ahead: bool) -> None:
    import threading

    options = ScanOptions(ahead=ahead)

    def read(rect: Rect) -> Raster:
        raise OSError("gone")

    before = threading.active_count()
    with pytest.raises(OSError, match="gone"):
        list(scan(read, pixel_scorer(), GRID, [WHOLE], options=options))
    walk = scan(Ground(), pixel_scorer(), GRID, cut(WHOLE, [40], []), options=options)
    next(walk)
    walk.close()
    assert threading.active_count() == before


def test_memory_follows_the_width_not_the_height() -> None:
    def peak(height: int) -> int:
        whole = Rect(0, 0, height, 2048)

        def read(rect: Rect) -> Raster:
            pixels = np.full((3, *rect.shape), 900, np.int16)
            return Raster(BANDS, pixels, np.ones(rect.shape, bool), GRID.geobox(rect))

        scorer = function_scorer(lambda blue, green, red: blue, BANDS, window=128, stride=96)
        tracemalloc.start()
        for _ in scan(read, scorer, GRID, list(whole.blocks(256))):
            pass
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    assert peak(3072) < 1.1 * peak(1024)


@QUICK
@given(st.integers(1, 40).flatmap(lambda w: st.tuples(st.just(w), st.integers(1, w))))
def test_weights_are_positive_and_sum_to_one_where_two_overlap(sizes: tuple[int, int]) -> None:
    window, stride = sizes
    line = taper(window, stride)
    assert (line > 0).all()
    assert (line == line[::-1]).all()
    if 2 * stride >= window:
        total = line.copy()
        total[stride:] += line[: window - stride]
        total[: window - stride] += line[stride:]
        np.testing.assert_allclose(total, 1, atol=1e-6)


def test_scores_keep_their_card_and_place() -> None:
    card: ModelCard = replace(pixel_scorer().card, classes=("mine", "pond"))

    def two(blue: Any, green: Any, red: Any) -> Any:
        return np.stack([np.clip(blue, 0, 1), np.clip(green, 0, 1)], axis=1)

    result: list[tuple[Rect, Scores]] = list(
        scan(Ground(), FunctionScorer(two, card), GRID, [WHOLE])
    )
    assert result[0][1].names == ("mine", "pond")
