"""The design of the published 48 px detectors, to train anew. Needs torch.

Three times three convolutions of 3 px with pooling between, then three dense layers: with 32
channels and 12 or 13 bands the network of about 117,000 parameters whose files are named CNN100k.
With 96 channels it is as large as their 800,000. It pads with zeros, so windows are judged one
by one.

Source: Earth Genome, Amazon Mining Watch.
"""

from __future__ import annotations

from torch import Tensor, nn

from minetrace.errors import ModelError

POOLS = (2, 2, 3)
SHRINK = 12


class PatchCnn(nn.Module):
    """Logits of whole windows."""

    def __init__(self, bands: int, logits: int = 1, *, window: int = 48, width: int = 32) -> None:
        """Draw the weights from torch's own generator.

        Raises:
            ModelError: the window is smaller than what is pooled to one.
        """
        super().__init__()
        if window < SHRINK:
            raise ModelError(f"window {window} is too small for this design: {SHRINK} at least")
        layers: list[nn.Module] = []
        before = bands
        for pool in POOLS:
            for _ in range(3):
                layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(inplace=True)]
                before = width
            layers.append(nn.MaxPool2d(pool))
        self.features = nn.Sequential(*layers, nn.Flatten())
        before, self.dense = width * (window // SHRINK) ** 2, nn.Sequential()
        for after in (64, 64, 32):
            self.dense.extend([nn.Linear(before, after), nn.ReLU(inplace=True), nn.Dropout(0.3)])
            before = after
        self.last = nn.Linear(before, logits)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, logits, 1, 1) of (n, bands, window, window)."""
        out: Tensor = self.last(self.dense(self.features(x)))[:, :, None, None]
        return out
