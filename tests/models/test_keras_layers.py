"""Every layer of an imported network answers as a forward pass written apart from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("h5py", reason="reading Keras files needs h5py: pip install 'minetrace[train]'")
from keras_files import (
    Made,
    act,
    config_of,
    conv,
    dense,
    forward,
    net,
    pool,
    transposed,
    write_h5,
    write_net,
)

from minetrace.errors import MissingFileError, ModelError
from minetrace.models.keras import Imported, Overrides, import_keras

RGB = Overrides(bands=("red", "green", "blue"), scaling="reflectance")
CLOSE = 1e-5
SEVERAL = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def run(imported: Imported, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logits and probabilities for (n, h, w, c) or (n, features)."""
    session = ort.InferenceSession(imported.onnx, providers=["CPUExecutionProvider"])
    given = np.ascontiguousarray(np.moveaxis(x, -1, 1) if x.ndim == 4 else x, dtype=np.float32)
    port = session.get_inputs()[0].name
    logits, probability = session.run(["logits", "probability"], {port: given})
    return logits, probability


def drawn(seed: int, *shape: int) -> np.ndarray:
    return np.float32(np.random.default_rng(seed).normal(0, 0.5, shape)).astype(np.float64)


def off(found: np.ndarray, expected: np.ndarray) -> float:
    return float((abs(found - expected) / np.maximum(1, abs(expected))).max())


def agrees(path: Path, side: int, *layers: Made) -> None:
    """A network of these layers and a sigmoid answers as it should, 0.5 being no common answer."""
    body = net("body", (side, side, 3), *layers)
    x = drawn(1, 2, side, side, 3)
    size = forward(body, x).reshape(2, -1).shape[1]
    head = dense("last", drawn(2, size, 1), drawn(3, 1), "sigmoid")
    whole = net("whole", (side, side, 3), *layers, Made("Flatten", "flat"), head)
    expected = forward(net("x", (), *layers, Made("Flatten", "f")), x) @ head.weights["kernel"]
    for exact in (False, True):
        logits, probability = run(import_keras(write_net(path, whole), says=RGB, exact=exact), x)
        assert off(logits, expected + head.weights["bias"]) < CLOSE
        assert off(probability, act(expected + head.weights["bias"], "sigmoid")) < CLOSE


@SEVERAL
@given(
    side=st.integers(7, 12), kernel=st.tuples(*[st.integers(1, 4)] * 2),
    strides=st.sampled_from([(1, 1), (2, 2), (2, 3)]), dilation=st.sampled_from([1, 1, 2]),
    padding=st.sampled_from(["same", "valid"]), bias=st.booleans(),
    activation=st.sampled_from(["relu", "elu", "tanh", "linear"]),
)  # fmt: skip
def test_convolutions(
    tmp_path: Path, side: int, kernel: tuple[int, int], strides: tuple[int, int], dilation: int,
    padding: str, bias: bool, activation: str,
) -> None:  # fmt: skip
    strides = (1, 1) if dilation > 1 else strides  # Keras allows one of both
    agrees(tmp_path / "net.h5", side, conv(
        "c", drawn(4, *kernel, 3, 5), drawn(5, 5) if bias else None, strides=list(strides),
        dilation_rate=[dilation] * 2, padding=padding, activation=activation,
    ))  # fmt: skip


@SEVERAL
@given(
    side=st.integers(3, 7), kernel=st.tuples(*[st.integers(1, 5)] * 2),
    strides=st.tuples(*[st.integers(1, 3)] * 2), padding=st.sampled_from(["same", "valid"]),
)  # fmt: skip
def test_transposed_convolutions(
    tmp_path: Path, side: int, kernel: tuple[int, int], strides: tuple[int, int], padding: str
) -> None:
    agrees(tmp_path / "net.h5", side, transposed(
        "t", drawn(4, *kernel, 4, 3), drawn(5, 4), strides=list(strides), padding=padding,
    ))  # fmt: skip


@SEVERAL
@given(
    side=st.integers(6, 11), size=st.tuples(*[st.integers(1, 4)] * 2),
    strides=st.tuples(*[st.integers(1, 4)] * 2), padding=st.sampled_from(["same", "valid"]),
    kind=st.sampled_from(["MaxPooling2D", "AveragePooling2D"]),
)  # fmt: skip
def test_pooling(
    tmp_path: Path, side: int, size: tuple[int, int], strides: tuple[int, int], padding: str,
    kind: str,
) -> None:  # fmt: skip
    layer = pool("p", size, kind=kind, strides=list(strides), padding=padding)
    agrees(tmp_path / "net.h5", side, layer)


@pytest.mark.parametrize("kind", ["GlobalAveragePooling2D", "GlobalMaxPooling2D"])
def test_global_pooling_and_normalisation(tmp_path: Path, kind: str) -> None:
    statistics = {"gamma": drawn(6, 4), "beta": drawn(7, 4), "moving_mean": drawn(8, 4),
                  "moving_variance": abs(drawn(9, 4)) + 0.1}  # fmt: skip
    agrees(
        tmp_path / "net.h5", 9, conv("c", drawn(4, 3, 3, 3, 4), drawn(5, 4)),
        Made("BatchNormalization", "b", {"axis": [3], "epsilon": 1e-3}, statistics),
        Made("Dropout", "d", {"rate": 0.5}), Made(kind, "g", {"keepdims": False}),
    )  # fmt: skip


def test_a_segmentation_network_answers_for_every_pixel(tmp_path: Path) -> None:
    layers = (
        conv("down", drawn(4, 3, 3, 3, 4), drawn(5, 4), padding="same", activation="relu"),
        pool("pool", (2, 2)),
        transposed("up", drawn(6, 2, 2, 4, 4), drawn(7, 4), strides=[2, 2], padding="same"),
        conv("last", drawn(8, 1, 1, 4, 1), drawn(9, 1)),
    )
    squashed = Made("Activation", "squash", {"activation": "sigmoid"})
    whole = net("whole", (16, 16, 3), *layers, squashed)
    imported = import_keras(write_net(tmp_path / "net.h5", whole), says=RGB)
    assert (imported.card.output, imported.card.extent, imported.card.window) == (
        "pixels", "mined", 16)  # fmt: skip
    x = drawn(1, 2, 16, 16, 3)
    logits, probability = run(imported, x)
    expected = np.moveaxis(forward(net("body", (), *layers), x), -1, 1)
    assert off(logits, expected) < CLOSE
    assert off(probability, act(expected, "sigmoid")) < CLOSE


def member(name: str, seed: int, units: int = 1) -> Made:
    """Nested Sequentials: one inside the other."""
    inner = net(f"{name}_inner", (6, 6, 3),
                conv("c", drawn(seed, 3, 3, 3, 4), drawn(seed + 1, 4), activation="relu"),
                Made("Flatten", "f"))  # fmt: skip
    last = dense("d", drawn(seed + 2, 64, units), drawn(seed + 3, units),
                 "sigmoid" if units == 1 else "softmax")  # fmt: skip
    return net(name, (6, 6, 3), inner, last)


def ensemble(kind: str, members: list[Made], **config: Any) -> dict[str, Any]:
    """A Functional: the input, its members, and what joins them."""
    layers = [{"class_name": "InputLayer", "name": "in", "inbound_nodes": [],
               "config": {"batch_input_shape": [None, 6, 6, 3], "name": "in"}}]  # fmt: skip
    for made in members:
        layers.append({**config_of(made), "name": made.name,
                       "inbound_nodes": [[["in", 0, 0, {}]]]})  # fmt: skip
    layers.append({"class_name": kind, "name": "join", "config": {"name": "join", **config},
                   "inbound_nodes": [[[made.name, 1, 0, {}] for made in members]]})  # fmt: skip
    return {"class_name": "Functional", "config": {
        "name": "all", "layers": layers, "input_layers": [["in", 0, 0]],
        "output_layers": [["join", 0, 0]]}}  # fmt: skip


@pytest.mark.parametrize(("kind", "units"), [("Concatenate", 1), ("Average", 1), ("Average", 2)])
def test_ensembles_average_probabilities(tmp_path: Path, kind: str, units: int) -> None:
    members = [member(f"m{i}", 10 * i, units) for i in range(3)]
    config = ensemble(kind, members, **({"axis": -1} if kind == "Concatenate" else {}))
    imported = import_keras(write_h5(tmp_path / "all.h5", config, members), says=RGB)
    x = drawn(1, 4, 6, 6, 3)
    answers = [forward(made, x)[:, -1:] for made in members]
    logits, probability = run(imported, x)
    assert logits.shape == (4, 3 * units)
    assert off(probability, np.mean(answers, axis=0)) < CLOSE
    assert "mean over 3 members" in imported.card.description


def test_the_mine_is_the_second_of_two_classes(tmp_path: Path) -> None:
    made = member("one", 3, units=2)
    imported = import_keras(write_net(tmp_path / "one.h5", made), says=RGB)
    x = drawn(1, 4, 6, 6, 3)
    assert off(run(imported, x)[1], forward(made, x)[:, 1:]) < CLOSE
    assert "second of its two softmax outputs" in imported.card.description


def broken(kind: str) -> tuple[Made, str]:
    """A network that must be refused, and what the message says."""
    last = dense("last", drawn(2, 48, 1), drawn(3, 1), "sigmoid")
    flatten, image = Made("Flatten", "f"), (4, 4, 3)
    return {
        "unknown layer": (net("n", image, Made("LSTM", "memory"), flatten, last), "memory.*LSTM"),
        "channels first": (
            net("n", image, pool("p", (2, 2), data_format="channels_first"), flatten, last),
            "channels last"),
        "unknown activation": (
            net("n", image, flatten, dense("last", drawn(2, 48, 1), drawn(3, 1), "gumbel")),
            "gumbel"),
        "no activation": (
            net("n", image, flatten, dense("last", drawn(2, 48, 1), drawn(3, 1))), "sigmoid"),
        "three classes": (
            net("n", image, flatten, dense("last", drawn(2, 48, 3), drawn(3, 3), "softmax")),
            "3 values"),
        "kernel too large": (
            net("n", image, conv("c", drawn(1, 5, 5, 3, 2), drawn(2, 2)), flatten, last), "fit"),
        "no kernel": (net("n", image, flatten, Made("Dense", "last", last.config)), "no kernel"),
    }[kind]  # fmt: skip


@pytest.mark.parametrize("kind", [
    "unknown layer", "channels first", "unknown activation", "no activation", "three classes",
    "kernel too large", "no kernel",
])  # fmt: skip
def test_what_is_not_understood_is_refused(tmp_path: Path, kind: str) -> None:
    made, message = broken(kind)
    path = write_net(tmp_path / "net.h5", made)
    with pytest.raises(ModelError, match=message) as error:
        import_keras(path, says=RGB)
    assert str(path) in str(error.value)


def test_weights_that_nobody_takes_are_refused(tmp_path: Path) -> None:
    made = member("one", 3)
    stray = Made("Dense", "stray", {}, {"kernel": drawn(1, 2, 2)})
    path = write_h5(tmp_path / "net.h5", config_of(made), (*made.layers, stray))
    with pytest.raises(ModelError, match=r"stray/kernel.*belong to no layer"):
        import_keras(path, says=RGB)


def test_files_that_are_no_models(tmp_path: Path) -> None:
    import h5py

    with pytest.raises(MissingFileError, match="no such file"):
        import_keras(tmp_path / "nowhere.h5")
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(ModelError, match=r"text\.h5: cannot be read"):
        import_keras(tmp_path / "text.h5")
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file.create_group("layer")
    with pytest.raises(ModelError, match="weights alone are not enough"):
        import_keras(tmp_path / "weights.h5")
    cut = write_net(tmp_path / "cut.h5", member("one", 3))
    cut.write_bytes(cut.read_bytes()[:-2000])
    with pytest.raises(ModelError, match=r"cut\.h5"):
        import_keras(cut)


def test_only_what_is_known_goes_into_the_card(tmp_path: Path) -> None:
    path = write_net(tmp_path / "net.h5", member("one", 3))
    for says, message in (
        (Overrides(), "--bands"),
        (Overrides(bands=("red", "green", "blue")), "--scaling"),
        (Overrides(bands=("red", "green"), scaling="clipped"), "takes 3 bands"),
        (Overrides(bands=("B4", "B3", "bleu"), scaling="clipped"), r"bleu.*is it blue"),
        (Overrides(bands=("B4", "B3", "B2"), scaling="loud"), "loud"),
        (Overrides(bands=("B4", "B3", "vv"), scaling="standard"), "vv"),
        (Overrides(bands=("B4", "B3", "B2"), scaling="clipped", stride=4), "must divide"),
        (Overrides(bands=("B4", "B3", "B2"), scaling="clipped", window=48), "--window 48"),
    ):
        with pytest.raises(ModelError, match=message):
            import_keras(path, says=says)
    card = import_keras(path, says=Overrides(("B4", "B03", "blue"), "clipped", stride=2)).card
    assert card.bands == ("red", "green", "blue")
    assert (card.window, card.stride, card.level, card.licence) == (6, 2, "any", "")
