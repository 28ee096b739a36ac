"""How the items of a catalog are read: which bands, which mask, what a count means."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from minetrace.errors import BandError, RadiometryError, StudyError
from minetrace.sources.bands import BandSpec
from minetrace.sources.inspection import GROW_M
from minetrace.sources.masks import MaskOptions
from minetrace.sources.radiometry import is_thermal
from minetrace.sources.radiometry_gate import Calibration, decide, said_level
from minetrace.sources.stac_items import Item
from minetrace.sources.stac_options import StacOptions


def shared_bands(items: Sequence[Item], options: StacOptions) -> tuple[str, ...]:
    """Bands that every item has, in the order of the first; those asked for, if any are."""
    shared = [band for band in items[0].bands if all(band in item.bands for item in items)]
    for band in options.bands:
        lacking = next((item for item in items if band not in item.bands), None)
        if lacking is not None:
            raise BandError(
                f"no band {band} in {lacking.id}, which has {', '.join(lacking.bands) or 'none'}; "
                "leave it out of sources.bands"
            )
    if options.bands:
        shared = [band for band in shared if band in options.bands]
    if not shared:
        raise BandError(
            f"{items[0].id} and the other items of {options.collection or 'the catalog'} share no "
            "band with a common name; take another collection"
        )
    return tuple(shared)


def mask_options(items: Sequence[Item], options: StacOptions) -> MaskOptions | None:
    """The user's mask, or else the items' own, grown by one of its pixels; None for no mask.

    Raises:
        StudyError: a kind of mask that items cannot have.
        BandError: an item lacks the mask.
    """
    asked = options.mask
    if asked is not None and asked.kind == "none":
        return None
    if asked is not None and asked.kind not in ("scl", "qa_pixel", "fmask"):
        raise StudyError(
            f"sources.mask: kind {asked.kind} is for files; a catalog's items are masked by scl, "
            "qa_pixel, fmask or none"
        )
    kinds = {item.mask[0] if item.mask else None for item in items}
    if kinds == {None} and asked is None:
        return None
    wanted = asked.kind if asked is not None else next(kind for kind in kinds if kind)
    for item in items:
        if item.mask is None or item.mask[0] != wanted:
            has = item.mask[0] if item.mask else "none"
            raise BandError(
                f"{item.id} has no mask {wanted} (it has {has}); say sources.mask: {{kind: none}} "
                "to count clouds as looked at, or take another collection"
            )
    if asked is not None:
        return asked
    if wanted not in GROW_M:
        return MaskOptions(wanted)
    sides = [item.mask[1].resolution_m or 0.0 for item in items if item.mask]
    return MaskOptions(wanted, dilate_m=max(GROW_M[wanted], *sides))  # one of its pixels


def calibration(item: Item, band: str, options: StacOptions) -> Calibration:
    """What the user says, or else what the gate does."""
    spec, thermal = options.bands.get(band, BandSpec()), is_thermal(band)
    scale = options.scale if spec.scale is None and not thermal else spec.scale
    offset = options.offset if spec.offset is None and not thermal else spec.offset
    facts = item.facts(options.host or urlsplit(options.url).netloc)
    if scale is None and offset is None:
        return decide(facts, band)
    if scale is None or offset is None:
        raise RadiometryError(
            f"{item.id}: sources.scale and sources.offset are given one without the other; "
            "give both, or none to go by the catalog's metadata"
        )
    level = "kelvin" if thermal else said_level(facts)
    said = Calibration(scale, offset, level, item.bands[band].nodata, "the study")
    return said.of_band(band)
