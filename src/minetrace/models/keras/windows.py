"""How far a sliding kernel reaches over the edge: padding and sizes as TensorFlow defines them."""

from __future__ import annotations

from dataclasses import dataclass

from minetrace.errors import ModelError


@dataclass(frozen=True)
class Sliding:
    """A kernel that slides along one axis.

    Attributes:
        size: out, in pixels.
        before: pixels of padding before the first.
        after: and after the last.
    """

    size: int
    before: int
    after: int


def slide(size: int, kernel: int, stride: int, padding: str, *, dilation: int = 1) -> Sliding:
    """A convolution or pooling along one axis.

    With ``same``, the odd pixel of padding comes after, and a stride counts from the first pixel.

    Raises:
        ModelError: an unknown padding, or a kernel that does not fit.
    """
    reach = (kernel - 1) * dilation + 1
    if padding == "same":
        out = -(-size // stride)
        lacking = max((out - 1) * stride + reach - size, 0)
        return Sliding(out, lacking // 2, lacking - lacking // 2)
    if padding != "valid":
        raise ModelError(f"padding {padding!r} is not understood; 'same' and 'valid' are")
    if reach > size:
        raise ModelError(f"a kernel of {reach} px does not fit into {size} px")
    return Sliding((size - reach) // stride + 1, 0, 0)


def spread(size: int, kernel: int, stride: int, padding: str) -> Sliding:
    """A transposed convolution along one axis; ``before`` and ``after`` are cut off the result.

    ``after`` may be negative: so many zeros are added behind.

    Raises:
        ModelError: an unknown padding.
    """
    full = (size - 1) * stride + kernel
    if padding == "same":
        lacking = max(kernel - stride, 0)
        out = size * stride
        return Sliding(out, lacking // 2, full - out - lacking // 2)
    if padding != "valid":
        raise ModelError(f"padding {padding!r} is not understood; 'same' and 'valid' are")
    out = size * stride + max(kernel - stride, 0)
    return Sliding(out, 0, full - out)
