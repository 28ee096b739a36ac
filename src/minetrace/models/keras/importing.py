"""A Keras ``.h5`` file as a model of ours: ONNX and a card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from minetrace.core.model import ModelCard
from minetrace.errors import ModelError
from minetrace.models.keras.archive import Archive, read_archive
from minetrace.models.keras.card import Overrides, array_card, image_card
from minetrace.models.keras.graph import BATCH, Graph, Tensor
from minetrace.models.keras.head import Head, add_head
from minetrace.models.keras.notes import notes_beside, read_notes
from minetrace.models.keras.translate import input_shapes, translate

__all__ = ["Imported", "Overrides", "import_keras"]

IMAGE, ARRAY = "image", "input"
NOTHING_SAID = Overrides()


@dataclass(frozen=True)
class Imported:
    """A translated model, ready for `minetrace.predict.model_file.write_model`.

    Attributes:
        onnx: the network: ``image`` (n, bands, window, window), or ``input`` (n, ...) for what
            takes no image; ``logits`` as the last layers give them before their activation,
            ``probability`` (n, 1).
        card: what it expects and what it answers.
    """

    onnx: bytes
    card: ModelCard


def import_keras(
    path: Path, *, config: Path | None = None, says: Overrides = NOTHING_SAID, exact: bool = False
) -> Imported:  # fmt: skip
    """Translate a Keras model without TensorFlow.

    Args:
        path: the ``.h5`` file.
        config: the publisher's text for the card; by default ``NAME_config*.txt`` beside it.
        says: what the user knows better than the table of published files.
        exact: sum convolutions and dense layers in float64, several times slower. Vectors are
            always summed so.

    Raises:
        MissingFileError: a file is not there.
        ModelError: something in the file is not understood, its bands or scaling are not known,
            or h5py or onnx is missing.
    """
    _need_onnx(path)
    archive = read_archive(path)
    beside = config or notes_beside(path)
    notes = read_notes(beside) if beside else None
    try:
        shape = _input_shape(archive)
        onnx, head = _network(archive, shape, exact=exact)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    make = image_card if _is_image(shape) else array_card
    return Imported(onnx, make(archive.name, shape, head, notes, says))


def _need_onnx(path: Path) -> None:
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise ModelError(
            f"{path}: importing Keras models needs onnx; run pip install 'minetrace[train]'"
        ) from error


def _input_shape(archive: Archive) -> tuple[int, ...]:
    shapes = input_shapes(archive.config)
    if len(shapes) != 1:
        raise ModelError(f"it has {len(shapes)} inputs, one is understood")
    fixed = tuple(side for side in shapes[0] if side is not None)
    if len(fixed) != len(shapes[0]) or not fixed:
        raise ModelError(
            f"its input {shapes[0]} has a side of any length; save it with a fixed input"
        )
    return fixed


def _is_image(shape: Sequence[int]) -> bool:
    return len(shape) == 3 and shape[0] == shape[1]


def _network(archive: Archive, shape: tuple[int, ...], *, exact: bool) -> tuple[bytes, Head]:
    graph = Graph(exact=exact or len(shape) == 1)
    given, x = _entry(graph, shape)
    outputs = translate(archive, graph, x)
    head = add_head(graph, outputs)
    sides = [] if head.image is None else list(head.image)
    answers = {
        "logits": [BATCH, head.width, *sides],
        "probability": [BATCH, 1, *sides],
    }
    return graph.to_bytes(given, answers), head


def _entry(graph: Graph, shape: tuple[int, ...]) -> tuple[dict[str, list[str | int]], Tensor]:
    """The input port, and the tensor that the layers see."""
    if _is_image(shape):
        return {IMAGE: [BATCH, shape[2], *shape[:2]]}, Tensor(IMAGE, shape)
    x = ARRAY
    if len(shape) == 3:  # an image that is not square: Keras' order in, channels first inside
        x = graph.op("Transpose", [ARRAY], perm=[0, 3, 1, 2])
    return {ARRAY: [BATCH, *shape]}, Tensor(x, shape)
