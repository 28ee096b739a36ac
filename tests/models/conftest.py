"""What the tests of networks share."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import pytest


@pytest.fixture(scope="session")
def vision() -> Any:
    """torchvision, which other libraries import, made to load where its native part cannot.

    The wheel is built for CUDA; beside a torch without it, its operators are missing, and nothing
    here calls them. Where the native import works, nothing is touched.
    """
    torch = pytest.importorskip("torch", reason="torch is absent: install minetrace[train]")
    try:
        return _quietly("torchvision")
    except ImportError:
        pytest.skip("torchvision is absent: install minetrace[train]")
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "FRAGMENT")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        module = _quietly("torchvision")
        module.declared_for_tests = library  # kept as long as the module
        return module


def _quietly(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return __import__(name)
