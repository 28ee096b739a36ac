"""The patch network: 48 px in, one logit out, and one every 8 px over anything larger.

Every layer is valid (no padding), and every pooling has a stride that divides 8, so a window's
logit depends on its own 48 px alone: a dense scan and single patches give the same number. The
logit is read from what local features do over the window on average and at their strongest, so
that a scar of a few pixels can carry it. Needs torch.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from minetrace.errors import ModelError
from minetrace.models.plain_net import DARK, STRIDE, WINDOW, Layer, PlainNet
from minetrace.models.symmetry import WAYS, LiftConv, TurnConv, TurnNorm

__all__ = ["STRIDE", "WINDOW", "PatchNet"]

CENTRE, LOG_CENTRE = 0.35, -1.2  # roughly the middle of a forest's values and of their logarithms


class PatchNet(nn.Module):
    """A small network, equal under turns and flips; input is reflectance scaled to 0..1.

    Seen as plain layers: a 4 px kernel at stride 2, then 4, 3 and 3 px kernels with pooling by 2
    between; local features with a field of 20 px at stride 4 and of 36 px at stride 8.
    """

    def __init__(
        self, bands: int = 3, widths: tuple[int, int, int, int] = (32, 48, 64, 64),
        hidden: int = 48, drop: float = 0.3, logits: int = 1,
    ) -> None:  # fmt: skip
        """Draw the weights from torch's own generator.

        Args:
            bands: of the input.
            widths: channels of the four convolutions, multiples of 8.
            hidden: width of the layer before the logit.
            drop: dropout of the pooled features.
            logits: 1 for one class against the rest, else one a class.

        Raises:
            ModelError: a width is no multiple of 8.
        """
        if any(width % WAYS or not width for width in widths):
            raise ModelError(f"widths {widths} are not all multiples of 8; give network.width as "
                             "a multiple of 16")  # fmt: skip
        super().__init__()
        a, b, c, d = (width // WAYS for width in widths)
        self.conv1, self.norm1 = LiftConv(2 * bands, a, 4, stride=2), TurnNorm(a)
        self.conv2, self.norm2 = TurnConv(a, b, 4), TurnNorm(b)
        self.conv3, self.norm3 = TurnConv(b, c, 3), TurnNorm(c)
        self.conv4, self.norm4 = TurnConv(c, d, 3), TurnNorm(d)
        self.drop = nn.Dropout(drop)
        self.hidden = nn.Conv2d(2 * c + 2 * d, hidden, 1)
        self.logit = nn.Conv2d(hidden, logits, 1)
        mix, shift = _contrast(bands)
        self.register_buffer("mix", mix)
        self.register_buffer("shift", shift)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, logits, gh, gw) of (n, bands, h, w), 0..1; gh = (h - 48) // 8 + 1."""
        x = torch.cat([x, torch.log(x.clamp_min(0) + DARK)], 1)
        x = F.conv2d(x, self._buffer("mix"), self._buffer("shift"))
        x = F.relu(self.norm1(self.conv1(x)))
        x = F.max_pool2d(F.relu(self.norm2(self.conv2(x))), 2)
        near = F.relu(self.norm3(self.conv3(x)))
        wide = F.relu(self.norm4(self.conv4(F.max_pool2d(near, 2))))
        pooled = [*_summary(near, 8, 2), *_summary(wide, 2, 1)]
        out: Tensor = self.logit(self.drop(F.relu(self.hidden(self.drop(torch.cat(pooled, 1))))))
        return out

    def plain(self) -> PlainNet:
        """The same network as plain layers, normalisation and contrast folded into the kernels."""
        mix, shift = self._buffer("mix")[:, :, 0, 0], self._buffer("shift")
        kernel = self.conv1.kernel()
        first = torch.einsum("oikl,ij->ojkl", kernel, mix)
        bias = torch.einsum("oikl,i->o", kernel, shift)
        return PlainNet(
            (
                _folded(first, self.norm1, bias),
                _folded(self.conv2.kernel(), self.norm2),
                _folded(self.conv3.kernel(), self.norm3),
                _folded(self.conv4.kernel(), self.norm4),
            ),
            Layer(_array(self.hidden.weight), _array(self.hidden.bias)),
            Layer(_array(self.logit.weight), _array(self.logit.bias)),
        )

    def _buffer(self, name: str) -> Tensor:
        return self.get_buffer(name)


def _contrast(bands: int) -> tuple[Tensor, Tensor]:
    """What the first kernels see: values, the mean logarithm, and log ratios of neighbours.

    A ratio of bands does not change with illumination, which differs from date to date.
    """
    mix = torch.zeros(2 * bands, 2 * bands, 1, 1)
    shift = torch.zeros(2 * bands)
    mix[torch.arange(bands), torch.arange(bands)] = 3.0
    shift[:bands] = -3.0 * CENTRE
    for band in range(bands - 1):
        mix[bands + band, bands + band], mix[bands + band, bands + band + 1] = 1.0, -1.0
    mix[2 * bands - 1, bands:] = 1 / bands
    shift[2 * bands - 1] = -LOG_CENTRE
    return mix, shift


def _summary(x: Tensor, side: int, stride: int) -> list[Tensor]:
    """Mean over the eight ways, then its mean and its peak over the window."""
    n, _, h, w = x.shape
    alike = x.view(n, -1, WAYS, h, w).mean(2)
    return [F.avg_pool2d(alike, side, stride), F.max_pool2d(alike, side, stride)]


def _folded(kernel: Tensor, norm: TurnNorm, bias: Tensor | None = None) -> Layer:
    factor, shift = norm.affine()
    out = shift if bias is None else shift + bias * factor
    return Layer(_array(kernel * factor[:, None, None, None]), _array(out))


def _array(values: Tensor | None) -> NDArray[np.float32]:
    if values is None:
        raise ValueError("a layer without a bias cannot be exported")
    return np.ascontiguousarray(values.detach().numpy(), dtype=np.float32)
