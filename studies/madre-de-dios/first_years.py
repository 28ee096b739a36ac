"""In which year ground was first cleared along two streams, from 29 yearly maps of vegetation.

    python studies/madre-de-dios/first_years.py [DATA_FOLDER] [OUT_FOLDER]

The maps hold the share of green vegetation under each pixel, 1990 to 2018. What lasts without it is
taken for cleared: for mines, camps and roads alike, since vegetation cannot tell them apart. Clouds
take vegetation away as well, for one year; rivers have none in any year. The curve below was chosen
by eye from two years, not fitted to a truth, so the years are an example and not a measurement.

Prints how much each rule says was first cleared in each year, and writes ``first_years.tif`` and
``first_years.png``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import rasterio
from numpy.typing import NDArray

from minetrace.core.period import Period
from minetrace.core.scores import NOT_LOOKED, encode
from minetrace.temporal.course import LOOKALIKE, Course
from minetrace.temporal.curve import Curve
from minetrace.temporal.decode import Decoded, decode
from minetrace.temporal.evidence import Calibrated
from minetrace.temporal.repeats import repeats

PIXEL_HA = 0.09
CLEARED = 0.25  # share of ground without vegetation from which a single map says cleared
CLOUDY = (1990, 1992, 1995, 2002, 2009, 2013)

# Of forest in 1993, 99 % of pixels keep at least 83 of 100; clearings in 2018 fall below 70.
BARE = Curve(
    ((0.10, 0.002), (0.15, 0.02), (0.20, 0.15), (0.25, 0.4), (0.35, 0.75), (0.60, 0.9)), prior=0.05
)
COURSE = Course(
    active_share=0.002, abandoned_share=0.001, lookalike_share=0.02,
    begin_years=150.0, active_years=15.0, idle_years=20.0,
)  # fmt: skip
EVIDENCE = Calibrated(curve=BARE, slip=0.02, residue=0.2, guise=0.6)


def read(folder: Path) -> tuple[list[Period], NDArray[np.uint16], dict[str, Any]]:
    """Share of each pixel without vegetation, x 10,000; not looked at where the map has no data."""
    periods, layers, profile = [], [], {}
    for path in sorted(folder.glob("*_PV_*.tif")):
        with rasterio.open(path) as source:
            green, profile = source.read(1, masked=True), dict(source.profile)
        bare = 1 - np.clip(green.filled(0).astype(np.float64), 0, 100) / 100
        layers.append(encode(bare, ~np.ma.getmaskarray(green)))
        periods.append(Period.year(int(path.name[:4])))
    return periods, np.stack(layers), profile


def without_repeats(scores: NDArray[np.uint16], periods: Sequence[Period]) -> NDArray[np.uint16]:
    """A map that was filed again under another year is no second look."""
    looks = scores.copy()
    for first, again in repeats(list(scores), periods):
        print(f"{again.label} repeats {first.label} to the last pixel: taken as not looked at")
        looks[list(periods).index(again)] = NOT_LOOKED
    return looks


def first_seen(scores: NDArray[np.uint16]) -> NDArray[np.int64]:
    """The first year in which a single map says cleared, by place; -1 for never."""
    cleared = (scores >= CLEARED * 10_000) & (scores != NOT_LOOKED)
    return np.where(cleared.any(axis=0), cleared.argmax(axis=0), -1)


def first_decoded(found: Decoded) -> NDArray[np.int64]:
    """The median of the first year's distribution, where it was more likely cleared than not."""
    ever = np.cumsum(found.first.astype(np.int64), axis=0)
    median = (2 * ever >= ever[-1]).argmax(axis=0)
    return np.where(ever[-1] >= 5_000, median, -1)


def report(
    periods: Sequence[Period], scores: NDArray[np.uint16], rules: dict[str, NDArray[np.int64]]
) -> None:
    print(
        f"{'year':6}{'looked':>8}"
        + "".join(f"{name:>18}" for name in rules)
        + "   ha first cleared"
    )
    for number, period in enumerate(periods):
        looked = (scores[number] != NOT_LOOKED).mean()
        hectares = [f"{(years == number).sum() * PIXEL_HA:18.1f}" for years in rules.values()]
        cloudy = "   cloudy" if period.start.year in CLOUDY else ""
        print(f"{period.label:6}{looked:8.0%}" + "".join(hectares) + cloudy)
    total = [f"{(years >= 0).sum() * PIXEL_HA:18.1f}" for years in rules.values()]
    print(f"{'all':14}" + "".join(total))


def draw(
    periods: Sequence[Period], rules: dict[str, NDArray[np.int64]], lookalike: NDArray[np.bool_],
    path: Path,
) -> None:  # fmt: skip
    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.patches import Patch

    years = [period.start.year for period in periods]
    colours = mpl.colormaps["turbo"].resampled(len(years))
    figure, axes = plt.subplots(
        1, len(rules), figsize=(6.2 * len(rules) + 1, 6.4), layout="constrained"
    )
    for axis, (name, first) in zip(axes, rules.items(), strict=True):
        axis.set_facecolor("0.93")
        if name == "decoded":
            axis.imshow(np.ma.masked_equal(lookalike, False), cmap="Greys", vmin=0, vmax=2)
        shown = axis.imshow(
            np.ma.masked_equal(first, -1) + years[0], cmap=colours,
            vmin=years[0] - 0.5, vmax=years[-1] + 0.5, interpolation="nearest",
        )  # fmt: skip
        axis.set_title(name)
        axis.set_xticks([])
        axis.set_yticks([])
        axis.plot([250, 250 + 100], [530, 530], color="black", lw=3)
        axis.text(300, 524, "3 km", ha="center", bbox={"fc": "white", "ec": "none", "pad": 1})
    grey = Patch(color=mpl.colormaps["Greys"](0.5), label="without vegetation, but never cleared")
    axes[-1].legend(handles=[grey], loc="lower right", fontsize=8)
    figure.colorbar(shown, ax=axes, label="first year", ticks=years[::4])
    figure.savefig(path, dpi=110)


def main() -> None:
    data = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ["MINETRACE_DATA"])
    out = Path(sys.argv[2] if len(sys.argv) > 2 else "runs/madre-de-dios")
    out.mkdir(parents=True, exist_ok=True)
    periods, scores, profile = read(data / "madre-de-dios")
    looks = without_repeats(scores, periods)
    found = decode(looks, periods, course=COURSE, evidence=EVIDENCE)
    rules = {"single maps": first_seen(looks), "decoded": first_decoded(found)}
    report(periods, looks, rules)
    lookalike = (found.state == LOOKALIKE).any(axis=0)
    print(f"without vegetation, but never cleared: {lookalike.sum() * PIXEL_HA:.1f} ha")
    draw(periods, rules, lookalike, out / "first_years.png")
    years = np.where(rules["decoded"] >= 0, rules["decoded"] + periods[0].start.year, 0)
    profile.update(dtype="uint16", nodata=0)
    with rasterio.open(out / "first_years.tif", "w", **profile) as target:
        target.write(years.astype(np.uint16), 1)


if __name__ == "__main__":
    main()
