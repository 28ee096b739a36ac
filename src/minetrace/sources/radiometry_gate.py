"""The one gate that says what a product's counts mean, from what its metadata say.

It reads no file. Whoever opens a product or a catalog item gathers the facts; the gate holds them
against the table of known products and answers, or refuses where the facts are at odds.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any, Literal

from minetrace.core.bands import RADAR, is_embedding
from minetrace.errors import RadiometryError
from minetrace.sources import radiometry_table as table
from minetrace.sources.radiometry import is_thermal
from minetrace.sources.radiometry_facts import BandFacts, Calibration, Level, SceneFacts

__all__ = [
    "PRODUCT", "BandFacts", "Calibration", "Level", "SceneFacts", "baseline", "decide", "family",
    "said_level",
]  # fmt: skip

Family = Literal[
    "s2-l2a", "s2-l1c", "landsat-l2", "landsat-l1", "landsat-c1", "hls", "s1-rtc", "terrain",
    "other",
]  # fmt: skip

PRODUCT = "product"  # host of facts that were read from the product's own metadata
_SAID = "say what the counts are with sources.scale and sources.offset"
_S2_REMEDY = (
    f"{_SAID}: 0.0001 and -0.1 where they are as ESA made them from processing baseline 04.00 on, "
    "0.0001 and 0 where they are harmonised or older"
)
_BASELINE_KEYS = (
    "s2:processing_baseline", "sentinel:processing_baseline", "sentinel2:processing_baseline",
    "processing:version",
)  # fmt: skip
_NAME_KEYS = ("s2:product_uri", "sentinel:product_id", "s2:product_id")
_APPLIED_KEYS = ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied")
_IN_NAME = re.compile(r"_N(\d{2})\.?(\d{2})(?=_|\.|$)")


def decide(facts: SceneFacts, band: str) -> Calibration:
    """What the counts of one band of a scene mean.

    Args:
        facts: what the metadata say.
        band: common name of the band.

    Raises:
        RadiometryError: the metadata are at odds, or do not say; the message holds the remedy.
    """
    found = _by_table(facts, band)
    if not (math.isfinite(found.scale) and found.scale > 0 and math.isfinite(found.offset)):
        raise RadiometryError(
            f"{facts.scene}: scale {found.scale:g} and offset {found.offset:g} of {band} are no "
            f"numbers to compute with; fetch its metadata again, or {_SAID}"
        )
    return found.of_band(band)


def _by_table(facts: SceneFacts, band: str) -> Calibration:
    kind = family(facts)
    here = facts.bands.get(band, BandFacts(band))
    if kind in ("s2-l2a", "s2-l1c"):
        return _sentinel2(facts, here, "toa" if kind == "s2-l1c" else "boa")
    if kind == "landsat-l2":
        return _landsat_level2(facts, here, band)
    if kind == "landsat-l1":
        return _landsat_level1(facts, here, band)
    if kind == "landsat-c1":
        return _agreed(
            facts, here, (table.S2_SCALE, 0.0), "boa", -9999, table.LANDSAT_C1_REFLECTANCE
        )
    if kind == "hls":
        return _hls(facts, here, band)
    if kind == "s1-rtc":
        return _sentinel1_power(facts, here)
    if kind == "terrain":
        return _agreed(facts, here, (1.0, 0.0), None, None, table.COPERNICUS_DEM)
    return _declared(facts, here, band)


def family(facts: SceneFacts) -> Family:
    """Which products a scene belongs to, by its collection, level and platform."""
    words = f"{facts.collection} {facts.platform or ''} {facts.properties.get('constellation', '')}"
    words = words.lower().replace("_", "-")
    level = (facts.level or "").upper()
    collection = facts.collection.lower().replace("_", "-")
    if re.match(r"hls[ls]30|hls2?-[ls]30", collection):  # before the sensors that it is made of
        return "hls"
    if collection == "sentinel-1-rtc" and "planetarycomputer" in _host(facts):
        return "s1-rtc"
    if re.match(r"cop-dem-glo-[39]0$", collection):
        return "terrain"
    if re.search(r"sentinel-?2|\bs2\b|s2msi|copernicus/s2", words):
        toa = level.startswith(("L1C", "LEVEL-1C")) or re.search(
            r"l1c|s2msi1c|toa|copernicus/s2(?!-sr)", words
        )
        return "s2-l1c" if toa else "s2-l2a"
    if re.search(r"landsat|\bl[cet]0\d", words):
        return _landsat_family(facts, words, level)
    return "other"


def _host(facts: SceneFacts) -> str:
    return re.sub("[-_ ]", "", facts.host.lower())


def _landsat_family(facts: SceneFacts, words: str, level: str) -> Family:
    number = str(facts.properties.get("landsat:collection_number", "")).lstrip("0")
    level = level or str(facts.properties.get("landsat:correction", "")).upper()
    if level.startswith("L1") or (not level and re.search(r"c2-?l1|level-?1|-l1|toa", words)):
        return "landsat-l1"
    first = number == "1" or re.search(r"(?<![a-z0-9])c0?1(?![0-9])", words)
    return "landsat-c1" if first else "landsat-l2"


def baseline(facts: SceneFacts) -> float | None:
    """Sentinel-2 processing baseline as a number, 4.0 for ``04.00``; None if nobody says it.

    Raises:
        RadiometryError: two properties, or a property and the product's name, say different ones.
    """
    said: dict[str, float] = {}
    if facts.baseline is not None:
        said["the processing baseline"] = _number(facts, "the processing baseline", facts.baseline)
    for key in _BASELINE_KEYS:
        value = facts.properties.get(key)
        if value is not None and re.fullmatch(r"\d{1,2}\.\d{1,2}", str(value)):
            said[key] = _number(facts, key, value)
    names = {"the name": facts.scene, **{k: facts.properties.get(k, "") for k in _NAME_KEYS}}
    for key, name in names.items():
        if found := _IN_NAME.search(str(name).split("/")[-1]):
            said[key] = float(f"{found[1]}.{found[2]}")
    if len(set(said.values())) > 1:
        heard = ", ".join(f"{key} says {value:05.2f}" for key, value in said.items())
        raise RadiometryError(f"{facts.scene}: {heard}; {_S2_REMEDY}")
    return next(iter(said.values()), None)


def _number(facts: SceneFacts, key: str, value: Any) -> float:
    if re.fullmatch(r"\d{1,2}(\.\d{1,2})?", str(value)):
        return float(value)
    raise RadiometryError(
        f"{facts.scene}: {key} is {value!r}, not a number such as 04.00; {_S2_REMEDY}"
    )


def _sentinel2(facts: SceneFacts, here: BandFacts, level: Level) -> Calibration:
    if facts.host == PRODUCT:
        return _sentinel2_product(facts, here, level)
    if "harmonized" in facts.collection.lower():
        return _sentinel2_as(here, facts, 0.0, level, table.GEE_HARMONIZED)
    made = baseline(facts)
    if made is None:
        raise RadiometryError(
            f"{facts.scene}: no processing baseline in its metadata (looked for "
            f"{', '.join(_BASELINE_KEYS[:2])}, {_BASELINE_KEYS[-1]}), so it is not known whether "
            f"its counts are raised by 1000; {_S2_REMEDY}"
        )
    if made < table.FIRST_OFFSET_BASELINE:
        return _sentinel2_as(here, facts, 0.0, level, table.S2_BEFORE_OFFSET)
    if here.asset.endswith("-jp2"):
        return _sentinel2_as(here, facts, table.S2_OFFSET, level, table.EARTH_SEARCH_JP2)
    applied = _offset_applied(facts)
    if applied is True:
        # their raster:bands say -0.1 even so
        return _sentinel2_as(here, facts, 0.0, level, table.EARTH_SEARCH_APPLIED, excused=True)
    if applied is False:
        raise _unsure_of_earth_search(facts, here, made)
    return _sentinel2_as(here, facts, table.S2_OFFSET, level, _as_produced(facts, here, made))


def _as_produced(facts: SceneFacts, here: BandFacts, made: float) -> table.Row:
    """The row of a catalog that serves raised counts as ESA made them.

    Raises:
        RadiometryError: the catalog is not known for that, and declares no offset either.
    """
    host = _host(facts)
    if "planetarycomputer" in host:
        return table.PLANETARY
    if "dataspace" in host or "cdse" in host:
        return table.CDSE_DECLARED
    if "c1" in facts.collection.lower().replace("_", "-").split("-"):
        return table.EARTH_SEARCH_C1
    if "earthsearch" in host:
        if made >= table.COLLECTION_1_BASELINE:
            return table.EARTH_SEARCH_C1
        raise RadiometryError(
            f"{facts.scene}: processing baseline {made:05.2f} and no {_APPLIED_KEYS[0]}, so it is "
            "not known whether its counts were lowered; take the collection sentinel-2-c1-l2a "
            f"instead, or {_S2_REMEDY}"
        )
    if here.offset is None:
        raise RadiometryError(
            f"{facts.scene}: processing baseline {made:05.2f}, and the catalog declares no offset "
            f"for {here.asset}, so it is not known whether it lowered the counts; {_S2_REMEDY}"
        )
    return table.S2_AS_PRODUCED


def _offset_applied(facts: SceneFacts) -> bool | None:
    """What the catalog says about having lowered the counts; None if it says nothing.

    Raises:
        RadiometryError: its properties contradict each other.
    """
    said = {k: facts.properties[k] for k in _APPLIED_KEYS if facts.properties.get(k) is not None}
    values = {str(value).lower() for value in said.values()}
    if values - {"true", "false"} or len(values) > 1:
        heard = ", ".join(f"{key} is {value!r}" for key, value in said.items())
        raise RadiometryError(f"{facts.scene}: {heard}; {_S2_REMEDY}")
    return None if not values else values == {"true"}


def _unsure_of_earth_search(facts: SceneFacts, here: BandFacts, made: float) -> RadiometryError:
    key = next(k for k in _APPLIED_KEYS if facts.properties.get(k) is not None)
    says = "no offset" if here.offset is None else f"an offset of {here.offset:g}"
    return RadiometryError(
        f"{facts.scene}: {key} is false at processing baseline {made:05.2f} and {here.asset} "
        f"declares {says}; such items are known to hold lowered counts as well as raised ones; "
        "take the collection sentinel-2-c1-l2a, or the assets named -jp2, instead, or look at dark "
        f"water and {_S2_REMEDY}"
    )


def _sentinel2_as(
    here: BandFacts, facts: SceneFacts, offset: float, level: Level, row: table.Row, *,
    excused: bool = False,
) -> Calibration:  # fmt: skip
    """Sentinel-2's scale with an offset, refused where what the catalog declares contradicts it."""
    if is_float(here) and here.scale is None:
        raise RadiometryError(
            f"{facts.scene}: {here.asset} holds {here.dtype} values, not Sentinel-2's counts; "
            f"{_SAID}"
        )
    declared = None if excused else here.offset
    rule = (table.S2_SCALE, offset)
    _refuse_other(facts, here, (here.scale, declared), rule, row, _S2_REMEDY)
    return Calibration(*rule, level, 0.0, row.name, table.S2_SATURATED)


def _sentinel2_product(facts: SceneFacts, here: BandFacts, level: Level) -> Calibration:
    if here.scale is None:
        raise RadiometryError(
            f"{facts.scene}: no quantification value for {here.asset} in its metadata; "
            f"fetch the product again, or {_SAID}"
        )
    made = baseline(facts)
    raised = made is not None and table.FIRST_OFFSET_BASELINE <= made < table.TOOLBOX_BASELINE
    if raised and here.offset is None:
        raise RadiometryError(
            f"{facts.scene}: processing baseline {made:05.2f} raises the counts, but its metadata "
            f"hold no offset for {here.asset}; fetch the product again, or {_S2_REMEDY}"
        )
    if made is not None and made < table.FIRST_OFFSET_BASELINE and here.offset:
        raise RadiometryError(
            f"{facts.scene}: processing baseline {made:05.2f} has no offset, but its metadata give "
            f"{here.offset:g} for {here.asset}; fetch the product again, or {_S2_REMEDY}"
        )
    return Calibration(
        here.scale, here.offset or 0.0, level, 0.0, table.S2_PRODUCT.name, table.S2_SATURATED
    )


def _landsat_level2(facts: SceneFacts, here: BandFacts, band: str) -> Calibration:
    if is_thermal(band):
        rule = (table.KELVIN_SCALE, table.KELVIN_OFFSET)
        return _agreed(facts, here, rule, "kelvin", 0.0, table.LANDSAT_C2_TEMPERATURE)
    rule = (table.LANDSAT_SCALE, table.LANDSAT_OFFSET)
    return _agreed(facts, here, rule, "boa", 0.0, table.LANDSAT_C2_REFLECTANCE)


def _landsat_level1(facts: SceneFacts, here: BandFacts, band: str) -> Calibration:
    """Reflectance at the top of the atmosphere, for the sun's height at the scene's centre."""
    height = facts.properties.get("view:sun_elevation")
    if facts.host != PRODUCT or here.scale is None or here.offset is None or height is None:
        raise RadiometryError(
            f"{facts.scene}: Landsat level 1 needs the coefficients and the sun's elevation of its "
            "own MTL file; give the product as files with its MTL, or take the level 2 product"
        )
    if is_thermal(band):
        raise RadiometryError(
            f"{facts.scene}: {here.asset} of level 1 holds radiance, not kelvin; "
            "take ST_B10 or ST_B6 of the level 2 product"
        )
    if not 0 < float(height) <= 90:
        raise RadiometryError(
            f"{facts.scene}: the sun's elevation is {height}, so there is no reflectance; "
            "take the scene out of the source"
        )
    sine = math.sin(math.radians(float(height)))
    row = table.LANDSAT_C2_LEVEL_1
    return Calibration(here.scale / sine, here.offset / sine, "toa", 0.0, row.name)


def _hls(facts: SceneFacts, here: BandFacts, band: str) -> Calibration:
    """Reflectance of either sensor as Landsat 8 sees it from above; temperatures in kelvin."""
    if is_thermal(band):
        said = replace(here, offset=None)  # declared for degrees Celsius, if at all
        rule = (table.HLS_CELSIUS_SCALE, table.ZERO_CELSIUS)
        return _agreed(facts, said, rule, "kelvin", table.HLS_FILL, table.HLS_TEMPERATURE)
    rule = (table.HLS_SCALE, 0.0)
    return _agreed(facts, here, rule, "boa", table.HLS_FILL, table.HLS_REFLECTANCE)


def _sentinel1_power(facts: SceneFacts, here: BandFacts) -> Calibration:
    """Gamma naught as power, to be stored in decibels."""
    if here.dtype is not None and not is_float(here):
        raise RadiometryError(
            f"{facts.scene}: {here.asset} holds {here.dtype} values, not the power of "
            f"{table.S1_RTC_POWER.name}; take sentinel-1-rtc of the Planetary Computer, or {_SAID}"
        )
    found = _agreed(facts, here, (1.0, 0.0), None, table.S1_RTC_FILL, table.S1_RTC_POWER)
    return replace(found, power=True)


def _agreed(
    facts: SceneFacts, here: BandFacts, rule: tuple[float, float], level: Level | None,
    nodata: float | None, row: table.Row,
) -> Calibration:  # fmt: skip
    """A row's rule, refused where what is declared contradicts it."""
    remedy = f"{_SAID}: {row.name} has {rule[0]:g} and {rule[1]:g}"
    _refuse_other(facts, here, (here.scale, here.offset), rule, row, remedy)
    return Calibration(*rule, level, nodata, row.name)


def _refuse_other(
    facts: SceneFacts, here: BandFacts, declared: tuple[float | None, float | None],
    rule: tuple[float, float], row: table.Row, remedy: str,
) -> None:  # fmt: skip
    made = baseline(facts) if family(facts).startswith("s2") else None
    of = f" (processing baseline {made:05.2f})" if made is not None else ""
    for word, said, known in zip(("scale", "offset"), declared, rule, strict=True):
        if said is not None and not math.isclose(said, known, rel_tol=1e-6, abs_tol=1e-12):
            raise RadiometryError(
                f"{facts.scene}: {here.asset} declares {word} {said:g}, {row.name}{of} has "
                f"{known:g}; {remedy}"
            )


def _declared(facts: SceneFacts, here: BandFacts, band: str) -> Calibration:
    """A product that the table does not know: only what the catalog says in so many words."""
    level: Level | None = "kelvin" if is_thermal(band) else said_level(facts)
    if band in RADAR:
        raise RadiometryError(
            f"{facts.scene}: nothing says whether {here.asset} of the collection "
            f"{facts.collection} holds power, amplitude or decibels; take sentinel-1-rtc of the "
            f"Planetary Computer, or, for decibels, {_SAID}: 1 and 0"
        )
    row = table.EMBEDDINGS if is_embedding(band) else table.DECLARED
    if here.scale is not None:
        return Calibration(here.scale, here.offset or 0.0, level, None, row.name)
    if is_float(here):
        return Calibration(1.0, here.offset or 0.0, level, None, row.name)
    raise RadiometryError(
        f"{facts.scene}: nothing says what the {here.dtype or 'integer'} values of {here.asset} in "
        f"the collection {facts.collection} mean; {_SAID}"
    )


def said_level(facts: SceneFacts) -> Literal["toa", "boa"] | None:
    """What the catalog's own words say of the level; None if they say nothing."""
    words = f"{facts.level or ''} {facts.properties.get('processing:level', '')}".upper()
    if re.search(r"L1|LEVEL-1|TOA", words):
        return "toa"
    return "boa" if re.search(r"L2|LEVEL-2|BOA|SR", words) else None


def is_float(here: BandFacts) -> bool:
    """True if a band is known to hold floating-point values."""
    return (here.dtype or "").startswith("float")
