"""Patches a second of published Keras models, imported, on one thread: megapixels of ground.

    python benchmarks/published.py MODEL.h5 ...            minetrace's ONNX
    python benchmarks/published.py --keras MODEL.h5 ...    Keras itself, where TensorFlow is

Both score the same windows of noise in batches, warm; the best of five rounds counts, by CPU
seconds over all threads, so that other work on the machine matters less. Keras is timed as a
compiled function and as its publishers call it, ``model.predict``. A window advances the map by
stride x stride pixels: ground scanned = windows x stride squared.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

BATCHES, ROUNDS = (64, 256), 5
Scorers = dict[str, Callable[[], object]]


def best_rate(score: Callable[[], object], windows: int) -> float:
    score()
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        score()
        times.append(time.process_time() - start)
    return windows / min(times)


def onnx_scorers(path: Path, batch: int) -> tuple[Scorers, int]:
    import numpy as np
    import onnxruntime as ort

    from minetrace.models.keras import import_keras

    imported = import_keras(path)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(imported.onnx, options, providers=["CPUExecutionProvider"])
    card = imported.card
    shape = (batch, len(card.bands), card.window, card.window)
    x = np.random.default_rng(1).random(shape, dtype=np.float32)
    return {"onnx": lambda: session.run(["probability"], {"image": x})}, card.stride


def keras_scorers(path: Path, batch: int) -> tuple[Scorers, int]:
    import numpy as np
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    model = tf.keras.models.load_model(path, compile=False)
    compiled = tf.function(lambda x: model(x, training=False))
    shape = (batch, *model.input_shape[1:])
    x = tf.constant(np.random.default_rng(1).random(shape, dtype=np.float32))
    side = shape[1]
    stride = {44: 11}.get(side, side // 2)
    calls = {
        "function": lambda: compiled(x).numpy(),
        "predict": lambda: model.predict(x, verbose=0),
    }
    return calls, stride


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    words = sys.argv[1:]
    make = keras_scorers if "--keras" in words else onnx_scorers
    print(f"{'model':<44}{'run by':>9}{'batch':>6}{'windows/CPU s':>15}{'Mpx/CPU s':>11}")
    for path in (Path(word) for word in words if not word.startswith("--")):
        for batch in BATCHES:
            scorers, stride = make(path, batch)
            for name, score in scorers.items():
                rate = best_rate(score, batch)
                ground = rate * stride**2 / 1e6
                print(f"{path.stem:<44}{name:>9}{batch:>6}{rate:>15,.0f}{ground:>11.2f}")


if __name__ == "__main__":
    main()
