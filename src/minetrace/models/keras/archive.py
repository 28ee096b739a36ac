"""What a Keras ``.h5`` file holds: the configuration of its layers, and their weights.

Reads the HDF5 format of Keras 2 (``model.save("x.h5")``). Nothing in the file is run or
unpickled: the configuration is JSON, weights are arrays.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minetrace.errors import MissingFileError, ModelError, NoPermissionError

Array = NDArray[np.float32]
Config = Mapping[str, Any]


@dataclass(frozen=True)
class Variable:
    """One array of weights.

    Attributes:
        owner: the layer that it belongs to, as its name says.
        role: ``kernel``, ``bias``, ``gamma``, ``beta``, ``moving_mean`` or ``moving_variance``.
        values: the array.
    """

    owner: str
    role: str
    values: Array


@dataclass(frozen=True)
class Archive:
    """A model as stored.

    Attributes:
        name: the file's name without its ending.
        config: ``{"class_name": ..., "config": {"layers": ...}}`` of the whole model.
        variables: of each layer at the top; a nested model counts as one layer.
        keras_version: that wrote it.
    """

    name: str
    config: Config
    variables: Mapping[str, tuple[Variable, ...]]
    keras_version: str


def read_archive(path: Path) -> Archive:
    """Read a Keras ``.h5`` file.

    Raises:
        MissingFileError: it is not there.
        ModelError: it is not HDF5, holds no Keras model or only weights, or h5py is missing.
        NoPermissionError: it may not be read.
    """
    try:
        import h5py
    except ImportError as error:
        raise ModelError(
            f"{path}: reading Keras models needs h5py; run pip install 'minetrace[train]'"
        ) from error
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file; give the .h5 file of a Keras model")
    try:
        with h5py.File(path, "r") as file:
            return _read(path, file)
    except PermissionError as error:
        raise NoPermissionError(f"{path}: may not be read; ask its owner") from error
    except (OSError, KeyError, RuntimeError) as error:
        raise ModelError(
            f"{path}: cannot be read as a Keras .h5 file ({error}); get it again, or save the "
            "model anew with model.save('name.h5')"
        ) from error


def _read(path: Path, file: Any) -> Archive:
    text = file.attrs.get("model_config")
    if text is None or "model_weights" not in file:
        raise ModelError(
            f"{path}: holds no whole Keras model (its attribute model_config or its group "
            "model_weights is missing); save the model with model.save('name.h5'), weights alone "
            "are not enough"
        )
    try:
        config = json.loads(text)
        config["config"]["layers"]
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{path}: its model_config lists no layers; get the file again") from error
    weights = file["model_weights"]
    variables = {str(name): _variables(group) for name, group in weights.items()}
    return Archive(path.stem, config, variables, _text(file.attrs.get("keras_version", "unknown")))


def _variables(group: Any) -> tuple[Variable, ...]:
    return tuple(_variable(name, group[name][()]) for name in _weight_names(group.attrs))


def _weight_names(attributes: Any) -> list[str]:
    """Names of the weights in a group; a long list is cut into numbered attributes."""
    keys = [f"weight_names{number}" for number in range(len(attributes))]
    keys = ["weight_names", *itertools.takewhile(lambda key: key in attributes, keys)]
    return [_text(name) for key in keys if key in attributes for name in attributes[key]]


def _variable(name: str, values: Any) -> Variable:
    *owners, role = name.partition(":")[0].split("/")
    return Variable(owners[-1] if owners else "", role, np.asarray(values, dtype=np.float32))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
