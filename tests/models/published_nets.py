"""Small networks written as their publishers wrote them, for checkpoints in their keys."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS, DEPTHS, REDUCTIONS = (16, 32, 80, 128), (1, 2, 1, 1), (8, 4, 2, 1)


def _as_tokens(x: Tensor) -> Tensor:
    return x.flatten(2).transpose(1, 2)


def _as_image(x: Tensor, side: int) -> Tensor:
    return x.transpose(1, 2).reshape(len(x), -1, side, side)


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        if reduction > 1:
            self.sr = nn.Conv2d(width, width, reduction, reduction)
            self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x: Tensor, side: int) -> Tensor:
        seen = x
        if hasattr(self, "sr"):
            seen = self.norm(_as_tokens(self.sr(_as_image(x, side))))
        return self.attn(x, seen, seen)[0]


class _Ffn(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, 4 * width, 1),
            nn.Conv2d(4 * width, 4 * width, 3, padding=1, groups=4 * width),
            nn.GELU(), nn.Dropout(0.0), nn.Conv2d(4 * width, width, 1), nn.Dropout(0.0),
        )  # fmt: skip


class _Layer(nn.Module):
    def __init__(self, width: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = _Attention(width, heads, reduction)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.ffn = _Ffn(width)

    def forward(self, x: Tensor, side: int) -> Tensor:
        x = x + self.attn(self.norm1(x), side)
        return x + _as_tokens(self.ffn.layers(_as_image(self.norm2(x), side)))


class _Embed(nn.Module):
    def __init__(self, before: int, width: int, first: bool) -> None:
        super().__init__()
        side, stride = (7, 4) if first else (3, 2)
        self.projection = nn.Conv2d(before, width, side, stride, side // 2)
        self.norm = nn.LayerNorm(width, eps=1e-6)


class _Backbone(nn.Module):
    def __init__(self, bands: int) -> None:
        super().__init__()
        stages = []
        for n, (width, depth, reduction) in enumerate(zip(WIDTHS, DEPTHS, REDUCTIONS, strict=True)):
            embed = _Embed(WIDTHS[n - 1] if n else bands, width, n == 0)
            layers = nn.ModuleList(
                _Layer(width, width // WIDTHS[0], reduction) for _ in range(depth)
            )
            stages.append(nn.ModuleList([embed, layers, nn.LayerNorm(width, eps=1e-6)]))
        self.layers = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        found = []
        for embed, layers, norm in self.layers:
            x = embed.projection(x)
            side = x.shape[-1]
            tokens = embed.norm(_as_tokens(x))
            for layer in layers:
                tokens = layer(tokens, side)
            x = _as_image(norm(tokens), side)
            found.append(x)
        return found


class _Conv(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, 1, bias=False)
        self.bn = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


class _Head(nn.Module):
    def __init__(self, logits: int, channels: int = 24) -> None:
        super().__init__()
        self.conv_seg = nn.Conv2d(channels, logits, 1)
        self.convs = nn.ModuleList(_Conv(width, channels) for width in WIDTHS)
        self.fusion_conv = _Conv(4 * channels, channels)

    def forward(self, stages: list[Tensor]) -> Tensor:
        side = stages[0].shape[-2:]
        seen = [
            functional.interpolate(conv(x), size=side, mode="bilinear", align_corners=False)
            for conv, x in zip(self.convs, stages, strict=True)
        ]
        return self.conv_seg(self.fusion_conv(torch.cat(seen, 1)))


class MmsegSegFormer(nn.Module):
    """The keys and the arithmetic of MMSegmentation's SegFormer."""

    def __init__(self, bands: int, logits: int) -> None:
        super().__init__()
        self.backbone = _Backbone(bands)
        self.decode_head = _Head(logits)

    def forward(self, x: Tensor) -> Tensor:
        out = self.decode_head(self.backbone(x))
        return functional.interpolate(out, size=x.shape[-2:], mode="bilinear", align_corners=False)


class _Pair(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x))))))


class _Down(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv_block = _Pair(before, after)


class _Up(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.upconv = nn.ConvTranspose2d(before, after, 2, 2)
        self.conv_block = _Pair(before, after)


class MiningNet(nn.Module):
    """The keys and the arithmetic of mining-net's U-Net, its sigmoid included."""

    def __init__(self, bands: int = 7, width: int = 4, depth: int = 2) -> None:
        super().__init__()
        widths = [width * 2**n for n in range(depth + 1)]
        self.encoders = nn.ModuleList(
            _Down(widths[n - 1] if n else bands, widths[n]) for n in range(depth)
        )
        self.bottleneck = _Pair(widths[-2], widths[-1])
        self.decoders = nn.ModuleList(_Up(widths[n + 1], widths[n]) for n in reversed(range(depth)))
        self.output_layer = nn.Sequential(nn.Conv2d(width, 1, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for encoder in self.encoders:
            skips.append(encoder.conv_block(x))
            x = functional.max_pool2d(skips[-1], 2)
        x = self.bottleneck(x)
        for decoder in self.decoders:
            x = decoder.conv_block(torch.cat([decoder.upconv(x), skips.pop()], 1))
        return self.output_layer(x)


def settled(net: nn.Module, bands: int, side: int) -> nn.Module:
    """Weights and running statistics as after a training: none is at its first value."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        for _ in range(2):
            net.train()(torch.randn(2, bands, side, side))
    return net.eval()
