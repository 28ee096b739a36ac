"""Prithvi-EO-2.0 with a UPerNet decoder, its bands by name. Needs torch and terratorch.

The transformer is that of terratorch, and so is the decoder; what is here is which weight of a
published file goes where, what of it learns, and a form that exports.

Source: Szwarcman et al. (2024), Prithvi-EO-2.0; Xiao et al. (2018), UPerNet.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from minetrace.core.model import Scaling
from minetrace.errors import ModelError
from minetrace.models.libraries import library, library_errors
from minetrace.models.pooling import FixedPool
from minetrace.models.pytorch.archive import read_archive
from minetrace.models.pytorch.key_table import Entry, fitted

BANDS = ("blue", "green", "red", "nir08", "swir16", "swir22")
STAND_INS = {"nir": "nir08"}  # Sentinel-2's broad band in place of the narrow one
MEANS = (1087.0, 1342.0, 1433.0, 2734.0, 1958.0, 1363.0)  # digital numbers, reflectance x 10,000
DEVIATIONS = (2248.0, 2179.0, 2178.0, 1850.0, 1242.0, 1049.0)
IGNORED = (
    r"(decoder|decoder_.*|mask_token|.*_dec\..*|encoder\.(temporal|location)_embed|"
    r"(temporal|location)_embed|(encoder\.)?pos_embed|pos_embed)"
)  # fmt: skip


@dataclass(frozen=True)
class Size:
    """One of the published sizes: channels, layers, heads, side of a patch."""

    width: int
    depth: int
    heads: int
    patch: int = 16


SIZES = {
    "tiny": Size(192, 12, 3),
    "100m": Size(768, 12, 12),
    "300m": Size(1024, 24, 16),
    "600m": Size(1280, 32, 16, 14),
}


def scaling(bands: Sequence[str]) -> dict[str, Scaling]:
    """How reflectance became input when it was trained.

    Raises:
        ModelError: it was not trained on a band.
    """
    found = {}
    for band in bands:
        known = STAND_INS.get(band, band)
        if known not in BANDS:
            raise ModelError(
                f"--scaling prithvi: it has no figures for the band {band}, only for "
                f"{', '.join(BANDS)}; choose another --scaling"
            )
        place = BANDS.index(known)
        found[band] = Scaling(10_000 / DEVIATIONS[place], -MEANS[place] / DEVIATIONS[place])
    return found


def make_prithvi(
    size: str, bands: Sequence[str], window: int, *, checkpoint: str = ""
) -> nn.Module:
    """A Prithvi encoder for one date.

    Args:
        size: a key of `SIZES`.
        bands: common names in the order of its input. Weights of a file go to the bands that it
            was trained on; others begin at random, and not all six need be there.
        window: side of its input, pixels: a multiple of its patches.
        checkpoint: such as ``Prithvi_EO_V2_300M.pt``, with or without time and place (``_TL``);
            empty for random weights.

    Raises:
        ModelError: there is no such size, or the file does not fit it.
        MissingExtraError: terratorch is not installed.
        MissingFileError: the checkpoint is not there.
    """
    if size not in SIZES:
        raise ModelError(f"network: no Prithvi of size {size!r}; choose {', '.join(SIZES)}")
    sizes = SIZES[size]
    if window % sizes.patch:
        raise ModelError(
            f"network: prithvi/{size} looks at patches of {sizes.patch} px, and a window of "
            f"{window} px is no multiple of them; choose {_near(window, sizes.patch)}"
        )
    net = _transformer(sizes, len(bands), window)
    if checkpoint:
        tensors = _by_name(read_archive(Path(checkpoint)).tensors, bands, net)
        net.load_state_dict(_fitted(Path(checkpoint), net, tensors))
    return net


class PrithviUPerNet(nn.Module):
    """The encoder, four of its layers as a pyramid, and a decoder: an answer for every pixel."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module, logits: int, channels: int) -> None:
        """Join an encoder and a decoder with a new head."""
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.head = nn.Conv2d(channels, logits, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, logits, h, w) of (n, bands, h, w)."""
        encoder: Any = self.encoder
        layers = encoder.forward_features(x)
        taken = [layers[n] for n in _quarters(len(layers))]
        seen = self.decoder(encoder.prepare_features_for_image_model(taken))
        return F.interpolate(self.head(seen), size=x.shape[-2:], mode="bilinear",
                             align_corners=False)  # fmt: skip


def make_upernet(
    size: str, bands: Sequence[str], logits: int, window: int, *, checkpoint: str = "",
    tuned_blocks: int = -1, channels: int = 256,
) -> PrithviUPerNet:  # fmt: skip
    """Prithvi with a UPerNet decoder.

    Args:
        size, bands, window, checkpoint: as of `make_prithvi`.
        logits: per pixel.
        tuned_blocks: how many of the encoder's last blocks learn: 0 for a frozen encoder, -1 for
            all of it.
        channels: of the decoder.

    Raises:
        ModelError: as of `make_prithvi`, or there are fewer blocks.
        MissingExtraError: terratorch is not installed.
    """
    encoder: Any = make_prithvi(size, bands, window, checkpoint=checkpoint)
    width, side = SIZES[size].width, window // SIZES[size].patch
    with library_errors("terratorch", "foundation"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the pyramid moves to another module one day
        decoders = library(
            "terratorch.models.decoders.upernet_decoder", "terratorch", "foundation"
        )  # fmt: skip
        decoder = decoders.UperNetDecoder([width] * 4, channels=channels, scale_modules=True)
    for branch in decoder.psp_modules:  # of the coarsest layer, half as fine as the patches
        branch[0] = FixedPool(side // 2, branch[0].output_size)
    _freeze(encoder, tuned_blocks)
    return PrithviUPerNet(encoder, decoder, logits, channels)


def _transformer(sizes: Size, bands: int, window: int) -> nn.Module:
    with library_errors("terratorch", "foundation"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what its own libraries say of their future
        module = library("terratorch.models.backbones.prithvi_mae", "terratorch", "foundation")
        net: nn.Module = module.PrithviViT(
            img_size=window, patch_size=(1, sizes.patch, sizes.patch), num_frames=1,
            in_chans=bands, embed_dim=sizes.width, depth=sizes.depth, num_heads=sizes.heads,
        )  # fmt: skip
    return net


def _by_name(
    tensors: Mapping[str, Tensor], bands: Sequence[str], net: nn.Module
) -> dict[str, Tensor]:  # fmt: skip
    """A file's weights under the encoder's own keys, its first layer for the bands asked for."""
    own = {
        key.replace("_timm_module.", "").removeprefix("encoder."): v for key, v in tensors.items()
    }
    first = own.get("patch_embed.proj.weight")
    if first is not None and first.ndim == 5 and first.shape[1] == len(BANDS):
        begun = net.state_dict()["patch_embed.proj.weight"].clone()
        if begun.shape[0] == first.shape[0] and begun.shape[2:] == first.shape[2:]:
            for place, band in enumerate(bands):
                known = STAND_INS.get(band, band) if "nir08" not in bands else band
                if known in BANDS:
                    begun[:, place] = first[:, BANDS.index(known)]
            own["patch_embed.proj.weight"] = begun
    return own


def _fitted(path: Path, net: nn.Module, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    wanted = net.state_dict()  # positions are computed from the window, not read
    table = [Entry(key, (key,)) for key in wanted if key != "pos_embed"]
    held = {key: value for key, value in tensors.items() if key != "pos_embed"}
    try:
        state = fitted(table, held, wanted, (IGNORED,))
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    return {**state, "pos_embed": wanted["pos_embed"]}


def _freeze(encoder: Any, tuned_blocks: int) -> None:
    blocks = len(encoder.blocks)
    if tuned_blocks > blocks:
        raise ModelError(f"network: tuned_blocks is {tuned_blocks}; this size has {blocks} blocks")
    if tuned_blocks < 0:
        return
    encoder.requires_grad_(False)
    for block in encoder.blocks[blocks - tuned_blocks :]:
        block.requires_grad_(True)
    if tuned_blocks:
        encoder.norm.requires_grad_(True)


def _quarters(depth: int) -> tuple[int, ...]:
    """Where the layers of the pyramid are: a quarter, a half, three quarters, all of the way."""
    return tuple(max(0, depth * part // 4 - 1) for part in (1, 2, 3, 4))


def _near(window: int, patch: int) -> int:
    return max(2, round(window / patch)) * patch
