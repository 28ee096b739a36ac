"""Probes: a logistic regression, or a small network, on what a frozen backbone describes.

Without a backbone the bands themselves are what is probed: embeddings that somebody else computed.
Needs torch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minetrace.models.architectures import Tokens
from minetrace.models.backbone import Backbone


class Probe(nn.Module):
    """A head on vectors; the backbone never learns."""

    def __init__(
        self, backbone: Backbone | None, bands: int, logits: int, *, tokens: Tokens = "patch",
        hidden: int = 0, drop: float = 0.1,
    ) -> None:  # fmt: skip
        """Draw the weights of the head from torch's own generator.

        Args:
            backbone: describes windows; None if the bands are embeddings already.
            bands: of the input.
            logits: per answer.
            tokens: what of a window is probed: its patches, the window as a whole, or patches
                with the whole beside each.
            hidden: width of the layer between; 0 for a logistic regression.
            drop: dropout of that layer.
        """
        super().__init__()
        self.backbone, self.tokens = backbone, tokens
        width = bands if backbone is None else backbone.width * (2 if tokens == "both" else 1)
        self.head = nn.Conv2d(width, logits, 1) if not hidden else nn.Sequential(
            nn.Conv2d(width, hidden, 1), nn.ReLU(), nn.Dropout(drop), nn.Conv2d(hidden, logits, 1)
        )  # fmt: skip
        if backbone is not None:
            backbone.requires_grad_(False)

    def train(self, mode: bool = True) -> Probe:
        """Learn, or judge; the backbone always judges."""
        super().train(mode)
        if self.backbone is not None:
            self.backbone.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Logits of (n, bands, h, w): (n, logits, h, w), or (n, logits, 1, 1) of the whole."""
        if self.backbone is None:
            answer: Tensor = self.head(x)
            return answer
        with torch.no_grad():
            whole, patches = self.backbone(x)
        if self.tokens == "class":
            single: Tensor = self.head(whole[:, :, None, None])
            return single
        if self.tokens == "both":
            beside = whole[:, :, None, None].expand(-1, -1, *patches.shape[-2:])
            patches = torch.cat([patches, beside], 1)
        return F.interpolate(self.head(patches), size=x.shape[-2:], mode="bilinear",
                             align_corners=False)  # fmt: skip
