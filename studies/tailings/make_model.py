"""Train the small RGB patch network of this study and write it as a model folder.

It is a stand-in for the model that minetrace will ship: fully convolutional with valid padding, so
that a dense scan and single patches give the same number. Trained on the Amazon Mining Watch
gallery of 48 px true-colour chips (Earth Genome, CC BY 4.0), industrial sites left out; seeded.

    python make_model.py CHIPS_FOLDER MODEL_FOLDER [--folds]

Needs torch, scikit-learn and onnx, none of which running the study needs. With ``--folds`` it
first measures ROC AUC on each held-out fold of the gallery.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import nn
from torch.nn import functional as F

WINDOW, STRIDE, CALL_PX = 48, 8, 512
WIDTHS = (24, 48, 64, 96)
EPOCHS, BATCH, SEED = 30, 128, 20261121


class PatchNet(nn.Module):
    """48 px in, one logit out; at any larger size one logit every 8 px."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d = WIDTHS
        self.c1 = nn.Conv2d(3, a, 3)
        self.c2 = nn.Conv2d(a, b, 3)
        self.c3 = nn.Conv2d(b, c, 3)
        self.c4 = nn.Conv2d(c, d, 4)
        self.c5 = nn.Conv2d(d, 1, 1)

    def forward(self, x: torch.Tensor, drop: float = 0.0) -> torch.Tensor:
        for layer in (self.c1, self.c2, self.c3):
            x = F.max_pool2d(F.relu(layer(x)), 2)
        x = F.dropout(F.relu(self.c4(x)), drop, self.training)
        return self.c5(x)


def load(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Chips (n, 3, 48, 48) 0..1, labels, folds, and whether each is clear and not industrial."""
    z = np.load(folder / "chips.npz")
    rows = list(csv.DictReader((folder / "sources.csv").open()))
    fold = np.array([int(r["fold"]) for r in rows])[z["source"]]
    clear = np.array([r["window"].startswith("clear0.75") for r in rows])[z["source"]]
    industrial = np.array([r["source"].startswith("industrial") for r in rows])[z["source"]]
    chips = z["chips"].transpose(0, 3, 1, 2).astype(np.float32) / 255
    return chips, z["label"].astype(np.float32), fold, clear & ~industrial


def augment(x: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Flips, quarter turns, haze, gain per band."""
    if torch.rand(1, generator=rng) < 0.5:
        x = x.flip(-1)
    x = x.rot90(int(torch.randint(4, (1,), generator=rng)), (-2, -1))
    n = len(x)
    gain = (
        1
        + 0.15 * torch.randn(n, 1, 1, 1, generator=rng)
        + 0.05 * torch.randn(n, 3, 1, 1, generator=rng)
    )
    haze = 0.08 * torch.rand(n, 1, 1, 1, generator=rng) - 0.06 * torch.rand(
        n, 1, 1, 1, generator=rng
    )
    return (x * gain + haze).clamp(0, 1)


def train(x: np.ndarray, y: np.ndarray, seed: int) -> PatchNet:
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    net = PatchNet()
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=5e-3)
    chips, labels = torch.from_numpy(x), torch.from_numpy(y)
    steps = EPOCHS * (len(chips) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    weight = torch.tensor((len(y) - y.sum()) / y.sum())
    for _ in range(EPOCHS):
        order = torch.randperm(len(chips), generator=rng)
        for i in range(len(chips) // BATCH):
            pick = order[i * BATCH : (i + 1) * BATCH]
            logit = net(augment(chips[pick], rng), 0.3).flatten()
            loss = F.binary_cross_entropy_with_logits(logit, labels[pick], pos_weight=weight.sqrt())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return net.eval()


def scores(net: PatchNet, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        parts = [net(torch.from_numpy(x[i : i + 512])).flatten() for i in range(0, len(x), 512)]
    return torch.cat(parts).sigmoid().numpy()


def to_onnx(net: PatchNet) -> bytes:
    """The network as ONNX: input ``image``, outputs ``logits`` and ``probability``."""
    state = {k: v.numpy() for k, v in net.state_dict().items()}
    nodes, tensors, x = [], [numpy_helper.from_array(v, k) for k, v in state.items()], "image"
    for i in range(1, 6):
        out = f"conv{i}" if i < 5 else "logits"
        nodes.append(helper.make_node("Conv", [x, f"c{i}.weight", f"c{i}.bias"], [out]))
        x = out
        if i < 5:
            nodes.append(helper.make_node("Relu", [x], [f"relu{i}"]))
            x = f"relu{i}"
        if i < 4:
            nodes.append(
                helper.make_node("MaxPool", [x], [f"pool{i}"], kernel_shape=[2, 2], strides=[2, 2])
            )
            x = f"pool{i}"
    nodes.append(helper.make_node("Sigmoid", ["logits"], ["probability"]))
    shape = ["n", 1, "gh", "gw"]
    graph = helper.make_graph(
        nodes, "patchnet",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info(o, TensorProto.FLOAT, shape) for o in ("logits", "probability")],
        tensors,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def main() -> None:
    from minetrace.core.model import ModelCard, Scaling
    from minetrace.predict.onnx import write_model

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chips", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--folds", action="store_true")
    given = parser.parse_args()
    x, y, fold, use = load(given.chips)
    metrics: dict[str, float] = {}
    held: list[np.ndarray] = []
    for k in range(5) if given.folds else ():
        test = use & (fold == k)
        p = scores(train(x[use & (fold != k)], y[use & (fold != k)], SEED + k), x[test])
        metrics[f"roc_auc_fold{k}"] = round(float(roc_auc_score(y[test], p)), 4)
        metrics[f"average_precision_fold{k}"] = round(float(average_precision_score(y[test], p)), 4)
        held.append(p[y[test] == 0])
        print(f"fold {k}: {len(p)} chips, AUC {metrics[f'roc_auc_fold{k}']}", flush=True)
    threshold = 0.5
    if held:
        metrics["roc_auc_mean"] = round(
            float(np.mean([metrics[f"roc_auc_fold{k}"] for k in range(5)])), 4
        )
        threshold = round(float(np.quantile(np.concatenate(held), 0.99)), 3)
        print("mean AUC", metrics["roc_auc_mean"], "threshold at 1 % false alarms", threshold)
    net = train(x[use], y[use], SEED)
    card = ModelCard(
        name="amazon-rgb-stand-in", bands=("red", "green", "blue"), window=WINDOW, stride=STRIDE,
        call_px=CALL_PX, output="patch", extent="footprint", threshold=min(max(threshold, 0.05), 0.95),
        scaling={b: Scaling(1 / 0.3, 0.0, (0.0, 0.3)) for b in ("red", "green", "blue")},
        fill=(0.06, 0.07, 0.06), level="toa", resolution_m=10.0, licence="CC-BY-4.0",
        description="A small stand-in for the model to come. Finds scars of artisanal gold mining in "
        "the humid tropics; industrial pits are not what it learnt.",
        data=({"source": "Amazon Mining Watch training gallery, Earth Genome", "licence": "CC-BY-4.0"},),
        metrics=metrics,
    )  # fmt: skip
    write_model(given.model, to_onnx(net), card)


if __name__ == "__main__":
    main()
