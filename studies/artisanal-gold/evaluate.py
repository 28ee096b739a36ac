"""Measure the networks on the folds they did not see, then ship the one that saw all of them.

    python studies/artisanal-gold/evaluate.py

Reads what ``minetrace crossval`` and ``minetrace train`` left in runs/artisanal-gold. Writes figures beside this file and the model
folder with its card into the package; prints the hash that the registry must name.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import baseline
import numpy as np
import onnxruntime as ort
import page
import pictures
import torch
from choices import (
    FILL,
    FINAL,
    FOLDS,
    FULL_SCALE,
    RUNS,
    SEED,
    chips_folder,
    clear,
    cloudy,
    read_chips,
    study,
    training_folder,
)
from gallery import ChipSet, read_chip_set

import published
from minetrace.core.metrics import (
    average_precision,
    interval,
    recall_at,
    reliability,
    resampled,
    roc_auc,
    threshold_at,
)
from minetrace.core.model import ModelCard, Scaling
from minetrace.models.architectures import build
from minetrace.models.calibration import Calibration, calibrate
from minetrace.models.clouds import opacity
from minetrace.models.plain_net import STRIDE, WINDOW, PlainNet, to_onnx
from minetrace.models.registry import SHIPPED
from minetrace.predict.model_file import write_model

HERE = Path(__file__).resolve().parent
NAME, VERSION = "artisanal-gold-rgb", "1.0"
FALSE_ALARMS = 0.01  # of clear chips held out: where the threshold lies
DRAWS = 1000
WELL_CALIBRATED = (0.05, 0.1)  # error over all folds and in the worst, to be called calibrated
THIN_CLOUD = 0.5  # opacity of the thickest synthetic cloud


def state_path(fold: int, member: int) -> Path:
    return training_folder(fold) / f"member{member}" / "state.pt"


def members() -> list[int]:
    """Members that are trained for every fold."""
    asked = range(study().network.members)
    return [m for m in asked if all(state_path(k, m).exists() for k in [*FOLDS, FINAL])]


def plain(fold: int, member: int) -> PlainNet:
    net = build(study().network.network(), 3, 1, WINDOW)
    net.load_state_dict(torch.load(state_path(fold, member), weights_only=True)["best"])
    return net.eval().plain()


def network(fold: int, use: list[int], calibration: Calibration | None = None) -> bytes:
    return to_onnx([plain(fold, m) for m in use], calibration)


def scored(graph: bytes, pixels: np.ndarray, output: str = "logits") -> np.ndarray:
    """(n,) of (n, 3, 48, 48) chips, uint8 or 0..1."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    scale = 255 if pixels.dtype == np.uint8 else 1
    parts = []
    for i in range(0, len(pixels), 256):
        image = (pixels[i : i + 256] / np.float32(scale)).astype(np.float32)
        parts.append(session.run([output], {"image": image})[0].reshape(-1))
    return np.concatenate(parts)


def held_out(chips: ChipSet, pixels: np.ndarray, use: list[int]) -> np.ndarray:
    """Logits (n,) of chips, each by the network that did not train on its fold."""
    found = np.empty(len(pixels), np.float64)
    for fold in FOLDS:
        rows = chips.fold == fold
        found[rows] = scored(network(fold, use), pixels[rows])
    return found


def surface(pixels: np.ndarray) -> np.ndarray:
    """Chips as the surface would look: the air's own light taken off, the rest let through.

    Path reflectance and transmittance of a clear tropical day from 6S look-ups, rounded: red
    0.02 / 0.93, green 0.035 / 0.88, blue 0.065 / 0.82.
    """
    air = np.array([0.02, 0.035, 0.065], np.float32).reshape(1, 3, 1, 1) / FULL_SCALE
    through = np.array([0.93, 0.88, 0.82], np.float32).reshape(1, 3, 1, 1)
    return np.clip((pixels / np.float32(255) - air) / through, 0, 1)


def thinly_clouded(pixels: np.ndarray) -> np.ndarray:
    """Chips under a seeded thin cloud."""
    draw = torch.Generator().manual_seed(SEED)
    seen = torch.from_numpy(pixels).float() / 255
    thick = opacity(len(seen), seen.shape[-2:], draw, thickest=THIN_CLOUD)
    white = 0.6 + 0.5 * torch.rand(len(seen), 1, 1, 1, generator=draw)
    return np.asarray((seen * (1 - thick) + white * thick).clamp(0, 1).numpy())


def by_fold(chips: ChipSet, score: np.ndarray) -> dict[str, object]:
    """Figures per fold and of their mean, with 95 % intervals by chip and by source."""
    rows = [clear(chips) & (chips.fold == fold) for fold in FOLDS]
    out: dict[str, object] = {}
    for name, metric in (("roc_auc", roc_auc), ("average_precision", average_precision)):
        each = [metric(chips.label[r], score[r]) for r in rows]
        alone = [resampled(metric, chips.label[r], score[r], draws=DRAWS, seed=SEED) for r in rows]
        whole = [resampled(metric, chips.label[r], score[r], group=chips.source[r], draws=DRAWS,
                           seed=SEED) for r in rows]  # fmt: skip
        out[name] = {
            "folds": each, "folds_interval": [interval(values) for values in alone],
            "mean": float(np.mean(each)),
            "mean_interval": interval(np.mean(alone, 0)),
            "mean_interval_by_source": interval(np.nanmean(whole, 0)),
        }  # fmt: skip
    for share in (0.01, 0.001):
        out[f"recall_at_{share:g}"] = [recall_at(share, chips.label[r], score[r]) for r in rows]
    return out


def calibration_error(chips: ChipSet, logit: np.ndarray) -> dict[str, object]:
    """Expected calibration error, each fold calibrated on the others."""
    use, said = clear(chips), np.zeros(len(logit))
    each = []
    for fold in FOLDS:
        others, here = use & (chips.fold != fold), use & (chips.fold == fold)
        said[here] = calibrate(chips.label[others], logit[others]).probability(logit[here])
        each.append(reliability(chips.label[here], said[here]).error)
    pooled = reliability(chips.label[use], said[use])
    return {"folds": each, "pooled": pooled.error, "said": pooled.said.tolist(),
            "seen": pooled.seen.tolist(), "count": pooled.count.tolist()}  # fmt: skip


def under_threshold(chips: ChipSet, pixels: np.ndarray, use: list[int], logit: np.ndarray,
                    calibration: Calibration) -> dict[str, object]:  # fmt: skip
    """What the threshold does on clear, cloudy, clouded, surface and industrial chips."""
    plain, mines, grey = clear(chips), chips.label, cloudy(chips)
    threshold = threshold_at(FALSE_ALARMS, mines[plain], logit[plain])
    veiled = held_out(chips, thinly_clouded(pixels), use)
    ground = held_out(chips, surface(pixels), use)
    works = chips.named("industrial") & chips.windowed("clear0.75")
    final = scored(network(FINAL, use), pixels)

    def share(rows: np.ndarray, values: np.ndarray) -> float:
        return float((values[rows] >= threshold).mean())

    folds = [plain & (chips.fold == k) for k in FOLDS]
    return {
        "threshold_logit": threshold,
        "threshold": float(calibration.probability(threshold)),
        "recall_clear": share(plain & mines, logit),
        "recall_clear_folds": [share(r & mines, logit) for r in folds],
        "false_alarms_clear": share(plain & ~mines, logit),
        "false_alarms_clear_folds": [share(r & ~mines, logit) for r in folds],
        "false_alarms_cloudy": share(grey, logit), "cloudy_chips": int(grey.sum()),
        "recall_thin_cloud": share(plain & mines, veiled),
        "false_alarms_thin_cloud": share(plain & ~mines, veiled),
        "recall_surface": share(plain & mines, ground),
        "false_alarms_surface": share(plain & ~mines, ground),
        "roc_auc_surface": [roc_auc(mines[r], ground[r]) for r in folds],
        "roc_auc_thin_cloud": [roc_auc(mines[r], veiled[r]) for r in folds],
        "detected_industrial": share(works, final), "industrial_chips": int(works.sum()),
        "detected_industrial_held_out": share(works, logit),
        "median_probability_industrial": float(np.median(calibration.probability(final[works]))),
        "roc_auc_artisanal_over_industrial": roc_auc(
            np.r_[np.ones((plain & mines).sum()), np.zeros(works.sum())],
            np.r_[logit[plain & mines], logit[works]]),
    }  # fmt: skip


def recipe_spread(chips: ChipSet, pixels: np.ndarray) -> dict[str, list[float]]:
    """ROC AUC per fold of each member alone: what another seed changes."""
    out = {}
    for member in members():
        logit = held_out(chips, pixels, [member])
        out[f"member{member}"] = [
            roc_auc(chips.label[r], logit[r])
            for r in (clear(chips) & (chips.fold == k) for k in FOLDS)
        ]
    return out


def spent(use: list[int]) -> dict[str, float]:
    times = []
    for path in (state_path(k, m).with_name("log.csv") for k in [*FOLDS, FINAL] for m in use):
        with path.open(newline="") as file:
            times.append(float(list(csv.DictReader(file))[-1]["seconds"]))
    return {"network_minutes": sum(times) / 60}


def compared(chips: ChipSet, raw: np.ndarray, logit: np.ndarray) -> dict[str, dict[str, object]]:
    """The same figures for this network, the published one and colours alone."""
    models = chips_folder().parent / "amw-models"
    use = clear(chips)
    colour = np.zeros(len(raw))
    for fold in FOLDS:
        train, test = use & (chips.fold != fold), chips.fold == fold
        colour[test] = baseline.probabilities(raw[train], chips.label[train], raw[test])
    beside = published.probabilities(models, raw)
    found = {"this": by_fold(chips, logit), "published_rgb_v2.6": by_fold(chips, beside),
             "colours_only": by_fold(chips, colour)}  # fmt: skip
    found["published_rgb_v2.6"]["reference_gap"] = published.reference_gap(models)
    return found


def card(figures: dict, threshold: float, calibration_holds: bool) -> ModelCard:
    bands = ("red", "green", "blue")
    return ModelCard(
        name=NAME, bands=bands, window=WINDOW, stride=STRIDE, call_px=512 - 512 % STRIDE,
        output="patch", extent="footprint", threshold=threshold,
        scaling={band: Scaling(1 / FULL_SCALE, 0.0, (0.0, FULL_SCALE)) for band in bands},
        fill=FILL, level="any", resolution_m=10.0, licence="CC-BY-4.0",
        calibrated=calibration_holds,
        description="Finds scars of artisanal gold mining in humid tropical forest, in red, green "
        "and blue at 10 m. Industrial pits and tailings dams are not what it learnt: use another "
        "model for them. Of windows with a mine, on sources that it was not trained on, it finds "
        f"{figures['recall_clear']:.0%} at {figures['false_alarms_clear']:.0%} false alarms. A patch "
        "model: its outlines are footprints.",
        data=({"source": "Amazon Mining Watch training gallery, Earth Genome",
               "licence": "CC-BY-4.0",
               "attribution": "Earth Genome; contains modified Copernicus Sentinel data 2018-2026"},),
        metrics=figures,
    )  # fmt: skip


def rounded(value: object) -> object:
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    return round(float(value), 4) if isinstance(value, (float, np.floating)) else value


def write_table(found: dict[str, dict]) -> None:
    with (HERE / "folds.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["network", "fold", "roc_auc", "low", "high", "average_precision",
                       "recall_at_1_percent", "recall_at_0.1_percent"])  # fmt: skip
        for name, f in found.items():
            for k in FOLDS:
                low, high = f["roc_auc"]["folds_interval"][k]
                values = (f["roc_auc"]["folds"][k], low, high, f["average_precision"]["folds"][k],
                          f["recall_at_0.01"][k], f["recall_at_0.001"][k])  # fmt: skip
                rows.writerow([name, k, *(f"{v:.4f}" for v in values)])


def measure(chips: ChipSet, raw: np.ndarray, logit: np.ndarray, use: list[int]) -> dict:
    """Every figure of the study."""
    plain = clear(chips)
    calibration = calibrate(chips.label[plain], logit[plain])
    return {
        "folds": compared(chips, raw, logit), "calibration": calibration_error(chips, logit),
        "at_threshold": under_threshold(chips, chips.pixels, use, logit, calibration),
        "seeds": recipe_spread(chips, chips.pixels), "training": spent(use),
        "chips_per_fold": [int((plain & (chips.fold == k)).sum()) for k in FOLDS],
        "chips": int(plain.sum()), "mines": int((plain & chips.label).sum()),
        "members": use, "steps": study().fit.steps, "seed": SEED,
    }  # fmt: skip


def for_card(figures: dict) -> dict:
    """The figures that travel with the model."""
    ours = figures["folds"]["this"]
    short = {key: figures[key] for key in ("chips", "mines", "seed", "members")}
    short["measured"] = (
        "by five networks of the same recipe, each on the fold held out from it; the shipped "
        "network saw all folds"
    )
    for metric in ("roc_auc", "average_precision"):
        short |= {f"{metric}_{key}": ours[metric][key] for key in ("folds", "mean")}
    short["roc_auc_mean_interval_by_source"] = ours["roc_auc"]["mean_interval_by_source"]
    for other in ("published_rgb_v2.6", "colours_only"):
        short[f"roc_auc_mean_{other}"] = figures["folds"][other]["roc_auc"]["mean"]
    short["expected_calibration_error"] = figures["calibration"]["pooled"]
    for key in ("recall_clear", "false_alarms_clear", "false_alarms_cloudy", "recall_thin_cloud",
                "recall_surface", "false_alarms_surface", "detected_industrial"):  # fmt: skip
        short[key] = figures["at_threshold"][key]
    return short


def ship(chips: ChipSet, logit: np.ndarray, figures: dict, use: list[int]) -> ModelCard:
    """Write the model folder: the network that saw everything, its card and its page."""
    plain = clear(chips)
    graph = network(FINAL, use, calibrate(chips.label[plain], logit[plain]))
    error = figures["calibration"]
    holds = error["pooled"] <= WELL_CALIBRATED[0] and max(error["folds"]) <= WELL_CALIBRATED[1]
    threshold = min(max(figures["at_threshold"]["threshold"], 0.01), 0.99)
    written = write_model(SHIPPED / NAME, graph, card(for_card(figures), threshold, holds))
    said = {"name": NAME, "version": VERSION, "bytes": len(graph), "threshold": threshold,
            "calibrated": holds}  # fmt: skip
    scenes = HERE / "scenes.json"
    known = json.loads(scenes.read_text()) if scenes.exists() else None
    (SHIPPED / NAME / "README.md").write_text(page.page(figures, said, known), encoding="utf-8")
    return written


def main() -> None:
    use = members()
    if not use:
        raise SystemExit(f"{RUNS}: a network is missing; README.md says how to train them")
    chips, raw = read_chips(), read_chip_set(chips_folder()).pixels
    logit = held_out(chips, chips.pixels, use)
    figures = rounded(measure(chips, raw, logit, use))
    (HERE / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    write_table(figures["folds"])
    written = ship(chips, logit, figures, use)
    at = figures["at_threshold"]["threshold_logit"]
    pictures.confusions(chips, raw, logit, at, SHIPPED / NAME / "confusions.webp")
    pictures.curves(chips, logit, figures["calibration"], figures["folds"], HERE / "figures.png")
    print(json.dumps(for_card(figures), indent=1))
    print("sha256 for the registry:", written.sha256)


if __name__ == "__main__":
    main()
