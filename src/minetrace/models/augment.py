"""Other days, other air, other ways to lay a chip down.

Chips of one source share their weather and their processing, and a network learns that sooner
than it learns mines. Each draw here gives a chip another illumination, another atmosphere (up to
the removal of it, as in surface reflectance), thin cloud and holes. Needs torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from minetrace.models.clouds import opacity


@dataclass(frozen=True)
class Augmentation:
    """How far chips are changed; standard deviations unless said otherwise.

    Attributes:
        shift_px: largest shift along each axis.
        zoom: largest change of size, as a ratio above 1.
        turned_freely: share of chips turned by any angle, not by quarters only.
        saturation: of colour, logarithmic.
        gamma: of the exponent, logarithmic.
        gain: of brightness, logarithmic.
        band_gain: of each band alone, logarithmic.
        air: per band, what the atmosphere adds to dark ground, in input units.
        air_share: share of chips whose air is changed, from all removed to half as much again.
        band_offset: of each band alone.
        cloud_share: share of chips under thin or broken cloud.
        hole_share: share of chips with a hole.
        hole: per band, what a hole is filled with, in input units.
        noise: largest noise of single pixels.
    """

    air: tuple[float, ...]
    hole: tuple[float, ...]
    shift_px: int = 6
    zoom: float = 1.25
    turned_freely: float = 0.5
    saturation: float = 0.25
    gamma: float = 0.15
    gain: float = 0.2
    band_gain: float = 0.07
    air_share: float = 0.6
    band_offset: float = 0.02
    cloud_share: float = 0.15
    hole_share: float = 0.05
    noise: float = 0.012


def augmented(x: Tensor, how: Augmentation, draw: Generator) -> Tensor:
    """Chips (n, bands, side, side), 0..1, changed each in its own way, 0..1."""
    x = laid_anew(x, how, draw)
    x = recoloured(x, how, draw)
    x = clouded(x, how, draw)
    amount = how.noise * torch.rand(len(x), 1, 1, 1, generator=draw)
    x = (x + amount * torch.randn(x.shape, generator=draw)).clamp(0, 1)
    return holed(x, how, draw)


def laid_anew(x: Tensor, how: Augmentation, draw: Generator) -> Tensor:
    """Turned, flipped, shifted and resized; what is missing at the edge is mirrored."""
    n, side = len(x), x.shape[-1]
    free = torch.rand(n, generator=draw) < how.turned_freely
    quarters = torch.randint(0, 4, (n,), generator=draw) * (math.pi / 2)
    angle = torch.where(free, 2 * math.pi * torch.rand(n, generator=draw), quarters)
    size = torch.exp((2 * torch.rand(n, generator=draw) - 1) * math.log(how.zoom))
    size = torch.where(free, size, torch.ones(n))
    flip = torch.where(torch.rand(n, generator=draw) < 0.5, 1.0, -1.0)
    cos, sin = torch.cos(angle) * size, torch.sin(angle) * size
    move = torch.randint(-how.shift_px, how.shift_px + 1, (n, 2), generator=draw) * (2 / side)
    rows = torch.stack([torch.stack([cos * flip, -sin], 1), torch.stack([sin * flip, cos], 1)], 1)
    grid = F.affine_grid(torch.cat([rows, move[:, :, None]], 2), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)


def recoloured(x: Tensor, how: Augmentation, draw: Generator) -> Tensor:
    """Another illumination and another atmosphere."""
    n, bands = x.shape[:2]

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, 1, 1, generator=draw)

    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * torch.exp(how.saturation * normal(n, 1))
    x = x.clamp_min(1e-3) ** torch.exp(how.gamma * normal(n, 1))
    x = x * torch.exp(how.gain * normal(n, 1) + how.band_gain * normal(n, bands))
    amount = 1.5 * torch.rand(n, 1, 1, 1, generator=draw) - 1
    changed = torch.rand(n, 1, 1, 1, generator=draw) < how.air_share
    air = torch.tensor(how.air).view(1, -1, 1, 1) * amount * changed
    return (x + air + how.band_offset * normal(n, bands)).clamp(0, 1)


def clouded(x: Tensor, how: Augmentation, draw: Generator) -> Tensor:
    """Some of the chips under cloud of a thickness that varies over the chip."""
    which = torch.rand(len(x), generator=draw) < how.cloud_share
    if not bool(which.any()):
        return x
    out = x.clone()
    out[which] = under_cloud(x[which], draw)
    return out


def under_cloud(x: Tensor, draw: Generator, *, thickest: float = 0.9) -> Tensor:
    """Chips under smooth cloud.

    Args:
        x: (n, bands, side, side), 0..1.
        draw: where the cloud comes from.
        thickest: opacity of the thickest cloud; each chip gets some share of it.
    """
    n = len(x)
    thick = opacity(n, x.shape[-2:], draw, thickest=thickest)
    white = 0.6 + 0.5 * torch.rand(n, 1, 1, 1, generator=draw)
    return (x * (1 - thick) + white * thick).clamp(0, 1)


def holed(x: Tensor, how: Augmentation, draw: Generator) -> Tensor:
    """Some of the chips with a side cut off and filled, as a scan fills what nobody saw."""
    n, side = len(x), x.shape[-1]
    which = torch.rand(n, generator=draw) < how.hole_share
    depth = (torch.rand(n, generator=draw) * side * 0.3).view(-1, 1, 1, 1)
    along = torch.arange(side).view(1, 1, 1, -1)
    across = torch.arange(side).view(1, 1, -1, 1)
    upright = (torch.rand(n, generator=draw) < 0.5).view(-1, 1, 1, 1)
    cut = (torch.where(upright, along, across) < depth) & which.view(-1, 1, 1, 1)
    return torch.where(cut, torch.tensor(how.hole).view(1, -1, 1, 1), x)
