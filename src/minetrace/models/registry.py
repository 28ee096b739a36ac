"""The models that come with minetrace, by name.

What may stand after ``--model`` without being a path, with what each is for and, as important, what
it is not for; `minetrace.flow.named_models` adds what a user's own list names. Reads no model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SHIPPED = Path(__file__).parent / "shipped"


@dataclass(frozen=True)
class Entry:
    """A model that has a name.

    Attributes:
        name: what a study or ``--model`` calls it; lower case, digits and hyphens.
        source: its folder below `SHIPPED`; in a user's list any folder, zip, or URL of a zip.
        licence: SPDX identifier of the weights.
        sha256: of a folder, that of its network, as in its card; of a zip, that of the file.
        version: of the weights; another training is another version.
        default: whether it is the first of the trained ones to try.
        purpose: one line on what it is for.
        not_for: one line on what it must not be believed on.
    """

    name: str
    source: str
    licence: str
    sha256: str
    version: str
    default: bool
    purpose: str
    not_for: str

    @property
    def shipped(self) -> bool:
        """Whether it comes with minetrace."""
        return self in _ENTRIES


_ENTRIES = (
    Entry(
        name="artisanal-gold-rgb",
        source="artisanal-gold-rgb",
        licence="CC-BY-4.0",
        sha256="941ab3c1f745d0299550580c95291d80148981108028c212a52b0359c905605f",
        version="1.0",
        default=True,
        purpose="finds scars of artisanal gold mining in humid tropical forest, from red, green "
        "and blue at 10 m",
        not_for="industrial pits and tailings dams, dry country, other ground sizes than 10 m",
    ),
)


def entries() -> tuple[Entry, ...]:
    """Every model that has a name, the default first."""
    return tuple(sorted(_ENTRIES, key=lambda entry: not entry.default))
