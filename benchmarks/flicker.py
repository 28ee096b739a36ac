"""Which rule through time tells the truth best? Made-up countries, where the truth is known.

Six years under clouds, one of them blind. The scorer is ``spectral``, calibrated by isotonic
regression on other countries than those that are judged; on those others every rule, decoding
included, also gets its best settings. All masks are sieved alike.

Run: python benchmarks/flicker.py [countries to judge] [countries to fit] [folder for scores]
Prints a table of means over countries, and how often decoding is better, country by country.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import TypeVar

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.features import rasterize, sieve

from minetrace.composites.methods import begin
from minetrace.core.grid import Grid, Rect
from minetrace.core.period import Period
from minetrace.core.raster import Raster
from minetrace.core.scores import NOT_LOOKED, SCALE
from minetrace.flow.imagery import open_source
from minetrace.flow.plan import read_study_region
from minetrace.flow.study import Study
from minetrace.panel.rules.neighbour import confirmed_by_neighbours
from minetrace.predict.scan import scan
from minetrace.predict.spectral import Spectral
from minetrace.store.run_folder import RunFolder
from minetrace.temporal.course import Course
from minetrace.temporal.decode import decode
from minetrace.temporal.evidence import Calibrated
from minetrace.testing.world import World, make_world, world_study
from minetrace.vectors.outlines import OutlineRules, outlines

SIZE_PX, DATES, SIEVE_PX = 256, 4, 6
YEARS = [Period.year(year) for year in range(2019, 2025)]
GRID = Grid("EPSG:32719", 10.0)
HA_A_PIXEL = 0.01
THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
Masks = NDArray[np.bool_]
Setting = TypeVar("Setting")


@dataclass(frozen=True)
class Country:
    """(years, h, w) scores x 10,000 as the scorer gave them, and where mines truly were."""

    scores: NDArray[np.uint16]
    mined: Masks


@dataclass(frozen=True)
class Errors:
    """Of one rule in one country.

    Attributes:
        ha: |mapped - true| a year, mean over years, hectares.
        misplaced_ha: mapped but not true plus true but not mapped, mean over years.
        first_years: |mapped - true| first year over all ground, ``never`` being the year after
            the last; per truly mined pixel.
    """

    ha: float
    misplaced_ha: float
    first_years: float


# --- countries


def country(seed: int, folder: Path) -> Country:
    kept = folder / f"{seed}.npz"
    if not kept.is_file():
        with tempfile.TemporaryDirectory() as scratch:
            world = make_world(Path(scratch), seed=seed, size_px=SIZE_PX, dates_per_year=DATES)
            with rasterio.open(world.truth_raster) as truth:
                classes = truth.read()
            mined = (classes > 0) & (classes < 10)
            np.savez_compressed(kept, scores=scored(world), mined=mined)
    with np.load(kept) as found:
        return Country(found["scores"], found["mined"])


def scored(world: World) -> NDArray[np.uint16]:
    study = Study.of(world_study(world))
    source = open_source(
        study.sources[0], read_study_region(study), study.timeline, RunFolder(world.root)
    )
    scorer = Spectral.over(source.bands)
    with rasterio.open(world.truth_raster) as truth:
        rect = GRID.rect(tuple(truth.bounds))
    layers = []
    for year in YEARS:
        composite = begin("median")
        for scene in source.scenes():
            if scene.day in year:
                look = source.read(scene, source.bands, GRID, rect)
                composite.feed((scene.day - year.start).days, look)
        made = composite.result(source.bands, GRID.geobox(rect))
        valid = made.clear_looks >= 1
        image = Raster(source.bands, made.pixels, valid, GRID.geobox(rect))
        read = partial(cut, image=image, rect=rect)
        layers += [scores.values[0] for _, scores in scan(read, scorer, GRID, [rect])]
    return np.stack(layers)


def cut(wanted: Rect, *, image: Raster, rect: Rect) -> Raster:
    part = wanted & rect
    pixels = np.full((len(image.bands), *wanted.shape), -32768, np.int16)
    valid = np.zeros(wanted.shape, bool)
    if not part.empty:
        here, there = part.within(wanted), part.within(rect)
        pixels[(slice(None), *here)] = image.pixels[(slice(None), *there)]
        valid[here] = image.valid[there]
    return Raster(image.bands, pixels, valid, GRID.geobox(wanted))


# --- calibration, on other countries


def calibration(countries: Iterable[Country]) -> tuple[NDArray[np.uint16], float]:
    """A table from score to probability x 10,000, and the share of mined ground."""
    seen, mined = np.zeros(SCALE + 1), np.zeros(SCALE + 1)
    for one in countries:
        looked = one.scores != NOT_LOOKED
        seen += np.bincount(one.scores[looked], minlength=SCALE + 1)
        mined += np.bincount(one.scores[looked & one.mined], minlength=SCALE + 1)
    table = np.full(NOT_LOOKED + 1, NOT_LOOKED, np.uint16)
    table[: SCALE + 1] = np.rint(isotonic(mined, seen) * SCALE)
    return table, float(mined.sum() / seen.sum())


def isotonic(hits: NDArray[np.float64], tries: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares that never fall, by pooling adjacent violators."""
    pools: list[list[float]] = []
    for hit, tried in zip(hits, tries, strict=True):
        pools.append([hit, max(tried, 1e-9), 1])
        while len(pools) > 1 and pools[-2][0] * pools[-1][1] >= pools[-1][0] * pools[-2][1]:
            last = pools.pop()
            pools[-1] = [a + b for a, b in zip(pools[-1], last, strict=True)]
    return np.repeat([hit / tried for hit, tried, _ in pools], [int(n) for *_, n in pools])


# --- rules: calibrated scores (years, h, w) to masks


def per_period(scores: NDArray[np.uint16], threshold: float) -> Masks:
    return (scores >= threshold * SCALE) & (scores != NOT_LOOKED)


def union(scores: NDArray[np.uint16], threshold: float) -> Masks:
    return np.logical_or.accumulate(sieved(per_period(scores, threshold)), axis=0)


def majority(scores: NDArray[np.uint16], threshold: float) -> Masks:
    """More than half of the looks of a year, the one before and the one after."""
    looked, mined = scores != NOT_LOOKED, per_period(scores, threshold)
    votes, voters = (
        sum(np.pad(m.astype(int), ((1, 1), (0, 0), (0, 0)))[k : k + len(m)] for k in range(3))
        for m in (mined, looked)
    )
    return (2 * votes > voters) & (voters > 0)


def neighbour(scores: NDArray[np.uint16], threshold: float) -> Masks:
    """The rule on outlines; a year in which nobody looked is passed over, to its advantage."""
    masks = sieved(per_period(scores, threshold))
    rect = Rect(0, 0, *masks.shape[1:])
    found = {}
    for year, mask in zip(YEARS, masks, strict=True):
        layer = np.where(mask, np.uint16(SCALE), np.uint16(0))
        found[year] = outlines([rect], lambda r, x=layer: (x, x), GRID, OutlineRules(), "mined")
    blind = [y for y, s in zip(YEARS, scores, strict=True) if (s != NOT_LOOKED).mean() < 0.05]
    kept = confirmed_by_neighbours(found, blind=blind)
    return np.stack([burnt(kept[year].geometry, rect) for year in YEARS])


def burnt(geometry: NDArray[np.object_], rect: Rect) -> Masks:
    if not len(geometry):
        return np.zeros(rect.shape, bool)
    return rasterize(geometry, rect.shape, transform=GRID.affine(rect), dtype=np.uint8) > 0


def decoded(
    scores: NDArray[np.uint16], settings: tuple[float, float, float, float], prior: float
) -> Masks:
    weight, residue, begin_years, active_years = settings
    course = Course(
        active_share=prior, abandoned_share=0.002, begin_years=begin_years,
        active_years=active_years,
    )  # fmt: skip
    evidence = Calibrated(scored_prior=prior, weight=weight, residue=residue)
    found = decode(scores, YEARS, course=course, evidence=evidence, threads=1)
    return per_period(found.active, 0.5)


def sieved(masks: Masks) -> Masks:
    return np.stack([sieve(mask.astype(np.uint8), SIEVE_PX, connectivity=4) > 0 for mask in masks])


# --- judging


def judge(mapped: Masks, mined: Masks) -> Errors:
    mapped = sieved(mapped)
    area = (mapped.sum(axis=(1, 2)) - mined.sum(axis=(1, 2), dtype=float)) * HA_A_PIXEL
    wrong = (mapped ^ mined).sum(axis=(1, 2)) * HA_A_PIXEL
    late = np.abs(first_year(mapped) - first_year(mined)).sum() / mined.any(axis=0).sum()
    return Errors(float(np.abs(area).mean()), float(wrong.mean()), float(late))


def first_year(masks: Masks) -> NDArray[np.intp]:
    return np.where(masks.any(axis=0), masks.argmax(axis=0), len(masks))


def cost(errors: Sequence[Errors], countries: Sequence[Country]) -> float:
    """What settings are chosen by: both bars, each as a share of the truth."""
    true_ha = np.mean([c.mined.sum() / len(YEARS) * HA_A_PIXEL for c in countries])
    return float(
        np.mean([e.ha for e in errors]) / true_ha
        + np.mean([e.first_years for e in errors]) / len(YEARS)
    )


def tuned(
    rule: Callable[[NDArray[np.uint16], Setting], Masks], settings: Iterable[Setting],
    fit: Sequence[Country], table: NDArray[np.uint16],
) -> Setting:  # fmt: skip
    def of(setting: Setting) -> float:
        return cost([judge(rule(table[c.scores], setting), c.mined) for c in fit], fit)

    return min(settings, key=of)


def main(judged: int = 20, fitted: int = 8, folder: str = "") -> None:
    place = Path(folder) if folder else Path(tempfile.mkdtemp())
    place.mkdir(parents=True, exist_ok=True)
    seeds = [1000 + k for k in range(fitted)] + [2000 + k for k in range(judged)]
    with ProcessPoolExecutor(2) as pool:
        countries = list(pool.map(partial(country, folder=place), seeds))
    fit, test = countries[:fitted], countries[fitted:]
    table, prior = calibration(fit)
    rules: dict[str, Callable[[NDArray[np.uint16]], Masks]] = {}
    rivals = {"per-period threshold": per_period, "cumulative union": union,
              "neighbour rule": neighbour, "three-period majority": majority}  # fmt: skip
    for name, rule in rivals.items():
        best = tuned(rule, THRESHOLDS, fit, table)
        rules[f"{name} (at {best:g})"] = partial(rule, threshold=best)
    grid = list(product((0.3, 0.5, 0.75, 1.0), (0.0, 0.25, 0.5), (50.0, 200.0), (4.0, 10.0)))
    setting = tuned(partial(decoded, prior=prior), grid, fit, table)
    ours = "decoding (weight {:g}, residue {:g}, begin {:g} y, active {:g} y)".format(*setting)
    rules[ours] = partial(decoded, settings=setting, prior=prior)
    errors = {n: [judge(r(table[c.scores]), c.mined) for c in test] for n, r in rules.items()}
    true_ha = np.mean([c.mined.sum() / len(YEARS) * HA_A_PIXEL for c in test])
    blind = np.mean([(c.scores == NOT_LOOKED).mean() for c in test])
    print(f"{judged} countries, {fitted} others to fit; truth {true_ha:.1f} ha a year; "
          f"{blind:.0%} of all pixels and years not looked at")  # fmt: skip
    print(f"{'':62}{'ha error':>10}{'misplaced':>11}{'first year':>12}{'better in':>14}")
    for name, found in errors.items():
        means = [np.mean([getattr(e, key) for e in found]) for key in
                 ("ha", "misplaced_ha", "first_years")]  # fmt: skip
        wins = [
            sum(getattr(a, key) < getattr(b, key) for a, b in zip(errors[ours], found, strict=True))
            for key in ("ha", "first_years")
        ]
        beaten = "" if name == ours else f"{wins[0]}, {wins[1]} of {judged}"
        print(f"{name:62}{means[0]:10.2f}{means[1]:11.2f}{means[2]:12.2f}{beaten:>14}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]), *sys.argv[3:4])
