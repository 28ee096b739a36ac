"""Other ways to lay a chip down, other days: pixels and mask changed together.

Pixels are standardised (mean 0 and deviation 1 per band over the training part), so one set of
amounts suits reflectance, decibels and metres alike; or they are shares of a full scale, where a
network takes reflectance as it is. Colour, air, cloud and haze touch optical bands only. Needs
torch.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.nn import functional as F

from minetrace.core.data_set import IGNORE
from minetrace.models.clouds import opacity
from minetrace.models.distortion import Distortion
from minetrace.models.survey import Survey

NOT_OPTICAL = frozenset({"vv", "vh", "elevation", "slope", "lwir", "lwir11", "lwir12"})
CLOUD_WHITE = 0.7  # reflectance
HAZE_WHITE = 0.35
SAME = 1e-5  # once scaled: how near to what a hole is filled with a pixel of one is
BRIGHT = 0.3  # reflectance that an exponent leaves as it is
AIR = {  # reflectance that clear air adds to dark ground, from above the atmosphere
    "coastal": 0.1, "blue": 0.063, "green": 0.033, "red": 0.021, "yellow": 0.027,
    "rededge071": 0.017, "rededge075": 0.014, "rededge078": 0.012, "nir": 0.009, "nir08": 0.008,
}  # fmt: skip


def whites(survey: Survey, white: float) -> Tensor:
    """A reflectance once standardised, (bands, 1, 1); NaN for bands that are not optical."""
    values = [
        math.nan if band in NOT_OPTICAL else (white - zero) / unit
        for band, zero, unit in zip(survey.bands, survey.zero, survey.unit, strict=True)
    ]
    return torch.tensor(np.array(values), dtype=torch.float32)[:, None, None]


def distorted(
    x: Tensor, mask: Tensor, how: Distortion, survey: Survey, draw: Generator
) -> tuple[Tensor, Tensor]:
    """A batch, changed each crop in its own way.

    Args:
        x: (n, bands, side, side), scaled.
        mask: (n, side, side) uint8, or (n, 1, 1) of whole chips.
        how: how far.
        survey: what scaled the pixels.
        draw: where the changes come from.
    """
    x, mask = laid_anew(x, mask, how, draw)
    rest = torch.from_numpy(survey.rest)
    unseen = ((x - rest).abs() < SAME).all(1, keepdim=True)
    x = recoloured(x, how, survey, draw)
    x = relit(x, how, draw)
    x = aired(x, how.air, survey, draw)
    x = veiled(x, how, survey, draw)
    if how.noise:
        amount = how.noise * torch.rand(len(x), 1, 1, 1, generator=draw)
        x = x + amount * torch.randn(x.shape, generator=draw)
    if survey.full is not None:
        x = x.clamp(0, 1)  # as the card's scaling clips it
    x = torch.where(unseen, rest, x)  # no cloud or noise where a run fills with the mean
    x, mask = holed(x, mask, how.hole, rest, draw)
    return dropped(x, how.band_dropout, draw, rest), mask


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


def recoloured(x: Tensor, how: Distortion, survey: Survey, draw: Generator) -> Tensor:
    """Paler or richer, and on another curve of brightness: reflectance of optical bands."""
    optical = [k for k, band in enumerate(survey.bands) if band not in NOT_OPTICAL]
    if not (how.saturation or how.gamma) or not optical:
        return x
    unit, zero = _column(survey.unit[optical]), _column(survey.zero[optical])
    seen = x[:, optical] * unit + zero
    grey = seen.mean(1, keepdim=True)
    seen = grey + (seen - grey) * torch.exp(how.saturation * _normal(len(x), 1, draw))
    power = torch.exp(how.gamma * _normal(len(x), 1, draw))
    seen = BRIGHT * (seen / BRIGHT).clamp_min(1e-3) ** power
    x = x.clone()
    x[:, optical] = (seen - zero) / unit
    return x


def aired(x: Tensor, share: float, survey: Survey, draw: Generator) -> Tensor:
    """Some of the crops with less or more air above: its light added or taken off."""
    if not share:
        return x
    amount = 1.5 * torch.rand(len(x), 1, 1, 1, generator=draw) - 1
    changed = torch.rand(len(x), 1, 1, 1, generator=draw) < share
    air = _column(np.array([AIR.get(band, 0.0) for band in survey.bands]) / survey.unit)
    return x + air * amount * changed


def _column(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))[:, None, None]


def _normal(n: int, bands: int, draw: Generator) -> Tensor:
    return torch.randn(n, bands, 1, 1, generator=draw)


def relit(x: Tensor, how: Distortion, draw: Generator) -> Tensor:
    """Another brightness and another contrast, of all bands and of each."""
    n, bands = x.shape[:2]
    contrast = how.contrast * _normal(n, 1, draw) + how.band_contrast * _normal(n, bands, draw)
    brightness = how.brightness * _normal(n, 1, draw)
    brightness = brightness + how.band_brightness * _normal(n, bands, draw)
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


def holed(
    x: Tensor, mask: Tensor, share: float, rest: Tensor, draw: Generator
) -> tuple[Tensor, Tensor]:
    """Some of the crops with a side cut off and filled, as a scan fills what nobody saw."""
    if not share:
        return x, mask
    n, side = len(x), x.shape[-1]
    which = torch.rand(n, generator=draw) < share
    depth = (torch.rand(n, generator=draw) * side * 0.3).view(-1, 1, 1, 1)
    along, across = torch.arange(side).view(1, 1, 1, -1), torch.arange(side).view(1, 1, -1, 1)
    upright = (torch.rand(n, generator=draw) < 0.5).view(-1, 1, 1, 1)
    cut = (torch.where(upright, along, across) < depth) & which.view(-1, 1, 1, 1)
    if mask.shape[-1] == side:
        mask = mask.masked_fill(cut[:, 0], IGNORE)
    return torch.where(cut, rest, x), mask


def dropped(x: Tensor, share: float, draw: Generator, rest: Tensor) -> Tensor:
    """Some of the crops without one of their bands: its mean stands everywhere."""
    if not share or x.shape[1] == 1:
        return x
    which = torch.rand(len(x), generator=draw) < share
    band = torch.randint(0, x.shape[1], (len(x),), generator=draw)
    gone = F.one_hot(band, x.shape[1]).bool() & which[:, None]
    return torch.where(gone[:, :, None, None], rest, x)
