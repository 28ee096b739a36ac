"""Train the networks: one per held-out fold and one that holds nothing out, for every member.

    python studies/artisanal-gold/train.py [--jobs 2] [--only FOLD ...] [--members 0 1]

Each network takes one thread. What is trained is kept in runs/artisanal-gold; the same command
goes on with what is missing. Then run evaluate.py.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from choices import FINAL, FOLDS, MEMBERS, RECIPE, RUNS, read_chips, seed_of, training

from minetrace.models.calibration import Calibration
from minetrace.models.parity import check_parity
from minetrace.models.plain_net import to_onnx
from minetrace.models.weights import write_weights


def weights_path(fold: int, member: int) -> Path:
    name = "final" if fold == FINAL else f"fold{fold}"
    return RUNS / f"{name}-member{member}.npz"


def train_one(fold: int, member: int) -> tuple[str, float, float]:
    """Train one network and keep it; its name, wall and CPU seconds."""
    import torch

    from minetrace.models.fit import fit
    from minetrace.models.patch_net import logits_of

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    path = weights_path(fold, member)
    chips = read_chips()
    rows, weight = training(chips, fold)
    wall, cpu = time.monotonic(), time.process_time()

    def report(step: int, loss: float) -> None:
        if (step + 1) % 100 == 0:
            spent = time.monotonic() - wall
            print(f"{path.stem}: step {step + 1} of {RECIPE.steps}, loss {loss:.3f}, {spent:.0f} s",
                  flush=True)  # fmt: skip

    net = fit(chips.pixels[rows], chips.label[rows], weight, RECIPE,
              seed=seed_of(fold, member), on_step=report)  # fmt: skip
    sample = (chips.pixels[:: len(chips.pixels) // 200] / np.float32(255)).astype(np.float32)
    said = Calibration(1.0, 0.0).probability(logits_of(net, sample))
    apart = check_parity(to_onnx([net.plain()]), sample, said)
    print(f"{path.stem}: exported, within {apart:.1e} of the trained network", flush=True)
    write_weights(path, net.plain())
    spent = time.monotonic() - wall, time.process_time() - cpu
    path.with_suffix(".json").write_text(json.dumps({"wall_s": spent[0], "cpu_s": spent[1]}))
    return path.stem, *spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2, help="networks at once, a thread each")
    parser.add_argument("--only", type=int, nargs="*", default=[*FOLDS, FINAL])
    parser.add_argument("--members", type=int, nargs="*", default=MEMBERS)
    given = parser.parse_args()
    RUNS.mkdir(parents=True, exist_ok=True)
    todo = [(fold, member) for member in given.members for fold in given.only
            if not weights_path(fold, member).exists()]  # fmt: skip
    with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(train_one, *job) for job in todo]):
            name, wall, cpu = done.result()
            print(f"{name}: done in {wall:.0f} s, {cpu:.0f} s of CPU", flush=True)


if __name__ == "__main__":
    main()
