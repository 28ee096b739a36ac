"""Let torchvision load where its native part is of another build than torch, for a walk alone.

``studies/walk.py`` puts this folder on ``PYTHONPATH`` only where importing torchvision has failed:
two operators that nothing here calls are then declared just before it is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from typing import Any

_OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


class _Declaring(MetaPathFinder):
    """Finds nothing; it is asked first, and so knows when torchvision is about to be imported."""

    library: Any = None

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> None:
        if name == "torchvision" and self.library is None:
            import torch

            self.library = torch.library.Library("torchvision", "FRAGMENT")
            for operator in _OPERATORS:
                self.library.define(operator)


sys.meta_path.insert(0, _Declaring())
