"""Networks that describe rather than judge: one vector a window, and one a patch of it.

Any vision transformer or convolutional network of timm, any of terratorch that takes a picture,
and Prithvi, over any number of bands. Needs torch and the library of the one asked for.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from minetrace.core.bands import nearest
from minetrace.errors import ModelError
from minetrace.models.libraries import library, library_errors
from minetrace.models.pytorch.archive import read_archive
from minetrace.models.pytorch.key_table import Entry, fitted

FAMILIES = ("timm", "terratorch", "prithvi")
HEADS = (r"head\.", r"head_dist\.", r"fc\.", r"classifier\.", r"fc_norm\.")
HLS = {
    "coastal": "COASTAL_AEROSOL", "blue": "BLUE", "green": "GREEN", "red": "RED",
    "rededge071": "RED_EDGE_1", "rededge075": "RED_EDGE_2", "rededge078": "RED_EDGE_3",
    "nir": "NIR_BROAD", "nir08": "NIR_NARROW", "nir09": "WATER_VAPOR", "cirrus": "CIRRUS",
    "swir16": "SWIR_1", "swir22": "SWIR_2", "lwir11": "THEMRAL_INFRARED_1",
    "lwir12": "THEMRAL_INFRARED_2", "vv": "VV", "vh": "VH",
}  # fmt: skip
"""terratorch's names of bands, its spelling included."""


class Backbone(nn.Module):
    """A network that answers with a vector for the window and a vector for each patch of it."""

    def __init__(self, net: nn.Module, bands: int, window: int) -> None:
        """Wrap a network, and look at what it answers.

        Args:
            net: gives tokens (n, tokens, width) or a map (n, width, h, w), or a list whose last
                is one.
            bands: of the input.
            window: side of the input, pixels.

        Raises:
            ModelError: it does not take such windows.
        """
        super().__init__()
        self.net = net
        self.prefix: int | None = getattr(net, "num_prefix_tokens", None)
        self.last = getattr(net, "output_fmt", None) is not None and "NHWC" in str(net.output_fmt)
        try:
            with torch.no_grad():
                whole, patches = self.eval()(torch.zeros(1, bands, window, window))
        except (
            RuntimeError,
            ValueError,
            AssertionError,
            TypeError,
            AttributeError,
            LookupError,
        ) as error:
            said = " ".join(str(error).split())[:160]
            raise ModelError(
                f"this backbone does not take {bands} bands in windows of {window} px ({said}); "
                "choose a window that is a multiple of its patches, or another backbone"
            ) from error
        self.width = int(whole.shape[1])
        self.side = int(patches.shape[-1])
        if window % self.side:
            raise ModelError(
                f"this backbone makes {self.side} patches of {window} px; choose a window that is "
                "a multiple of its patches"
            )
        self.cell_px = window // self.side

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors (n, width) of windows and (n, width, side, side) of their patches."""
        describe = getattr(self.net, "forward_features", self.net)
        found: Any = describe(x)
        found = found[-1] if isinstance(found, list | tuple) else found
        if found.ndim == 4:
            patches = found.permute(0, 3, 1, 2) if self.last else found
            return patches.mean((2, 3)), patches
        count = int(found.shape[1])
        side = isqrt(count - (self.prefix or 0))
        first = count - side**2
        patches = found[:, first:].transpose(1, 2).reshape(found.shape[0], -1, side, side)
        return (found[:, 0] if first else found.mean(1)), patches

    def describe(
        self, images: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What it says of images (n, bands, window, window), as arrays of its own."""
        with torch.no_grad():
            whole, patches = self(torch.from_numpy(images))
        return whole.numpy().copy(), patches.numpy().copy()


def make_backbone(
    name: str, bands: Sequence[str], window: int, *, checkpoint: str = "", pretrained: bool = False
) -> Backbone:
    """A backbone by name.

    Args:
        name: ``timm/NAME``, ``terratorch/NAME`` or ``prithvi/300m``.
        bands: common names, in the order of its input.
        window: side of its input, pixels.
        checkpoint: a file with its weights; empty for random ones.
        pretrained: whether its library may fetch weights.

    Raises:
        ModelError: nothing is called so, it does not take such windows, or the file does not fit.
        MissingExtraError: its library is not installed.
        MissingFileError: the checkpoint is not there.
    """
    family, _, inner = name.partition("/")
    if family not in FAMILIES or not inner:
        raise ModelError(
            f"no backbone is called {name!r}; give timm/NAME, such as timm/vit_small_patch16_224, "
            "terratorch/NAME, or prithvi/300m"
        )
    if family == "prithvi":
        from minetrace.models.prithvi import make_prithvi

        return Backbone(make_prithvi(inner, bands, window, checkpoint=checkpoint), len(bands),
                        window)  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what libraries say of their own future
        make = _timm if family == "timm" else _terratorch
        net = make(inner, bands, window, pretrained)
    if checkpoint:
        net.load_state_dict(_weights(net, Path(checkpoint)))
    return Backbone(net, len(bands), window)


def _timm(name: str, bands: Sequence[str], window: int, pretrained: bool) -> nn.Module:
    timm = library("timm", "timm", "foundation")
    if name not in timm.list_models():
        hint = nearest(name, timm.list_models())
        raise ModelError(f"timm has no {name!r}" + (f"; did you mean {hint!r}?" if hint else ""))
    settings = {"pretrained": pretrained, "in_chans": len(bands), "num_classes": 0}
    try:
        net: nn.Module = timm.create_model(name, img_size=window, **settings)
    except TypeError:  # a network of convolutions takes any side
        net = timm.create_model(name, **settings)
    return net


def _terratorch(name: str, bands: Sequence[str], window: int, pretrained: bool) -> nn.Module:
    with library_errors("terratorch", "foundation"):
        library("terratorch.models.backbones", "terratorch", "foundation")
        registry = library("terratorch.registry", "terratorch", "foundation")
    known = registry.TERRATORCH_BACKBONE_REGISTRY
    if name not in known:
        hint = nearest(name, list(known))
        raise ModelError(
            f"terratorch has no backbone {name!r}" + (f"; did you mean {hint!r}?" if hint else "")
        )
    said: list[dict[str, Any]] = [
        {"bands": [HLS.get(band, band.upper()) for band in bands], "img_size": window},
        {"model_bands": [HLS.get(band, band.upper()) for band in bands]},
        {"in_chans": len(bands)},
        {},
    ]
    errors = []
    for settings in said:  # its makers take bands under one of several names
        try:
            net: nn.Module = known.build(name, pretrained=pretrained, **settings)
        except (TypeError, ValueError, KeyError, RuntimeError, AssertionError) as error:
            errors.append(" ".join(str(error).split())[:120])
        else:
            return net
    raise ModelError(f"terratorch cannot make {name!r} for {', '.join(bands)} ({errors[0]})")


def _weights(net: Any, path: Path) -> Mapping[str, Tensor]:
    """A whole state out of a file; positions are resampled where windows differ in size."""
    tensors: Mapping[str, Tensor] = read_archive(path).tensors
    if hasattr(net, "pos_embed") and hasattr(net, "num_prefix_tokens"):
        from timm.models.vision_transformer import checkpoint_filter_fn

        tensors = checkpoint_filter_fn(dict(tensors), net)
    wanted = net.state_dict()
    table = [Entry(key, (key,)) for key in wanted if not key.endswith("num_batches_tracked")]
    try:
        return fitted(table, tensors, wanted, HEADS)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
