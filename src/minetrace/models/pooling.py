"""Adaptive average pooling as two products with weights, a form that exports. Needs torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.onnx import (  # type: ignore[attr-defined]
    register_custom_op_symbolic,
    symbolic_helper,
    unregister_custom_op_symbolic,
)

POOL = "aten::adaptive_avg_pool2d"


def averages(side: int, cells: int) -> Tensor:
    """Weights (cells, side) of the pixels along a side in each cell, as torch divides them."""
    weight = torch.zeros(cells, side)
    for cell in range(cells):
        first, stop = cell * side // cells, -(-(cell + 1) * side // cells)
        weight[cell, first:stop] = 1 / (stop - first)
    return weight


class FixedPool(nn.Module):
    """Adaptive average pooling of a map of known side."""

    def __init__(self, side: int, cells: int) -> None:
        """Weigh the pixels of each cell.

        Args:
            side: of the map.
            cells: along a side of the answer.
        """
        super().__init__()
        self.register_buffer("weight", averages(side, cells), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, cells, cells) of (n, width, side, side)."""
        weight = self.get_buffer("weight")
        return weight @ x @ weight.T


@contextmanager
def pools_exported(opset: int) -> Iterator[None]:
    """While a network is traced, pools may divide their map into any number of cells.

    The exporter by itself writes only those whose cells divide the side.
    """
    register_custom_op_symbolic(POOL, _written, opset)
    try:
        yield
    finally:
        unregister_custom_op_symbolic(POOL, opset)


@symbolic_helper.parse_args("v", "is")
def _written(graph: Any, x: Any, cells: Sequence[int]) -> Any:
    if tuple(cells) == (1, 1):
        return graph.op("GlobalAveragePool", x)
    rows, cols = (
        graph.op("Constant", value_t=averages(side, count))
        for side, count in zip(x.type().varyingSizes()[2:], cells, strict=True)
    )
    across = graph.op("Transpose", cols, perm_i=[1, 0])
    return graph.op("MatMul", graph.op("MatMul", rows, x), across)
