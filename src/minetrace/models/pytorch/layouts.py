"""Whose checkpoint a file is, told by its keys, and the network that it makes. Needs torch."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from minetrace.errors import ModelError
from minetrace.models.libraries import library, library_errors
from minetrace.models.pytorch import mining_net, segformer
from minetrace.models.pytorch.archive import Archive
from minetrace.models.pytorch.key_table import fitted


@dataclass(frozen=True)
class Network:
    """A network with the weights of a file, and what is known of its kind.

    Attributes:
        net: answers (n, logits, h, w).
        says: what it is, for the card.
        source: where the design was published.
        bands: how many it takes.
        logits: per pixel.
        known: common names of the bands, empty where the kind does not tell.
        window: its usual side, pixels; multiples of ``multiple`` are possible.
        multiple: what a side must be a multiple of.
        resolution_m: of the imagery it was made for, None if the kind does not tell.
    """

    net: nn.Module
    says: str
    source: str
    bands: int
    logits: int
    known: tuple[str, ...]
    window: int
    multiple: int
    resolution_m: float | None


def network_of(archive: Archive) -> Network:
    """Build the network of a checkpoint and give it its weights.

    Raises:
        ModelError: it is of no known kind, or does not fit.
        MissingExtraError: it needs a library that is not installed.
    """
    tensors = archive.tensors
    try:
        if segformer.is_segformer(tensors):
            return _segformer(archive)
        if mining_net.is_mining_net(tensors):
            return _mining_net(archive)
    except KeyError as error:
        raise ModelError(f"its key {error} is missing, so its size is not known") from error
    some = ", ".join(sorted(tensors)[:3])
    raise ModelError(
        f"its keys ({some} …) are not those of a checkpoint that is understood: MMSegmentation's "
        "SegFormer (backbone.layers.0.…, decode_head.…) or mining-net's U-Net (encoders.0.…)"
    )


def _segformer(archive: Archive) -> Network:
    transformers = library("transformers", "transformers", "foundation")
    with library_errors("transformers", "foundation"):
        net, table = segformer.make_segformer(transformers, archive.tensors)
    sizes = segformer.sizes_of(archive.tensors)
    wanted = net.state_dict()
    other = {target for entry in table for target in entry.targets} - wanted.keys()
    if other:
        raise ModelError(
            f"transformers {transformers.__version__} names the layers of its SegFormer otherwise; "
            "pip install -U 'minetrace[foundation]'"
        )
    net.load_state_dict(fitted(table, archive.tensors, wanted, segformer.IGNORED))
    says = f"SegFormer of MMSegmentation, layers {sizes.depths}, channels {sizes.widths}"
    source = "https://github.com/open-mmlab/mmsegmentation"
    return Network(net.eval(), says, source, sizes.bands, sizes.logits, (), 512, 32, None)


def _mining_net(archive: Archive) -> Network:
    net, table = mining_net.make_mining_net(archive.tensors)
    net.load_state_dict(fitted(table, archive.tensors, net.state_dict()))
    bands, depth = net.down[0][0].in_channels, len(net.rise)  # type: ignore[index]
    known = mining_net.BANDS if bands == len(mining_net.BANDS) else ()
    return Network(
        net.eval(), f"U-Net of mining-net, {depth} steps down",
        "https://github.com/felixschulz385/mining-net", int(bands), net.head.out_channels, known,
        mining_net.WINDOW, 2**depth, mining_net.RESOLUTION_M,
    )  # fmt: skip
