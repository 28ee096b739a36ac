"""mining-net's U-Net for Landsat, and its key table. Needs torch.

Source of the design and its keys: mining-net, https://github.com/felixschulz385/mining-net
(``epoch_NNN.pth`` and ``best_model.pth``). Its last layer, a sigmoid, is left to the model file.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minetrace.models.pytorch.key_table import Entry, layer, norm

BANDS = ("blue", "green", "red", "nir08", "swir16", "swir22", "lwir11")
WINDOW, RESOLUTION_M = 64, 30.0


class MiningUNet(nn.Module):
    """Widens with each of ``depth`` steps down, and comes up by transposed convolutions."""

    def __init__(self, bands: int, logits: int, width: int, depth: int) -> None:
        """Draw the weights from torch's own generator.

        Args:
            bands: of the input.
            logits: per pixel.
            width: channels at the top; they double with each step.
            depth: steps down.
        """
        super().__init__()
        widths = [width * 2**step for step in range(depth + 1)]
        ins = [bands, *widths[:-1]]
        self.down = nn.ModuleList(_Block(a, b) for a, b in zip(ins, widths, strict=True))
        self.rise = nn.ModuleList(
            nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in reversed(widths[:-1])
        )
        self.up = nn.ModuleList(_Block(2 * w, w) for w in reversed(widths[:-1]))
        self.head = nn.Conv2d(width, logits, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, logits, h, w) of (n, bands, h, w); sides are multiples of 2 ** depth."""
        bridges: list[Tensor] = []
        for step, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if step else x)
            bridges.append(x)
        bridges.pop()
        for rise, block in zip(self.rise, self.up, strict=True):
            x = block(torch.cat([rise(x), bridges.pop()], 1))
        out: Tensor = self.head(x)
        return out


class _Block(nn.Sequential):
    """Two convolutions of 3 px, each normalised."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(
            nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(),
        )  # fmt: skip


def is_mining_net(tensors: Mapping[str, Tensor]) -> bool:
    """Whether keys are those of a mining-net checkpoint."""
    return any(key.startswith("encoders.") and ".conv_block." in key for key in tensors)


def make_mining_net(tensors: Mapping[str, Tensor]) -> tuple[MiningUNet, tuple[Entry, ...]]:
    """A network of the sizes that a checkpoint shows, and its table.

    Raises:
        KeyError: a key that the sizes are read from is missing.
    """
    depth = next(n for n in count() if f"encoders.{n}.conv_block.conv1.weight" not in tensors)
    width, bands = tensors["encoders.0.conv_block.conv1.weight"].shape[:2]
    logits = tensors["output_layer.0.weight"].shape[0]
    return MiningUNet(bands, logits, width, depth), _table(depth)


def _table(depth: int) -> tuple[Entry, ...]:
    down = [(f"encoders.{step}.conv_block", f"down.{step}") for step in range(depth)]
    up = [(f"decoders.{step}.conv_block", f"up.{step}") for step in range(depth)]
    blocks = [*down, ("bottleneck", f"down.{depth}"), *up]
    return (
        *(entry for names in blocks for entry in _block(*names)),
        *(e for step in range(depth) for e in layer(f"decoders.{step}.upconv", f"rise.{step}")),
        *layer("output_layer.0", "head"),
    )


def _block(source: str, target: str) -> tuple[Entry, ...]:
    return (
        *layer(f"{source}.conv1", f"{target}.0"), *norm(f"{source}.bn1", f"{target}.1"),
        *layer(f"{source}.conv2", f"{target}.3"), *norm(f"{source}.bn2", f"{target}.4"),
    )  # fmt: skip
