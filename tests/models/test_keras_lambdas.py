"""Lambdas are read, never run: what cuts and joins is understood, anything else is refused."""

from __future__ import annotations

import base64
import marshal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("h5py", reason="reading Keras files needs h5py: pip install 'minetrace[train]'")
from keras_files import Made, dense, flat, write_h5

from minetrace.errors import ModelError
from minetrace.models.keras import Overrides, import_keras, published
from minetrace.models.keras.marshalled import UnreadableCodeError, read_code

DATA = Path(__file__).parent / "data"
THIRTEEN = Overrides(bands=published.THIRTEEN, scaling="clipped")
BLOCKS = pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="the functions of this test are stored by Python 3.11"
)


def stored(function: Callable[..., Any]) -> dict[str, Any]:
    """A Lambda's configuration as Keras 2 writes it."""
    code = base64.encodebytes(marshal.dumps(function.__code__)).decode()
    closure = [cell.cell_contents for cell in function.__closure__ or ()]
    return {"function": [code, function.__defaults__ and list(function.__defaults__),
                         closure or None], "function_type": "lambda", "arguments": {}}  # fmt: skip


def probe(path: Path, config: dict[str, Any], taken: int, width: int = 8) -> Path:
    """A Lambda on a vector, then a sigmoid over ``taken`` values: weights 1, 2, 3, ..."""
    last = dense("last", np.arange(1.0, taken + 1)[:, None], np.zeros(1), "sigmoid")
    layers = [
        {"class_name": "InputLayer", "config": {"batch_input_shape": [None, width], "name": "in"}},
        {"class_name": "Lambda", "config": {"name": "cut", **config}},
        {"class_name": "Dense", "config": {"name": "last", **last.config}},
    ]
    whole = {"class_name": "Sequential", "config": {"name": "probe", "layers": layers}}
    assert flat(last)
    return write_h5(path, whole, [Made("Lambda", "cut"), last])


def logits(path: Path, x: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(import_keras(path).onnx, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"input": x.astype(np.float32)})[0][:, 0]


def test_an_ensemble_as_keras_wrote_it() -> None:
    imported = import_keras(DATA / "ensemble.h5", says=THIRTEEN)
    with np.load(DATA / "ensemble.npz") as truth:
        image, answer = truth["image"], truth["answer"]
    session = ort.InferenceSession(imported.onnx, providers=["CPUExecutionProvider"])
    found, probability = session.run(
        ["logits", "probability"], {"image": np.ascontiguousarray(np.moveaxis(image, -1, 1))}
    )
    assert np.ptp(answer) > 0.1
    assert abs(1 / (1 + np.exp(-found)) - answer).max() < 1e-6
    assert abs(probability[:, 0] - answer.mean(axis=1)).max() < 1e-6


K: Any = None  # stands for the names that the stored functions were written with
WIDTH = 8


def _closed(n: int) -> Callable[..., Any]:
    return lambda x: x[:, :n]


UNDERSTOOD: list[tuple[Callable[..., Any], list[int]]] = [
    (lambda x: x[:, :3], [0, 1, 2]),
    (lambda x: x[..., 4:], [4, 5, 6, 7]),
    (lambda x: x[..., -2:], [6, 7]),
    (lambda x: x[:, 1:7:2], [1, 3, 5]),
    (lambda x: x[:, 2:][:, :3], [2, 3, 4]),
    (lambda x: K.concatenate([x[:, :2], x[:, 5:]], axis=1), [0, 1, 5, 6, 7]),
    (lambda x: K.concatenate([x[:, 5:], x[:, :2]]), [5, 6, 7, 0, 1]),
    (lambda x, a=1, b=4: x[:, a:b], [1, 2, 3]),
    (_closed(5), [0, 1, 2, 3, 4]),
    (lambda x: x, list(range(8))),
]


@BLOCKS
@pytest.mark.parametrize("number", range(len(UNDERSTOOD)))
def test_cutting_and_joining_is_understood(tmp_path: Path, number: int) -> None:
    function, kept = UNDERSTOOD[number]
    path = probe(tmp_path / "probe.h5", stored(function), len(kept))
    x = np.random.default_rng(1).normal(size=(3, WIDTH))
    expected = x[:, kept] @ np.arange(1.0, len(kept) + 1)
    assert abs(logits(path, x) - expected).max() < 1e-5


def _writes(x: Any) -> Any:
    open("run-by-mistake", "w").close()
    return x[:, :3]


REFUSED: list[Callable[..., Any]] = [
    _writes,
    lambda x: __import__("os").system("touch run-by-mistake") or x[:, :3],
    lambda x: K.open("run-by-mistake", "w") and x,
    lambda x: x[:, :3] * 2,
    lambda x: x[:, 2],
    lambda x: x[1:, :3],
    lambda x: x.T[:, :3],
    lambda x: 3,
    lambda x: x[:, 8:],
    lambda x: [x[:, i] for i in range(3)],
    lambda x: K.concatenate([x[:, :2], x[:, :2]], axis=0),
    lambda x: K.concatenate(x),
]


@BLOCKS
@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_anything_else_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.chdir(tmp_path)
    path = probe(tmp_path / "probe.h5", stored(REFUSED[number]), 3)
    with pytest.raises(ModelError, match=r"probe\.h5: layer 'cut' \(Lambda\)"):
        import_keras(path)
    assert not (tmp_path / "run-by-mistake").exists()


def test_a_function_that_is_not_in_the_file_is_refused(tmp_path: Path) -> None:
    for config in ({"function": "drop_band", "function_type": "function"}, {}, {"function": ["=="]},
                   {"function": [base64.b64encode(b"cos\nsystem\n").decode()]}):  # fmt: skip
        path = probe(tmp_path / "probe.h5", config, 3)
        with pytest.raises(ModelError, match="its code is never run"):
            import_keras(path)


def _short(text: bytes) -> bytes:
    return b"z" + bytes([len(text)]) + text


def old_code(instructions: bytes, constants: bytes, names: list[bytes]) -> bytes:
    """A function of one argument as Python 3.8 to 3.10 stored it."""
    numbers = [1, 0, 0, 1, 6, 67]
    tuples = [b")" + bytes([len(group)]) + b"".join(map(_short, group))
              for group in (names, [b"x"], [], [])]  # fmt: skip
    return b"".join([
        b"c", *(n.to_bytes(4, "little") for n in numbers),
        b"s", len(instructions).to_bytes(4, "little"), instructions, constants, *tuples,
        _short(b"file"), _short(b"<lambda>"), (1).to_bytes(4, "little"), b"s\0\0\0\0",
    ])  # fmt: skip


def test_functions_of_older_pythons_are_understood(tmp_path: Path) -> None:
    """``lambda x: tf.concat([x[..., :2], x[..., 3:]], axis=-1)`` by Python 3.9."""
    instructions = bytes([
        116, 0, 160, 1, 124, 0, 100, 1, 100, 0, 100, 2, 133, 2, 102, 2, 25, 0, 124, 0, 100, 1,
        100, 3, 100, 0, 133, 2, 102, 2, 25, 0, 103, 2, 100, 4, 100, 5, 141, 2, 83, 0,
    ])  # fmt: skip
    assert instructions[2] == 160  # a method, which keyword arguments would make an attribute
    instructions = instructions[:2] + bytes([106, 1]) + instructions[4:]
    constants = (
        b")\x06N.i\x02\0\0\0i\x03\0\0\0i\xff\xff\xff\xff)\x01" + _short(b"axis")
    )  # fmt: skip
    content = old_code(instructions, constants, [b"tf", b"concat"])
    code = read_code(content)
    assert (code.names, code.variables, code.is_new) == (("tf", "concat"), ("x",), False)
    config = {"function": [base64.b64encode(content).decode(), None, None]}
    x = np.random.default_rng(1).normal(size=(3, WIDTH))
    path = probe(tmp_path / "probe.h5", config, 7)
    expected = x[:, [0, 1, 3, 4, 5, 6, 7]] @ np.arange(1.0, 8)
    assert abs(logits(path, x) - expected).max() < 1e-5


@given(st.binary(max_size=300))
def test_any_bytes_are_a_function_or_refused(content: bytes) -> None:
    for prefix in (b"", b"\xe3" + b"\0" * 20 + b"s"):
        with pytest.raises(UnreadableCodeError):
            read_code(prefix + content)


@given(st.data())
def test_damaged_functions_never_escape(data: st.DataObject) -> None:
    content = bytearray(marshal.dumps(UNDERSTOOD[5][0].__code__))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = data.draw(st.integers(0, 255))
    try:
        code = read_code(bytes(content))
    except UnreadableCodeError:
        return
    assert isinstance(code.instructions, tuple)
