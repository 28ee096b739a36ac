"""MMSegmentation's SegFormer: the encoder of transformers, its own head, and its key table.

The head is not that of transformers: each stage is normalised and rectified before they are
joined, from the finest to the coarsest. The encoder's normalisations use 1e-6. Needs torch and
transformers.

Source of design and keys: Xie et al. (2021); MMSegmentation, ``MixVisionTransformer`` and
``SegformerHead``, https://github.com/open-mmlab/mmsegmentation (Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minetrace.models.pytorch.key_table import Entry, layer, norm

EPS = 1e-6
STAGES = 4
IGNORED = (r"auxiliary_head\.", r"decode_head\.loss", r"data_preprocessor\.")


@dataclass(frozen=True)
class Sizes:
    """What a checkpoint's shapes tell; b0 to b5 differ in these alone.

    Attributes:
        bands: of the input.
        logits: per pixel.
        depths: layers of the stages.
        widths: channels of the stages; heads are as many as the first width fits in.
        patches: sides of what the stages look at as one, pixels.
        reductions: sides of the squares that attention sees as one.
        ratio: of the layers within.
        channels: of the head.
    """

    bands: int
    logits: int
    depths: tuple[int, ...]
    widths: tuple[int, ...]
    patches: tuple[int, ...]
    reductions: tuple[int, ...]
    ratio: int
    channels: int


class MixSegFormer(nn.Module):
    """The network, whose answer is brought to the size of its input."""

    def __init__(self, backbone: nn.Module, sizes: Sizes) -> None:
        """Join an encoder and a new head."""
        super().__init__()
        self.backbone = backbone
        self.convs = nn.ModuleList(_Conv(width, sizes.channels) for width in sizes.widths)
        self.fusion = _Conv(STAGES * sizes.channels, sizes.channels)
        self.head = nn.Conv2d(sizes.channels, sizes.logits, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, logits, h, w) of (n, bands, h, w); sides are multiples of 32."""
        stages = self.backbone(x, output_hidden_states=True).hidden_states[-STAGES:]
        seen = [
            _resized(conv(stage), 2.0**step)
            for step, (conv, stage) in enumerate(zip(self.convs, stages, strict=True))
        ]
        return _resized(self.head(self.fusion(torch.cat(seen, 1))), 4.0)


class _Conv(nn.Sequential):
    def __init__(self, before: int, after: int) -> None:
        super().__init__(
            nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()
        )  # fmt: skip


def _resized(x: Tensor, factor: float) -> Tensor:
    if factor == 1.0:
        return x
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def is_segformer(tensors: Mapping[str, Tensor]) -> bool:
    """Whether keys are those of MMSegmentation's SegFormer."""
    return any(key.startswith("backbone.layers.0.1.0.attn.attn.") for key in tensors)


def make_segformer(
    transformers: Any, tensors: Mapping[str, Tensor]
) -> tuple[MixSegFormer, tuple[Entry, ...]]:
    """A network of the sizes that a checkpoint shows, and its table.

    Args:
        transformers: the library.

    Raises:
        KeyError: a key that the sizes are read from is missing.
    """
    sizes = sizes_of(tensors)
    settings = transformers.SegformerConfig(
        num_channels=sizes.bands, depths=list(sizes.depths), hidden_sizes=list(sizes.widths),
        patch_sizes=list(sizes.patches), sr_ratios=list(sizes.reductions),
        num_attention_heads=[width // sizes.widths[0] for width in sizes.widths],
        mlp_ratios=[sizes.ratio] * STAGES,
    )  # fmt: skip
    backbone = transformers.SegformerModel(settings)
    for module in backbone.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = EPS
    return MixSegFormer(backbone, sizes), _table(sizes)


def sizes_of(tensors: Mapping[str, Tensor]) -> Sizes:
    """The sizes that shapes tell.

    Raises:
        KeyError: a key that they are read from is missing.
    """
    stages = [f"backbone.layers.{stage}" for stage in range(STAGES)]
    entries = [tensors[f"{stage}.0.projection.weight"] for stage in stages]
    squares = [tensors.get(f"{stage}.1.0.attn.sr.weight") for stage in stages]
    within = tensors[f"{stages[0]}.1.0.ffn.layers.0.weight"].shape[0]
    return Sizes(
        bands=entries[0].shape[1],
        logits=tensors["decode_head.conv_seg.weight"].shape[0],
        depths=tuple(
            next(n for n in count() if f"{stage}.1.{n}.norm1.weight" not in tensors)
            for stage in stages
        ),
        widths=tuple(entry.shape[0] for entry in entries),
        patches=tuple(entry.shape[-1] for entry in entries),
        reductions=tuple(1 if square is None else square.shape[-1] for square in squares),
        ratio=within // entries[0].shape[0],
        channels=tensors["decode_head.convs.0.conv.weight"].shape[0],
    )


def _table(sizes: Sizes) -> tuple[Entry, ...]:
    return (
        *(e for stage in range(STAGES) for e in _stage(stage, sizes)),
        *(e for n in range(STAGES) for e in _conv(f"decode_head.convs.{n}", f"convs.{n}")),
        *_conv("decode_head.fusion_conv", "fusion"),
        *layer("decode_head.conv_seg", "head"),
    )


def _conv(source: str, target: str) -> tuple[Entry, ...]:
    return (*layer(f"{source}.conv", f"{target}.0", "weight"), *norm(f"{source}.bn", f"{target}.1"))


def _stage(number: int, sizes: Sizes) -> tuple[Entry, ...]:
    source, target = f"backbone.layers.{number}", f"backbone.stages.{number}"
    reduced = sizes.reductions[number] > 1
    return (
        *layer(f"{source}.0.projection", f"{target}.patch_embeddings.proj"),
        *layer(f"{source}.0.norm", f"{target}.patch_embeddings.layer_norm"),
        *(e for n in range(sizes.depths[number])
          for e in _layer(f"{source}.1.{n}", f"{target}.blocks.{n}", reduced)),
        *layer(f"{source}.2", f"{target}.layer_norm"),
    )  # fmt: skip


def _layer(source: str, target: str, reduced: bool) -> tuple[Entry, ...]:
    attention, inner = f"{source}.attn", f"{target}.attention"
    reduction: Sequence[Entry] = ()
    if reduced:
        square = f"{inner}.sequence_reduction"
        reduction = (
            *layer(f"{attention}.sr", f"{square}.sequence_reduction"),
            *layer(f"{attention}.norm", f"{square}.layer_norm"),
        )
    packed = tuple(
        Entry(f"{attention}.attn.in_proj_{part}",
              tuple(f"{inner}.{one}_proj.{part}" for one in ("q", "k", "v")))
        for part in ("weight", "bias")
    )  # fmt: skip
    return (
        *layer(f"{source}.norm1", f"{target}.layernorm_before"),
        *packed,
        *layer(f"{attention}.attn.out_proj", f"{inner}.o_proj"),
        *reduction,
        *layer(f"{source}.norm2", f"{target}.layernorm_after"),
        *layer(f"{source}.ffn.layers.0", f"{target}.mlp.fc1"),
        *layer(f"{source}.ffn.layers.1", f"{target}.mlp.dwconv.dwconv"),
        *layer(f"{source}.ffn.layers.4", f"{target}.mlp.fc2"),
    )
