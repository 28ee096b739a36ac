"""Whether an exported network says what the trained one says.

An export that is a little wrong is worse than none: it runs, and every figure of the card is
about another network.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from minetrace.core.model import WEIGHTS
from minetrace.errors import ModelError

TOLERANCE = 1e-4  # of a probability


def check_parity(
    onnx: bytes, images: NDArray[np.float32], expected: NDArray[np.float64], weights: bytes = b""
) -> float:  # fmt: skip
    """Run a graph on single windows and compare.

    Args:
        onnx: the graph, as `plain_net.to_onnx` gives it.
        images: (n, bands, side, side).
        expected: (n,) probabilities of the network it was made from.
        weights: that lie beside the graph, if any.

    Returns:
        The largest difference.

    Raises:
        ModelError: it is above `TOLERANCE`.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    if weights:
        if not hasattr(options, "add_external_initializers_from_files_in_memory"):
            raise ModelError(
                f"the network's weights lie beside its graph, which ONNX Runtime {ort.__version__} "
                "cannot join; pip install --upgrade onnxruntime, and give the command again"
            )
        options.add_external_initializers_from_files_in_memory([WEIGHTS], [weights], [len(weights)])
    session = ort.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    found = session.run(["probability"], {"image": images})[0].reshape(-1)
    apart = float(np.abs(found - expected).max())
    if not apart <= TOLERANCE:
        raise ModelError(
            f"the exported network differs from the trained one by up to {apart:.2g} in "
            f"probability ({TOLERANCE:g} is allowed); the two definitions of its layers disagree"
        )
    return apart
