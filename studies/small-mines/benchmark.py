"""Train and test recipes one after the other, and print one table with intervals and costs.

    python benchmark.py recipes/unet-13.yaml ... recipes/few.yaml@Elsewhere

Each recipe is given to ``minetrace train`` and its model to ``minetrace evaluate``, with the list
that the recipe itself names. ``RECIPE@SET`` trains nothing: the model of a recipe before it is
tested on all patches of another set. Seconds are those that processors worked, so that a busy
machine does not count; memory is the most that the training, or the test alone, ever held.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import yaml

BLOCK_KM = "1.28"
FIGURES = ("IoU", "F1", "precision", "recall", "ROC AUC")
HEAD = ("recipe", "tested on", "bands", *FIGURES, "training s", "test s", "MB")


class Cost(NamedTuple):
    """Of one command: seconds of processors, and its largest memory in MB."""

    seconds: float
    megabytes: float


def main(asked: list[str]) -> None:
    rows = [line(recipe, elsewhere) for recipe, _, elsewhere in (a.partition("@") for a in asked)]
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def line(recipe: str, elsewhere: str) -> tuple[str, ...]:
    """Train unless the test is elsewhere, test, and say what came of it."""
    study = yaml.safe_load(Path(recipe).read_text(encoding="utf-8"))
    name, out = study["name"], Path("runs") / study["name"]
    learning = None if elsewhere else given("train", recipe, "--out", out, "--quiet")
    home = Path(recipe).parent / study["data"]["path"]
    lists = [Path(recipe).parent / one for one in study["data"]["split"]["lists"]]
    tested = (elsewhere, "--split", "all", "--trained-on", home) if elsewhere else (home, *lists)
    page = Path("evaluations") / (f"{name}-{elsewhere}" if elsewhere else name)
    testing = given("evaluate", out / "model", *tested, "--block-km", BLOCK_KM, "--disturb", 0,
                    "--out", page, "--quiet")  # fmt: skip
    card = json.loads((out / "model/model.json").read_text(encoding="utf-8"))
    told = json.loads((page / "evaluation.json").read_text(encoding="utf-8"))
    figures = told["figures"]["pixels"]["figures"]
    return (name, elsewhere or lists[0].name, str(len(bands_of(card))),
            *(said(figures[one]) for one in FIGURES),
            f"{learning.seconds:.0f}" if learning else "", f"{testing.seconds:.0f}",
            f"{(learning or testing).megabytes:.0f}")  # fmt: skip


def given(*words: object) -> Cost:
    """Give a command of minetrace, and say what it cost."""
    process = subprocess.Popen([sys.executable, "-m", "minetrace", *map(str, words)])
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(
            f"exit code {process.returncode} of: minetrace {' '.join(map(str, words))}"
        )
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def bands_of(card: dict[str, Any]) -> list[Any]:
    return list(card["properties"]["mlm:input"][0]["bands"])


def said(figure: dict[str, float | None]) -> str:
    """A figure with its interval."""
    if figure["value"] is None:
        return "none"
    low, high = (f"{v:.2f}" if v is not None else "?" for v in (figure["low"], figure["high"]))
    return f"{figure['value']:.2f} [{low}, {high}]"


if __name__ == "__main__":
    main(sys.argv[1:])
