"""Published Keras models, read from their ``.h5`` without TensorFlow and turned into ONNX.

The way of a file: ``archive`` reads configuration and weights, ``translate`` walks the layers,
``layers`` knows each kind, ``head`` finds logits and probability, ``published`` knows what the
known files expect of their imagery, ``importing`` puts it all into a model and its card.
"""

from minetrace.models.keras.importing import Imported, Overrides, import_keras

__all__ = ["Imported", "Overrides", "import_keras"]
