"""A U-Net with a depth and a width to choose: a logit per pixel and class. Needs torch.

Source of the design: Ronneberger, Fischer & Brox (2015), with padding and batch normalisation.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minetrace.errors import ModelError


class UNet(nn.Module):
    """Contracts ``depth`` times by two, widening each time, and expands again along bridges.

    With ``fold`` above 1, squares of fold x fold pixels become channels before the first
    convolution and pixels again after the last: four times less work at 2, for outlines that are
    as sharp as a linear map of the half-size features makes them.
    """

    def __init__(
        self, bands: int, logits: int = 1, *, width: int = 24, depth: int = 4, fold: int = 1,
        drop: float = 0.1,
    ) -> None:  # fmt: skip
        """Draw the weights from torch's own generator.

        Args:
            bands: of the input.
            logits: per pixel.
            width: channels at the top; they double with each step down, to eight times at most.
            depth: steps down.
            fold: side of the square of pixels that is looked at as one.
            drop: dropout of whole channels at the bottom.

        Raises:
            ModelError: a size is not positive.
        """
        super().__init__()
        if min(bands, logits, width, depth, fold) < 1:
            raise ModelError(
                f"a U-Net of width {width}, depth {depth} and fold {fold}: each must be 1 or more"
            )
        self.fold, self.depth = fold, depth
        widths = [width * min(2**step, 8) for step in range(depth + 1)]
        first = bands * fold**2
        self.down = nn.ModuleList(
            _Block(before, after)
            for before, after in zip([first, *widths[:-1]], widths, strict=True)
        )
        self.up = nn.ModuleList(
            _Block(widths[step] + widths[step + 1], widths[step]) for step in reversed(range(depth))
        )
        self.drop = nn.Dropout2d(drop)
        self.head = nn.Conv2d(width, logits * fold**2, 1)

    @property
    def multiple(self) -> int:
        """What the sides of an image must be a multiple of, pixels."""
        return int(self.fold * 2**self.depth)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, logits, h, w) of (n, bands, h, w); sides are multiples of ``multiple``."""
        x = F.pixel_unshuffle(x, self.fold) if self.fold > 1 else x
        bridges: list[Tensor] = []
        for step, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if step else x)
            bridges.append(x)
        x = self.drop(bridges.pop())
        for block in self.up:
            wide = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = block(torch.cat([bridges.pop(), wide], 1))
        x = self.head(x)
        return F.pixel_shuffle(x, self.fold) if self.fold > 1 else x


class _Block(nn.Sequential):
    """Two convolutions of 3 px, each normalised."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(
            nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
            nn.Conv2d(after, after, 3, padding=1, bias=False), nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
        )  # fmt: skip
