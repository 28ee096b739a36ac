"""Networks by name: what a study may ask for, and how each is built.

Ours need torch alone; the others come from segmentation-models-pytorch, transformers and timm and
are imported when they are asked for. Whatever the design, a network takes (n, bands, h, w) and
gives logits (n, logits, h, w) per pixel, or (n, logits, 1, 1) per window.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from minetrace.core.bands import nearest
from minetrace.core.model import Output
from minetrace.errors import ModelError
from minetrace.models.libraries import library, library_errors

if TYPE_CHECKING:
    from torch import Tensor, nn

Tokens = Literal["patch", "class", "both"]
DESIGNS = {
    "unet": "our U-Net: width, depth and fold to choose",
    "patchnet": "ours for windows of 48 px: no up or left, answers every 8 px; takes reflectance",
    "patch-cnn": "the published 48 px detectors: width 32 for the 100k design, 96 for 800k",
    "smp/NAME": "any of segmentation-models-pytorch, such as smp/Unet or smp/DeepLabV3Plus",
    "segformer/SIZE": "SegFormer of transformers, segformer/b0 to segformer/b5",
    "timm/NAME": "any classifier of timm, such as timm/resnet18: one answer a window",
    "prithvi/SIZE": "Prithvi-EO-2.0 with a UPerNet decoder: prithvi/300m, prithvi/600m",
    "probe": "a regression or a small network on what a frozen backbone describes",
}


@dataclass(frozen=True)
class Network:
    """A design and its sizes.

    Attributes:
        design: a key of `DESIGNS`, with a name in place of NAME or SIZE.
        width: channels of our own designs at the top; 0 for the design's own.
        depth: steps down of the U-Net.
        fold: pixels along a side that the U-Net looks at as one.
        encoder: of an smp design.
        pretrained: weights of the encoder, such as ``imagenet``, fetched by its library; empty for
            none.
        backbone: of a probe, ``timm/NAME``, ``terratorch/NAME`` or ``prithvi/SIZE``; empty if the
            bands are embeddings already.
        tokens: what of a window a probe sees: its patches, the window (``class``), or both.
        hidden: width of a probe's inner layer; 0 for a logistic regression.
        checkpoint: a file with the weights of a Prithvi or of a probe's backbone.
        tuned_blocks: the last blocks of a Prithvi that learn; 0 for a frozen one, -1 for all.
        band_names: common names of the input, for networks that know their bands.
    """

    design: str = "unet"
    width: int = 0
    depth: int = 4
    fold: int = 1
    encoder: str = "resnet18"
    pretrained: str = ""
    backbone: str = ""
    tokens: Tokens = "patch"
    hidden: int = 0
    checkpoint: str = ""
    tuned_blocks: int = -1
    band_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.family not in _BUILDERS or ("/" in self.design) != (self.family in _NAMED):
            hint = nearest(self.design, list(DESIGNS))
            raise ModelError(
                f"no design is called {self.design!r}; "
                + (f"did you mean {hint!r}? " if hint else "")
                + f"choose among {', '.join(DESIGNS)}"
            )

    @property
    def family(self) -> str:
        """The part of the design before the slash."""
        return self.design.partition("/")[0]

    @property
    def output(self) -> Output:
        """Whether it answers for pixels or for windows."""
        windows = self.family == "probe" and self.backbone and self.tokens == "class"
        single = self.family in ("patchnet", "patch-cnn", "timm") or windows
        return "patch" if single else "pixels"

    @property
    def full_scale(self) -> float | None:
        """Reflectance that it takes as 1; None if it takes bands of mean 0 and deviation 1."""
        return 0.3 if self.family == "patchnet" else None

    @property
    def stride(self) -> int | None:
        """Pixels between its answers over a larger square; None if it takes single windows."""
        return 8 if self.family == "patchnet" else None


def build(network: Network, bands: int, logits: int, window: int) -> nn.Module:
    """A network with weights from torch's own generator, tried once on nothing.

    Args:
        bands: of the input.
        logits: per pixel or window: 1 for one class against the rest, else one a class.
        window: side of the input, pixels.

    Raises:
        ModelError: its library knows no such network, or the window does not suit it.
        MissingExtraError: its library is not installed.
    """
    import torch

    state = torch.get_rng_state()
    net = _BUILDERS[network.family](network, bands, logits, window)
    side = window if network.output == "pixels" else 1
    after = torch.get_rng_state()
    try:
        with torch.no_grad():
            shape = tuple(net.eval()(torch.zeros(2, bands, window, window)).shape)
    except (RuntimeError, ValueError, AssertionError) as error:
        raise ModelError(_misfit(network, window, error)) from error
    finally:
        torch.set_rng_state(after)
    if shape != (2, logits, side, side):
        torch.set_rng_state(state)
        raise ModelError(_misfit(network, window, f"its answer has the shape {shape}"))
    return net.train()


def _misfit(network: Network, window: int, why: object) -> str:
    said = " ".join(str(why).split())
    return (
        f"network {network.design} cannot take windows of {window} px ({said[:160]}); choose a "
        "window that is a multiple of 32, or of what the network halves"
    )


def _unfetched(network: Network, why: OSError) -> str:
    said = " ".join(str(why).split())[:160]
    return (
        f"network: the weights {network.pretrained!r} of {network.design} could not be fetched "
        f"({said}); leave pretrained out, or try again where the network can be reached"
    )


def _unet(network: Network, bands: int, logits: int, window: int) -> nn.Module:
    from minetrace.models.unet import UNet

    return UNet(bands, logits, width=network.width or 24, depth=network.depth, fold=network.fold)


def _patchnet(network: Network, bands: int, logits: int, window: int) -> nn.Module:
    from minetrace.models.patch_net import PatchNet

    first = network.width or 32
    widths = first, first * 3 // 2, first * 2, first * 2
    return PatchNet(bands, widths, logits=logits)


def _patch_cnn(network: Network, bands: int, logits: int, window: int) -> nn.Module:
    from minetrace.models.patch_cnn import PatchCnn

    return PatchCnn(bands, logits, window=window, width=network.width or 32)


def _smp(network: Network, bands: int, logits: int, window: int) -> nn.Module:
    smp = library("segmentation_models_pytorch", "segmentation-models-pytorch", "train")
    name = network.design.partition("/")[2]
    sized = {"img_size": window} if name.lower() == "dpt" else {}  # of its transformer
    try:
        net: nn.Module = smp.create_model(
            name, network.encoder, network.pretrained or None, bands, logits, **sized
        )
    except OSError as error:
        raise ModelError(_unfetched(network, error)) from error
    except (KeyError, ValueError, NotImplementedError) as error:
        raise ModelError(
            f"network: segmentation-models-pytorch cannot make {name!r} with the encoder "
            f"{network.encoder!r} ({' '.join(str(error).split())[:200]})"
        ) from error
    return net


def _segformer(network: Network, bands: int, logits: int, window: int) -> nn.Module:
    from minetrace.models.segformer import make_segformer

    transformers = library("transformers", "transformers", "foundation")
    with library_errors("transformers", "foundation"):
        return make_segformer(transformers, network.design.partition("/")[2], bands, logits)


def _timm(network: Network, bands: int, logits: int, window: int) -> nn.Module:
    timm = library("timm", "timm", "train")
    name = network.design.partition("/")[2]
    try:
        net = timm.create_model(
            name, pretrained=bool(network.pretrained), in_chans=bands, num_classes=logits
        )
    except OSError as error:
        raise ModelError(_unfetched(network, error)) from error
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"network: timm cannot make {name!r} ({error})") from error
    return _per_window(net)


def _prithvi(network: Network, bands: int, logits: int, window: int) -> nn.Module:
    from minetrace.models.prithvi import make_upernet

    return make_upernet(
        network.design.partition("/")[2], _named(network, bands), logits, window,
        checkpoint=network.checkpoint, tuned_blocks=network.tuned_blocks,
        channels=network.width or 256,
    )  # fmt: skip


def _probe(network: Network, bands: int, logits: int, window: int) -> nn.Module:
    from minetrace.models.backbone import make_backbone
    from minetrace.models.probe import Probe

    backbone = None
    if network.backbone:
        backbone = make_backbone(
            network.backbone, _named(network, bands), window, checkpoint=network.checkpoint,
            pretrained=bool(network.pretrained),
        )  # fmt: skip
    return Probe(backbone, bands, logits, tokens=network.tokens, hidden=network.hidden)


def _named(network: Network, bands: int) -> tuple[str, ...]:
    return network.band_names or tuple(f"band{n}" for n in range(bands))


def _per_window(net: Any) -> nn.Module:
    from torch import nn

    class PerWindow(nn.Module):
        """A classifier whose logits get two axes of one cell."""

        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.net(x)[:, :, None, None]
            return out

    return PerWindow()


_BUILDERS: dict[str, Callable[[Network, int, int, int], nn.Module]] = {
    "unet": _unet,
    "patchnet": _patchnet,
    "patch-cnn": _patch_cnn,
    "smp": _smp,
    "segformer": _segformer,
    "timm": _timm,
    "prithvi": _prithvi,
    "probe": _probe,
}
_NAMED = ("smp", "segformer", "timm", "prithvi")
