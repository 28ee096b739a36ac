"""Whether imagery suits a model: bands by name, pixels by size."""

from __future__ import annotations

from collections.abc import Sequence

from minetrace.core.bands import nearest
from minetrace.core.grid import Grid
from minetrace.core.model import ModelCard
from minetrace.errors import BandError, ModelError


def resolve(card: ModelCard, bands: Sequence[str]) -> tuple[str, ...]:
    """The bands of the imagery that a model reads, in the order of its input.

    A band is taken by its own name; another takes its place only if the card accepts it.

    Args:
        card: what the model wants.
        bands: what the imagery has, STAC common names.

    Raises:
        BandError: a band is not there, nor one that the card accepts for it.
    """
    found = {band: _stand_in(card, band, bands) for band in card.bands}
    missing = [band for band, source in found.items() if source is None]
    if missing:
        raise BandError(_missing(card, missing, bands))
    return tuple(source for source in found.values() if source is not None)


def _stand_in(card: ModelCard, band: str, bands: Sequence[str]) -> str | None:
    candidates = (band, *card.accepts.get(band, ()))
    return next((name for name in candidates if name in bands), None)


def _missing(card: ModelCard, missing: Sequence[str], bands: Sequence[str]) -> str:
    hint = nearest(missing[0], bands)
    accepted = [name for band in missing for name in card.accepts.get(band, ())]
    return (
        f"model {card.name!r} wants the band {', '.join(missing)}"
        + (f" (or {', '.join(accepted)})" if accepted else "")
        + f"; the imagery has {', '.join(bands)}. Name the band under 'bands' of the source"
        + (f" (is it {hint}?)" if hint else "")
        + ", or choose a model that works without it"
    )


def check_resolution(card: ModelCard, grid: Grid) -> None:
    """Refuse a grid whose pixels the model does not know.

    Raises:
        ModelError: the pixel sizes differ by more than the card's tolerance.
    """
    if card.resolution_m is None:
        return
    ratio = max(card.resolution_m / grid.resolution_m, grid.resolution_m / card.resolution_m)
    if ratio > card.tolerance * (1 + 1e-9):
        raise ModelError(
            f"model {card.name!r} was made for pixels of {card.resolution_m:g} m (ratio up to "
            f"{card.tolerance:g}), the grid has {grid.resolution_m:g} m; set "
            f"grid.resolution_m to {card.resolution_m:g} or choose another model"
        )
