"""Divide patches by their place, so that no place is both learnt from and tested, in any year.

    python places.py SmallMinesDS

Squares of several patches stay together. Written are ``places.csv`` (both years),
``transfer.csv`` (learn from 2016, test in 2022 where nothing was learnt) and ``few.csv`` (the same
test, and a few patches of 2022 to learn from).
"""

from __future__ import annotations

import sys
from pathlib import Path

import rasterio

SQUARE_M = 1280.0  # 10 km on the published set
PARTS = ("train", "train", "test", "train", "val")
FEW = 40


def part(path: Path) -> str:
    """Of the square in which a patch lies; the same in every year."""
    with rasterio.open(path) as image:
        column, row = (int(v // SQUARE_M) for v in (image.bounds.left, image.bounds.top))
    return PARTS[(column + 2 * row) % len(PARTS)]


def write(path: str, rows: list[tuple[str, str]]) -> None:
    lines = ["name,split", *(f"{name},{split}" for name, split in rows)]
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
    counts = {name: sum(split == name for _, split in rows) for name in ("train", "val", "test")}
    print(f"{path}: {counts}")


def main(root: Path) -> None:
    images = sorted(root.glob("*/IMAGE/*.tif"))
    told = {path: part(path) for path in images}
    first, last = min(p.parts[-3] for p in images), max(p.parts[-3] for p in images)
    write("places.csv", [(path.stem, split) for path, split in told.items()])
    tested = [(p.stem, s) for p, s in told.items() if s == "test" and p.parts[-3] == last]
    learnt = [(p.stem, s) for p, s in told.items() if s != "test" and p.parts[-3] == first]
    write("transfer.csv", learnt + tested)
    recent = [(p.stem, s) for p, s in told.items() if s != "test" and p.parts[-3] == last]
    few = [row for name in ("train", "val") for row in
           [one for one in recent if one[1] == name][:: max(1, len(recent) // (2 * FEW))][:FEW]]  # fmt: skip
    write("few.csv", few + tested)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
