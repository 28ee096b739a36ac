"""Time and memory of decoding 2048 x 2048 pixels through ten periods, a quarter not looked at.

Run: python benchmarks/decode.py [side] [periods]
Bar: under 3 s on two cores; memory above input and answer that does not grow with the raster.
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np

from minetrace.core.period import Period
from minetrace.core.scores import NOT_LOOKED
from minetrace.temporal.decode import decode
from minetrace.temporal.evidence import Calibrated


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(side: int = 2048, count: int = 10) -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 10_001, (count, side, side), dtype=np.uint16)
    for layer in scores:
        layer[rng.random(layer.shape, dtype=np.float32) < 0.25] = NOT_LOOKED
    periods = [Period.year(2010 + k) for k in range(count)]
    for threads in (1, 2):
        before, wall, cpu = peak_mb(), time.perf_counter(), time.process_time()
        found = decode(scores, periods, evidence=Calibrated(), threads=threads)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        answer = sum(a.nbytes for a in (found.active, found.first, found.last, found.state)) / 1e6
        print(
            f"{threads} threads: {wall:.2f} s wall, {cpu:.2f} s of processor; "
            f"answer {answer:.0f} MB, peak grew by {max(0, peak_mb() - before):.0f} MB"
        )
        del found


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
