"""Made-up cloud: opacity that varies smoothly over a picture. Needs torch."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn import functional as F


def opacity(n: int, size: torch.Size, draw: Generator, *, thickest: float) -> Tensor:
    """Opacity (n, 1, h, w) from 0 to ``thickest``; each picture gets some share of it."""
    shape = torch.zeros(n, 1, *size)
    for cells, weight in ((3, 1.0), (6, 0.6), (12, 0.3)):
        coarse = torch.randn(n, 1, cells, cells, generator=draw)
        smooth = F.interpolate(coarse, size=size, mode="bicubic", align_corners=False)
        shape = shape + weight * smooth
    cover = torch.sigmoid(3 * (shape + 0.7 * torch.randn(n, 1, 1, 1, generator=draw)))
    return cover * thickest * torch.rand(n, 1, 1, 1, generator=draw)
