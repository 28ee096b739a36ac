"""Train and test recipes one after the other, and print one table with intervals and costs.

    python benchmark.py recipes/unet-13.yaml recipes/resnet-6.yaml ...

Each recipe is given to ``minetrace train`` and its model to ``minetrace evaluate``, with the list
that the recipe itself names; seconds and the largest memory are those of the training's process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

BLOCK_KM = "1.28"
HEAD = ("recipe", "learns from", "bands", "IoU", "F1", "ROC AUC", "seconds", "memory")


def main(recipes: list[Path]) -> None:
    rows = [line(recipe) for recipe in recipes]
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def line(recipe: Path) -> tuple[str, ...]:
    """Train, evaluate, and say what came of it."""
    asked = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    name, out = asked["name"], Path("runs") / asked["name"]
    seconds, megabytes = given("train", recipe, "--out", out, "--quiet")
    data = recipe.parent / asked["data"]["path"]
    lists = [recipe.parent / one for one in asked["data"]["split"]["lists"]]
    bands = json.loads((out / "model/model.json").read_text(encoding="utf-8"))
    page = Path("evaluations") / name
    given("evaluate", out / "model", data, *lists, "--block-km", BLOCK_KM, "--disturb", 0,
          "--out", page, "--quiet")  # fmt: skip
    told = json.loads((page / "evaluation.json").read_text(encoding="utf-8"))
    figures = told["figures"]["pixels"]["figures"]
    return (name, lists[0].name, str(len(bands_of(bands))), *(said(figures[f]) for f in HEAD[3:6]),
            f"{seconds:.0f}", f"{megabytes:.0f} MB")  # fmt: skip


def given(*words: object) -> tuple[float, float]:
    """Give a command; its seconds and its largest memory in MB."""
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "minetrace", *map(str, words)])
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(
            f"exit code {process.returncode} of: minetrace {' '.join(map(str, words))}"
        )
    return time.monotonic() - began, used.ru_maxrss / 1024


def bands_of(card: dict[str, Any]) -> list[Any]:
    return list(card["properties"]["mlm:input"][0]["bands"])


def said(figure: dict[str, float | None]) -> str:
    """A figure with its interval."""
    if figure["value"] is None:
        return "none"
    low, high = (f"{v:.2f}" if v is not None else "?" for v in (figure["low"], figure["high"]))
    return f"{figure['value']:.2f} [{low}, {high}]"


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
