"""How often an interval holds the truth: 1,000 points in three strata, rare mines.

    python benchmarks/coverage.py [--draws 2000] [--world FOLDER]

Each row is a country: how much of it is mined, how much of that lies in the rest, where the map
shows nothing, and how the points are divided. Samples are drawn and estimated by the code that
`minetrace estimate` runs. *held* is the share of intervals that hold the truth (nominal 95 %),
*usual* that of the estimate plus and minus 1.96 standard errors, *width* the mean width in units of
the truth, *warned* the share of samples of which the page says that the design cannot carry them.

With --world the last part draws 100 samples from a run over a made-up country.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from minetrace.assess.intervals import mover_sum, wald
from minetrace.assess.stratified import Drawn, Strata, mean
from minetrace.assess.warnings import after

NOMINAL, ALLOWED = 0.95, 0.015
DIVISIONS = {
    "many in mine": (200, 300, 500),
    "rare": (150, 150, 700),
    "most in rest": (50, 50, 900),
}
PIXELS = 10_000_000


def countries() -> Iterator[tuple[float, float, tuple[float, ...], tuple[float, ...]]]:
    """Share mined, share of that in the rest, and of mine, uncertain, rest: ground, share mined."""
    for mined in (0.01, 0.001):
        for hidden in (0.0, 0.05, 0.2, 0.4):
            ground = (mined, 10 * mined, 1 - 11 * mined)
            found = 0.75 if hidden < 0.3 else 0.5
            unsure = (mined * (1 - hidden) - ground[0] * found) / ground[1]
            yield mined, hidden, ground, (found, unsure, mined * hidden / ground[2])


def coverage(
    ground: tuple[float, ...], share: tuple[float, ...], points: tuple[int, ...], draws: int
) -> tuple[float, float, float, float]:
    """held, usual, width and warned."""
    rng = np.random.default_rng(20)
    units = np.round(np.array(ground) * PIXELS)
    strata = Strata.of(("mine", "uncertain", "rest"), ground, units)
    stratum = np.repeat(np.arange(3), points)
    drawn, truth = Drawn(strata, stratum), float(np.dot(ground, share))
    held = usual = warned = 0
    width = 0.0
    for _ in range(draws):
        finds = rng.binomial(points, share)
        y = np.concatenate([np.arange(n) < k for n, k in zip(points, finds, strict=True)]).astype(
            np.float64
        )
        low, high = mover_sum(drawn, y)
        left, right = wald(*mean(drawn, y))
        held += low <= truth <= high
        usual += left <= truth <= right
        width += (high - low) / truth
        warned += any(True for _ in after(drawn, y))
    return held / draws, usual / draws, width / draws, warned / draws


def world_samples(folder: Path, seeds: int = 100) -> str:
    """Samples of a run over a made-up country, files and all."""
    import shutil

    from minetrace.flow.estimates import estimate
    from minetrace.flow.sample_design import SampleRequest
    from minetrace.flow.sampling import draw
    from minetrace.flow.steps import run
    from minetrace.flow.study import Study
    from minetrace.testing.interpreter import answer
    from minetrace.testing.world import find_or_make_world, world_study

    world = find_or_make_world(folder, seed=7, size_px=384)
    out = run(
        Study.of({**world_study(world, name="coverage"), "periods": [2021]}), folder / "run"
    ).out
    whole = folder / "whole"
    if not whole.exists():
        every = SampleRequest(("2021",), 20_000, allocation="proportional", seed=999)
        draw(out, every, whole)
    answer(whole, world)
    truth = estimate(whole, draws=10, write=False).facts["periods"][0]["estimated_ha"]
    values, told, nearer, held = [], [], [], 0
    for seed in range(seeds):
        sample = draw(out, SampleRequest(("2021",), 500, seed=seed), folder / "sample").folder
        answer(sample, world)
        row = estimate(sample, draws=10, write=False).facts["periods"][0]
        found = row["estimated_ha"]
        values.append(found["value"])
        told.append(found["standard_error"])
        nearer.append(row["spread_standard_error_ha"])
        held += found["low"] <= truth["value"] <= found["high"]
        shutil.rmtree(sample)
    return (
        f"{seeds} samples of 500 points: truth {truth['value']:.2f} ha (20,000 points, standard "
        f"error {truth['standard_error']:.2f}), mean {np.mean(values):.2f}, spread "
        f"{np.std(values, ddof=1):.2f}, told {np.sqrt(np.mean(np.square(told))):.2f}, by "
        f"neighbours {np.sqrt(np.mean(np.square(nearer))):.2f}, held {held / seeds:.0%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--world", type=Path)
    asked = parser.parse_args()
    print("mined  in rest  points              held   usual  width  warned")
    within = below = rows = 0
    for mined, hidden, ground, share in countries():
        for name, points in DIVISIONS.items():
            held, usual, width, warned = coverage(ground, share, points, asked.draws)
            mark = "" if abs(held - NOMINAL) <= ALLOWED else " wide" if held > NOMINAL else " SHORT"
            print(f"{mined:5.1%}  {hidden:7.0%}  {name:12} {points[2]:>4} {held:8.1%} {usual:7.1%}"
                  f"  {width:5.2f}  {warned:6.0%}{mark}", flush=True)  # fmt: skip
            rows, within, below = rows + 1, within + (mark == ""), below + (mark == " SHORT")
    print(f"{within} of {rows} within 1.5 points of 95 %, {below} short, the others wide")
    if asked.world:
        print(world_samples(asked.world))


if __name__ == "__main__":
    main()
