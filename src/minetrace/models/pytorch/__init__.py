"""Published PyTorch checkpoints, read as weights alone and turned into ONNX.

The way of a file: ``archive`` reads tensors and runs nothing, ``layouts`` tells whose file it is
by its keys, ``segformer`` and ``mining_net`` build that network and say by a key table which weight
goes where, ``key_table`` holds the file against it, ``card`` and ``importing`` make a model of it.
"""

from minetrace.models.pytorch.card import Said
from minetrace.models.pytorch.importing import import_pytorch

__all__ = ["Said", "import_pytorch"]
