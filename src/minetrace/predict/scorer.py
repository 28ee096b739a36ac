"""Any function on pixels as a scorer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minetrace.core.footprints import Extent
from minetrace.core.model import ModelCard


@dataclass(frozen=True)
class FunctionScorer:
    """A function of bands, and the card that says what it wants. Pickles if the function does."""

    fn: Callable[..., NDArray[Any]]
    card: ModelCard

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities of squares; see `Scorer`."""
        answer = np.asarray(self.fn(*np.moveaxis(image, 1, 0)), dtype=np.float32)
        if answer.shape == (len(image), *image.shape[2:]):
            return answer[:, None]
        if self.card.output == "patch" and answer.ndim in (1, 3):
            side = self.card.grid_side
            return answer.reshape(len(image), 1, side, side)
        return answer


def function_scorer(
    fn: Callable[..., NDArray[Any]],
    bands: Sequence[str],
    *,
    name: str = "function",
    window: int = 256,
    stride: int | None = None,
    extent: Extent = "mined",
    min_valid_share: float = 0.0,
    **card: Any,
) -> FunctionScorer:
    """A scorer from a function such as ``lambda red, nir: red > nir``.

    Args:
        fn: takes one array (n, h, w) of reflectance per band, in the order of ``bands``; gives
            probabilities (n, h, w), or (n,) where the card says ``output="patch"``. NaN is not
            looked at. It must treat the n squares alike and apart.
        bands: STAC common names.
        window: side of the squares, pixels; what ``fn`` can see at once.
        stride: distance between squares; the window, if left out.
        card: anything else that a `ModelCard` says, such as ``resolution_m`` or ``accepts``;
            ``context_px=0`` if ``fn`` looks at each pixel alone, so that less is read around.

    Returns:
        A scorer of single pixels unless the card says otherwise.
    """
    said: dict[str, Any] = {"output": "pixels", **card}
    return FunctionScorer(
        fn,
        ModelCard(
            name=name, bands=tuple(bands), window=window, stride=stride or window,
            extent=extent, min_valid_share=min_valid_share, **said,
        ),
    )  # fmt: skip
