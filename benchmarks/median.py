"""The exact masked median against ``numpy.nanmedian``, equal values, in one run.

    python benchmarks/median.py

Both work on one thread and on the same strips of rows, so that numpy's floating-point copy fits in
memory. At many dates numpy works on part of the rows and its time is scaled up.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
from numpy.typing import NDArray

from minetrace.composites.median import masked_median
from minetrace.core.raster import NODATA

STRIP_ROWS = 64
TARGET = 8.0  # times faster at 12 dates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=2048, help="rows and columns")
    parser.add_argument("--bands", type=int, default=6)
    parser.add_argument("--masked", type=float, default=0.3, help="share of masked looks")
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many counts")
    side, bands, masked, rounds = vars(parser.parse_args()).values()
    print(f"{side} x {side} px x {bands} bands, {masked:.0%} of looks masked, one thread")
    print(f"{'dates':>6} {'nanmedian s':>12} {'network s':>10} {'times':>6}  equal")
    for dates, share in ((4, 1), (12, 1), (40, 4), (200, 32)):
        rows = max(STRIP_ROWS, side // share)
        slow, fast, equal = measure(dates, bands, rows, side, masked, rounds)
        part = "" if share == 1 else f"  (1/{share} of the rows)"
        scale = side / rows
        print(
            f"{dates:6} {slow * scale:12.2f} {fast * scale:10.2f} {slow / fast:6.1f}  {equal}{part}"
        )
        assert equal, "the medians differ"
        if dates == 12:
            assert slow / fast >= TARGET, f"below {TARGET} times"


def measure(
    dates: int, bands: int, rows: int, columns: int, masked: float, rounds: int
) -> tuple[float, float, bool]:
    """Seconds of numpy and of the network over so many rows, and whether they agree."""
    rng = np.random.default_rng(0)
    slow, equal = 0.0, True
    fast = [0.0] * rounds
    for _ in range(0, rows, STRIP_ROWS):
        stack = rng.integers(-300, 9000, (dates, bands, STRIP_ROWS, columns), dtype=np.int16)
        valid = rng.random((dates, STRIP_ROWS, columns)) >= masked
        for number in range(rounds):
            began = time.perf_counter()
            ours = masked_median(stack, valid)
            fast[number] += time.perf_counter() - began
        began = time.perf_counter()
        theirs = by_numpy(stack, valid)
        slow += time.perf_counter() - began
        equal &= bool(np.array_equal(ours, theirs))
    return slow, min(fast), equal


def by_numpy(stack: NDArray[np.int16], valid: NDArray[np.bool_]) -> NDArray[np.int16]:
    """What the network must equal."""
    values = np.where(valid[:, None], stack, np.float32(np.nan))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        middle = np.rint(np.nanmedian(values, axis=0))
    return np.nan_to_num(middle, nan=NODATA).astype(np.int16)


if __name__ == "__main__":
    main()
