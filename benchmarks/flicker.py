"""Which rule through time tells the truth best? Made-up countries, where the truth is known.

Six years under clouds, one of them blind. The scorer is ``spectral``. What its scores say is
learned on other countries than those that are judged: a curve for the rules that take a threshold
of probability, and for decoding the evidence of mines and lookalikes. On those other countries
every rule, decoding included, also gets its best settings. All masks are sieved alike.

Run: python benchmarks/flicker.py [countries to judge] [countries to fit] [folder for scores]
Prints a table of means over countries, and how often decoding is better, country by country.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
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
from minetrace.core.region import project
from minetrace.core.scores import NOT_LOOKED, SCALE
from minetrace.flow.imagery import open_source
from minetrace.flow.plan import read_study_region
from minetrace.flow.study import Study
from minetrace.panel.rules.neighbour import confirmed_by_neighbours
from minetrace.predict.scan import scan
from minetrace.predict.spectral import Spectral
from minetrace.store.run_folder import RunFolder
from minetrace.temporal.course import Course
from minetrace.temporal.curve import fit_curve
from minetrace.temporal.decode import decode
from minetrace.temporal.learned import Learned, learn
from minetrace.testing.world import World, make_world, world_study
from minetrace.vectors.outlines import OutlineRules, outlines

SIZE_PX, DATES, SIEVE_PX = 256, 4, 6
YEARS = [Period.year(year) for year in range(2019, 2025)]
GRID = Grid("EPSG:32719", 10.0)
HA_A_PIXEL = 0.01
THRESHOLDS = (0.3, 0.4, 0.43, 0.45)  # the scorer's curve ends below 0.5
OURS = "decoding"
DECODED = {"weight": (0.7, 1.0), "residue": (0.05,), "begin_years": (200.0,),
           "active_years": (8.0, 16.0), "threshold": (0.5, 0.6)}  # fmt: skip
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


def calibration(countries: Sequence[Country]) -> NDArray[np.uint16]:
    """A table from score to probability x 10,000."""
    scores, mined = (np.concatenate([getattr(one, key) for one in countries], axis=1)
                     for key in ("scores", "mined"))  # fmt: skip
    table = np.rint(fit_curve(scores, mined).table() * SCALE).astype(np.uint16)
    table[NOT_LOOKED] = NOT_LOOKED
    return table


def evidence(countries: Sequence[Country]) -> Learned:
    """What scores say of mines and of what only looks so."""
    scores, mined = (np.concatenate([getattr(one, key) for one in countries], axis=1)
                     for key in ("scores", "mined"))  # fmt: skip
    return learn(scores, mined)


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
    """The rule on outlines; a year is passed over where nobody looked, to its advantage."""
    masks = sieved(per_period(scores, threshold))
    rect = Rect(0, 0, *masks.shape[1:])
    found = {}
    for year, mask in zip(YEARS, masks, strict=True):
        layer = np.where(mask, np.uint16(SCALE), np.uint16(0))
        found[year] = outlines([rect], lambda r, x=layer: (x, x), GRID, OutlineRules(), "mined")
    kept = confirmed_by_neighbours(found, looked=partial(looked_shares, scores))
    return np.stack([burnt(kept[year].geometry, rect) for year in YEARS])


def looked_shares(
    scores: NDArray[np.uint16], year: Period, shapes: NDArray[np.object_]
) -> NDArray[np.float64]:
    """Share of each outline (EPSG:4326; they share no ground) that was looked at in a year."""
    layer = scores[YEARS.index(year)]
    ground = GRID.affine(Rect(0, 0, *layer.shape))
    numbered = zip(project(shapes, "EPSG:4326", GRID.crs), range(1, len(shapes) + 1), strict=True)
    owner = rasterize(numbered, layer.shape, transform=ground, dtype=np.int32).ravel()
    cells = np.bincount(owner, minlength=len(shapes) + 1)[1:]
    seen = np.bincount(owner, (layer != NOT_LOOKED).ravel(), len(shapes) + 1)[1:]
    return np.asarray(seen / np.maximum(cells, 1), dtype=np.float64)


def burnt(geometry: NDArray[np.object_], rect: Rect) -> Masks:
    if not len(geometry):
        return np.zeros(rect.shape, bool)
    return rasterize(geometry, rect.shape, transform=GRID.affine(rect), dtype=np.uint8) > 0


def decoded(
    scores: NDArray[np.uint16], settings: tuple[float, float, float, float, float], *,
    learned: Learned,
) -> Masks:  # fmt: skip
    weight, residue, begin_years, active_years, threshold = settings
    course = Course(
        active_share=learned.active_share, abandoned_share=0.002,
        lookalike_share=learned.lookalike_share, begin_years=begin_years,
        active_years=active_years, idle_years=100.0,
    )  # fmt: skip
    said = replace(learned, weight=weight, residue=residue)
    found = decode(scores, YEARS, course=course, evidence=said, threads=1)
    return per_period(found.active, threshold)


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
    fit: Sequence[Country],
) -> Setting:  # fmt: skip
    def of(setting: Setting) -> float:
        return cost([judge(rule(c.scores, setting), c.mined) for c in fit], fit)

    return min(settings, key=of)


def main(judged: int = 20, fitted: int = 8, folder: str = "") -> None:
    place = Path(folder) if folder else Path(tempfile.mkdtemp())
    place.mkdir(parents=True, exist_ok=True)
    seeds = [1000 + k for k in range(fitted)] + [2000 + k for k in range(judged)]
    with ProcessPoolExecutor(2) as pool:
        countries = list(pool.map(partial(country, folder=place), seeds))
    fit, test = countries[:fitted], countries[fitted:]
    table, learned = calibration(fit), evidence(fit)
    rivals = {"per-period threshold": per_period, "cumulative union": union,
              "neighbour rule": neighbour, "three-period majority": majority}  # fmt: skip
    with ProcessPoolExecutor(len(rivals) + 1) as pool:
        ask = partial(pool.submit, tuned_and_judged, fit=fit, test=test)
        asked = {
            name: ask(partial(_calibrated, rule=rule, table=table), [(t,) for t in THRESHOLDS])
            for name, rule in rivals.items()
        }
        asked[OURS] = ask(partial(decoded, learned=learned), list(product(*DECODED.values())))
        answers = {name: future.result() for name, future in asked.items()}
    errors = {f"{name} at {tuple(best)}": found for name, (best, found) in answers.items()}
    ours = next(name for name in errors if name.startswith(OURS))
    true_ha = np.mean([c.mined.sum() / len(YEARS) * HA_A_PIXEL for c in test])
    blind = np.mean([(c.scores == NOT_LOOKED).mean() for c in test])
    print(f"{judged} countries, {fitted} others to fit; truth {true_ha:.1f} ha a year; "
          f"{blind:.0%} of all pixels and years not looked at; lookalikes learned: "
          f"{learned.lookalike_share:.1%} of the ground")  # fmt: skip
    print(f"{'':70}{'ha error':>10}{'misplaced':>11}{'first year':>12}{'better in':>14}")
    for name, found in errors.items():
        means = [np.mean([getattr(e, key) for e in found]) for key in
                 ("ha", "misplaced_ha", "first_years")]  # fmt: skip
        wins = [
            sum(getattr(a, key) < getattr(b, key) for a, b in zip(errors[ours], found, strict=True))
            for key in ("ha", "first_years")
        ]
        beaten = "" if name == ours else f"{wins[0]}, {wins[1]} of {judged}"
        print(f"{name:70}{means[0]:10.2f}{means[1]:11.2f}{means[2]:12.2f}{beaten:>14}")


def tuned_and_judged(
    rule: Callable[[NDArray[np.uint16], Setting], Masks], settings: Sequence[Setting], *,
    fit: Sequence[Country], test: Sequence[Country],
) -> tuple[Setting, list[Errors]]:  # fmt: skip
    """The best settings on some countries, and what they do on the others."""
    best = tuned(rule, settings, fit)
    return best, [judge(rule(c.scores, best), c.mined) for c in test]


def _calibrated(
    scores: NDArray[np.uint16], setting: tuple[float], *,
    rule: Callable[[NDArray[np.uint16], float], Masks], table: NDArray[np.uint16],
) -> Masks:  # fmt: skip
    return rule(table[scores], *setting)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]), *sys.argv[3:4])
