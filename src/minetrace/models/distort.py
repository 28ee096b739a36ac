"""Other ways to lay a chip down, other days: pixels and mask changed together.

Pixels are standardised (mean 0 and deviation 1 per band over the training part), so one set of
amounts suits reflectance, decibels and metres alike. Cloud and haze fall on optical bands only.
Needs torch.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from minetrace.models.clouds import opacity
from minetrace.models.distortion import Distortion
from minetrace.models.survey import Survey

NOT_OPTICAL = frozenset({"vv", "vh", "elevation", "slope", "lwir", "lwir11", "lwir12"})
CLOUD_WHITE = 0.7  # reflectance
HAZE_WHITE = 0.35


def whites(survey: Survey, white: float) -> Tensor:
    """A reflectance once standardised, (bands, 1, 1); NaN for bands that are not optical."""
    values = [
        math.nan if band in NOT_OPTICAL else (white - mean) / std
        for band, mean, std in zip(survey.bands, survey.mean, survey.std, strict=True)
    ]
    return torch.tensor(np.array(values), dtype=torch.float32)[:, None, None]


def distorted(
    x: Tensor, mask: Tensor, how: Distortion, survey: Survey, draw: Generator
) -> tuple[Tensor, Tensor]:
    """A batch, changed each crop in its own way.

    Args:
        x: (n, bands, side, side), standardised.
        mask: (n, side, side) uint8, or (n, 1, 1) of whole chips.
        how: how far.
        survey: whose statistics standardised the pixels.
        draw: where the changes come from.
    """
    x, mask = laid_anew(x, mask, how, draw)
    x = relit(x, how, draw)
    x = veiled(x, how, survey, draw)
    if how.noise:
        amount = how.noise * torch.rand(len(x), 1, 1, 1, generator=draw)
        x = x + amount * torch.randn(x.shape, generator=draw)
    return dropped(x, how.band_dropout, draw), mask


def laid_anew(x: Tensor, mask: Tensor, how: Distortion, draw: Generator) -> tuple[Tensor, Tensor]:
    """Turned, flipped, shifted and resized; what is missing at the edge is mirrored."""
    if how.turns:
        x, mask = _quarter_turned(x, mask, draw)
    which = torch.rand(len(x), generator=draw) < how.turned_freely
    if not bool(which.any()) and not how.shift_px:
        return x, mask
    n, side = len(x), x.shape[-1]
    angle = 2 * math.pi * torch.rand(n, generator=draw)
    size = torch.exp((2 * torch.rand(n, generator=draw) - 1) * math.log(how.zoom))
    angle = torch.where(which, angle, torch.zeros(n))
    size = torch.where(which, size, torch.ones(n))
    move = torch.randint(-how.shift_px, how.shift_px + 1, (n, 2), generator=draw) * (2 / side)
    moved = which | (move != 0).any(1)
    cos, sin = torch.cos(angle) * size, torch.sin(angle) * size
    rows = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
    theta = torch.cat([rows, move[:, :, None]], 2)[moved]
    grid = F.affine_grid(theta, [len(theta), 1, side, side], align_corners=False)
    x = x.clone()
    x[moved] = F.grid_sample(x[moved], grid, padding_mode="reflection", align_corners=False)
    if mask.shape[-1] == side:
        laid = F.grid_sample(
            mask[moved][:, None].float(), grid, "nearest", "reflection", align_corners=False
        )
        mask = mask.clone()
        mask[moved] = laid[:, 0].to(mask.dtype)
    return x, mask


def _quarter_turned(x: Tensor, mask: Tensor, draw: Generator) -> tuple[Tensor, Tensor]:
    ways = torch.randint(0, 8, (len(x),), generator=draw).tolist()
    turned = [
        (torch.rot90(one.flip(-1) if way > 3 else one, way % 4, (-2, -1)),
         torch.rot90(known.flip(-1) if way > 3 else known, way % 4, (-2, -1)))
        for one, known, way in zip(x, mask, ways, strict=True)
    ]  # fmt: skip
    return torch.stack([one for one, _ in turned]), torch.stack([known for _, known in turned])


def relit(x: Tensor, how: Distortion, draw: Generator) -> Tensor:
    """Another brightness and another contrast, of all bands and of each."""
    n, bands = x.shape[:2]

    def normal(count: int) -> Tensor:
        return torch.randn(n, count, 1, 1, generator=draw)

    contrast = how.contrast * normal(1) + how.band_contrast * normal(bands)
    brightness = how.brightness * normal(1) + how.band_brightness * normal(bands)
    return x * torch.exp(contrast) + brightness


def veiled(x: Tensor, how: Distortion, survey: Survey, draw: Generator) -> Tensor:
    """Some of the crops under cloud, some under haze."""
    for share, reflectance, even in ((how.cloud, CLOUD_WHITE, False), (how.haze, HAZE_WHITE, True)):
        which = torch.rand(len(x), generator=draw) < share
        if not bool(which.any()):
            continue
        count = int(which.sum())
        white = whites(survey, reflectance)
        if even:
            thick = 0.4 * torch.rand(count, 1, 1, 1, generator=draw)
        else:
            thick = opacity(count, x.shape[-2:], draw, thickest=0.8)
        under = x[which]
        mixed = under * (1 - thick) + torch.nan_to_num(white) * thick
        x = x.clone()
        x[which] = torch.where(torch.isnan(white), under, mixed)
    return x


def dropped(x: Tensor, share: float, draw: Generator) -> Tensor:
    """Some of the crops without one of their bands: its mean stands everywhere."""
    if not share or x.shape[1] == 1:
        return x
    which = torch.rand(len(x), generator=draw) < share
    band = torch.randint(0, x.shape[1], (len(x),), generator=draw)
    gone = F.one_hot(band, x.shape[1]).bool() & which[:, None]
    return x.masked_fill(gone[:, :, None, None], 0.0)
