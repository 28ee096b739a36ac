"""SegFormer of any size over any number of bands, at the size of its input. Needs torch.

Source: Xie et al. (2021); the network itself is that of transformers.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from minetrace.errors import ModelError

SIZES: dict[str, tuple[tuple[int, ...], tuple[int, ...], int]] = {
    "b0": ((2, 2, 2, 2), (32, 64, 160, 256), 256),
    "b1": ((2, 2, 2, 2), (64, 128, 320, 512), 256),
    "b2": ((3, 4, 6, 3), (64, 128, 320, 512), 768),
    "b3": ((3, 4, 18, 3), (64, 128, 320, 512), 768),
    "b4": ((3, 8, 27, 3), (64, 128, 320, 512), 768),
    "b5": ((3, 6, 40, 3), (64, 128, 320, 512), 768),
}
"""Layers and channels of the four stages, and channels of the decoder."""


class SegFormer(nn.Module):
    """The network of transformers, whose answer is brought to the size of its input."""

    def __init__(self, net: nn.Module) -> None:
        """Wrap a ``SegformerForSemanticSegmentation``."""
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, logits, h, w) of (n, bands, h, w); sides are multiples of 32."""
        quarter: Tensor = self.net(x).logits
        return F.interpolate(quarter, scale_factor=4.0, mode="bilinear", align_corners=False)


def make_segformer(transformers: Any, size: str, bands: int, logits: int) -> SegFormer:
    """A SegFormer with random weights.

    Args:
        transformers: the library.
        size: a key of `SIZES`.

    Raises:
        ModelError: there is no such size.
    """
    if size not in SIZES:
        raise ModelError(f"network: no SegFormer of size {size!r}; choose {', '.join(SIZES)}")
    depths, widths, decoder = SIZES[size]
    settings = transformers.SegformerConfig(
        num_channels=bands, num_labels=logits, depths=list(depths), hidden_sizes=list(widths),
        decoder_hidden_size=decoder,
    )  # fmt: skip
    return SegFormer(transformers.SegformerForSemanticSegmentation(settings))
