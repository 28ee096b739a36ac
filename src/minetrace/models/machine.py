"""What a training runs on: torch, a processor or a GPU, and how many threads.

Equal weights are promised for one machine and one number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass

from minetrace.errors import MissingExtraError, ModelError


@dataclass(frozen=True)
class Machine:
    """What a training runs on.

    Attributes:
        device: ``cpu`` or ``cuda``.
        processes: that share the work; a GPU each.
    """

    device: str
    processes: int = 1


def need_torch() -> None:
    """Check that what a training needs is installed.

    Raises:
        MissingExtraError: it is not.
    """
    try:
        import onnx  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            f"training needs {error.name}: pip install 'minetrace[train]'"
        ) from error


def use_threads(count: int) -> None:
    """Have torch, in this process, take so many threads; 0 for its own choice."""
    import torch

    if count:
        torch.set_num_threads(count)


def device_of(asked: str) -> str:
    """The device to train on: ``cpu``, ``cuda``, or for ``auto`` a GPU where there is one.

    Raises:
        ModelError: there is no such device.
    """
    import torch

    there = torch.cuda.is_available()
    if asked == "auto":
        return "cuda" if there else "cpu"
    if asked not in ("cpu", "cuda") or (asked == "cuda" and not there):
        raise ModelError(f"no device {asked!r} here; choose cpu{', cuda' if there else ''} or auto")
    return asked
