"""List the chips to train on, with the fold that each is held out with.

    python studies/artisanal-gold/prepare.py

Writes runs/artisanal-gold/chips.csv: a row per chip that carries the figures. Chips that it does
not name, cloudy ones and those of industrial sites, are in no part of the set.
"""

from __future__ import annotations

import csv

import numpy as np
from choices import RUNS, clear, read_chips


def main() -> None:
    chips = read_chips()
    RUNS.mkdir(parents=True, exist_ok=True)
    with (RUNS / "chips.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["name", "fold", "split"])
        for row in np.flatnonzero(clear(chips)):
            table.writerow([f"{row:06d}", chips.fold[row], "train"])


if __name__ == "__main__":
    main()
