"""Names as users and files give them, as ours: bands, and what a model is called."""

from __future__ import annotations

from minetrace.core.bands import COMMON_NAMES, common_name, nearest
from minetrace.errors import ModelError


def band_called(word: str) -> str:
    """The common name of a band, from ``red``, ``B04`` or ``B4``.

    Raises:
        ModelError: no band is called so.
    """
    name = common_name(word if len(word) != 2 else word.upper().replace("B", "B0"))
    if name is None:
        hint = nearest(word.lower(), COMMON_NAMES)
        raise ModelError(
            f"--bands: no band is called {word!r}"
            + (f"; is it {hint}?" if hint else "; give names such as red or B04")
        )
    return name


def slug(name: str) -> str:
    """A name that is safe as a file name."""
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in name).strip("._-") or "model"
