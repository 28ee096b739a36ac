"""Convolutions that answer alike however a picture is turned or flipped.

Seen from above, a mine has no up or left. A layer here holds each kernel once and applies it in
the eight ways to lay a square down, so the network need not learn the same shape eight times; the
mean over the eight answers does not change when the picture is turned.

Source of method: Cohen & Welling (2016), group equivariant convolutional networks, the group p4m.
Needs torch.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WAYS = 8  # four quarter turns, then the same flipped


def laid(kernel: Tensor, way: int) -> Tensor:
    """A kernel (..., k, k) turned by ``way % 4`` quarters and, from 4 on, then flipped."""
    turned = torch.rot90(kernel, way % 4, (-2, -1))
    return turned.flip(-1) if way >= 4 else turned


def _reading_orders() -> list[list[int]]:
    """By way, for each way of the input, which slot of the kernel reads it."""
    probe = torch.arange(9).view(3, 3)
    seen = [laid(probe, way) for way in range(WAYS)]

    def after(second: int, first: int) -> int:
        both = laid(seen[first], second)
        return next(way for way in range(WAYS) if torch.equal(seen[way], both))

    back = [next(b for b in range(WAYS) if after(way, b) == 0) for way in range(WAYS)]
    return [[after(back[way], first) for first in range(WAYS)] for way in range(WAYS)]


_ORDERS = _reading_orders()


class LiftConv(nn.Module):
    """From a picture to its eight ways: (n, bands, h, w) to (n, width * 8, h', w')."""

    def __init__(self, bands: int, width: int, side: int, stride: int = 1) -> None:
        """Kernels of ``side`` pixels, drawn from torch's own generator."""
        super().__init__()
        self.stride = stride
        spread = math.sqrt(2 / (bands * side**2))
        self.weight = nn.Parameter(torch.randn(width, bands, side, side) * spread)

    def kernel(self) -> Tensor:
        """The plain kernel (width * 8, bands, side, side)."""
        return torch.stack([laid(self.weight, way) for way in range(WAYS)], 1).flatten(0, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve without padding."""
        return F.conv2d(x, self.kernel(), stride=self.stride)


class TurnConv(nn.Module):
    """From eight ways to eight ways: (n, width_in * 8, h, w) to (n, width * 8, h', w')."""

    def __init__(self, width_in: int, width: int, side: int) -> None:
        """Kernels of ``side`` pixels, drawn from torch's own generator."""
        super().__init__()
        spread = math.sqrt(2 / (width_in * WAYS * side**2))
        self.weight = nn.Parameter(torch.randn(width, width_in, WAYS, side, side) * spread)

    def kernel(self) -> Tensor:
        """The plain kernel (width * 8, width_in * 8, side, side)."""
        ways = [laid(self.weight[:, :, _ORDERS[way]], way) for way in range(WAYS)]
        return torch.stack(ways, 1).flatten(2, 3).flatten(0, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve without padding."""
        return F.conv2d(x, self.kernel())


class TurnNorm(nn.Module):
    """Batch normalisation that treats the eight ways of a feature alike."""

    def __init__(self, width: int) -> None:
        """One mean and one variance per feature."""
        super().__init__()
        self.norm = nn.BatchNorm3d(width)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (n, width * 8, h, w)."""
        n, _, h, w = x.shape
        out: Tensor = self.norm(x.view(n, -1, WAYS, h, w))
        return out.flatten(1, 2)

    def affine(self) -> tuple[Tensor, Tensor]:
        """What it does once trained, per channel: a factor and a shift, each (width * 8,)."""
        norm = self.norm
        if norm.running_mean is None or norm.running_var is None:
            raise ValueError("the normalisation keeps no running figures; it cannot be folded")
        factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        shift = norm.bias - norm.running_mean * factor
        return factor.repeat_interleave(WAYS), shift.repeat_interleave(WAYS)
