"""Make `ensemble.h5`: what Keras itself writes of an ensemble whose members see parts of the input.

Needs TensorFlow 2.15, which nothing else here needs; the tests only read what it made:

    python tests/models/data/make_ensemble.py
"""

from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow import keras

HERE = Path(__file__).parent
layers = keras.layers


def member(bands: int, name: str) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((8, 8, bands)),
            layers.Conv2D(3, 3, padding="same", activation=layers.LeakyReLU(0.1)),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(1, activation="sigmoid"),
        ],
        name=name,
    )


def main() -> None:
    keras.utils.set_random_seed(5)
    x = keras.Input((8, 8, 13))
    parts = [
        layers.Lambda(lambda t: tf.concat([t[..., :10], t[..., 11:]], axis=-1))(x),
        layers.Lambda(lambda t: keras.backend.concatenate([t[:, :, :, :10], t[:, :, :, 11:]]))(x),
        layers.Lambda(lambda t: tf.gather(t, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12], axis=-1))(x),
        layers.Lambda(lambda t: t[:, :, :, 1:13])(x),
        layers.Lambda(lambda t, first=1, last=13: t[..., first:last])(x),
        tf.concat([x[..., :10], x[..., 11:]], axis=-1),
        x,
    ]
    nets = [member(part.shape[-1], f"net_{i}") for i, part in enumerate(parts)]
    answers = [net(part) for net, part in zip(nets, parts, strict=True)]
    answers.append(nets[0](parts[3]))  # one network called twice
    model = keras.Model(x, layers.Concatenate()(answers))
    rng = np.random.default_rng(5)
    for net in nets:
        for weights in net.weights:
            if "kernel" not in weights.name:
                weights.assign(weights + rng.uniform(0.01, 0.3, weights.shape))
    model.save(HERE / "ensemble.h5", include_optimizer=False)
    image = rng.normal(0, 1, (4, 8, 8, 13)).astype(np.float32)
    np.savez_compressed(HERE / "ensemble.npz", image=image, answer=model.predict(image, verbose=0))


if __name__ == "__main__":
    main()
