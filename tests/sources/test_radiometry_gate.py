"""The gate: every row of the table, every refusal, and one scene through two catalogs."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minetrace.errors import RadiometryError
from minetrace.sources import radiometry_table as table
from minetrace.sources.radiometry import to_int16
from minetrace.sources.radiometry_gate import (
    PRODUCT,
    BandFacts,
    SceneFacts,
    baseline,
    decide,
    family,
)

APPLIED = "earthsearch:boa_offset_applied"


def item(
    collection: str = "sentinel-2-l2a", host: str = "", made: str | None = "05.00", *,
    asset: str = "red", scale: float | None = 1e-4, offset: float | None = None,
    dtype: str = "uint16", **said: Any,
) -> SceneFacts:  # fmt: skip
    properties = {"s2:processing_baseline": made} if made else {}
    properties |= {"constellation": "sentinel-2"} if collection.startswith("odd") else {}
    band = BandFacts(asset, dtype, scale, offset)
    return SceneFacts("S2A_X", collection, host, properties={**properties, **said.pop("also", {})},
                      bands={"red": band}, **said)  # fmt: skip


def landsat(collection: str, band: str, **facts: Any) -> SceneFacts:
    also = facts.pop("also", {})
    host = facts.pop("host", "planetary-computer")
    return SceneFacts("LC08_X", collection, host, properties=also,
                      bands={band: BandFacts(band, "uint16", **facts)})  # fmt: skip


def of(collection: str, band: str, host: str = "planetary-computer", **facts: Any) -> SceneFacts:
    platform = facts.pop("platform", None)
    asset = BandFacts(band, facts.pop("dtype", "int16"), **facts)
    return SceneFacts("HLS_X", collection, host, platform=platform, bands={band: asset})


KNOWN = [
    (table.HLS_REFLECTANCE, of("hls2-s30", "red", platform="sentinel-2a"), (1e-4, 0.0, "boa")),
    (table.HLS_REFLECTANCE, of("HLSL30_2.0", "nir08", "earthdata", platform="landsat-8", scale=1e-4,
                               offset=0.0), (1e-4, 0.0, "boa")),
    (table.HLS_TEMPERATURE, of("hls2-l30", "lwir11", scale=0.01), (0.01, 273.15, "kelvin")),
    (table.S1_RTC_POWER, of("sentinel-1-rtc", "vv", dtype="float32"), (1.0, 0.0, None)),
    (table.COPERNICUS_DEM, of("cop-dem-glo-30", "elevation", "x", dtype="float32"),
     (1.0, 0.0, None)),
    (table.EMBEDDINGS, of("annual", "e012", "x", dtype="float32"), (1.0, 0.0, None)),
    (table.EMBEDDINGS, of("annual", "e012", "x", dtype="int8", scale=0.01), (0.01, 0.0, None)),
    (table.S2_PRODUCT, item("S2MSI2A", PRODUCT, "04.00", offset=-0.1), (1e-4, -0.1, "boa")),
    (table.S2_PRODUCT, item("S2MSI1C", PRODUCT, "02.09"), (1e-4, 0.0, "toa")),
    (table.S2_PRODUCT, item("S2MSI2A", PRODUCT, "99.99"), (1e-4, 0.0, "boa")),
    (table.S2_BEFORE_OFFSET, item(made="02.14"), (1e-4, 0.0, "boa")),
    (table.S2_BEFORE_OFFSET, item(made="03.01", also={APPLIED: False}), (1e-4, 0.0, "boa")),
    (table.S2_BEFORE_OFFSET, item("sentinel-2-l1c", made="02.07"), (1e-4, 0.0, "toa")),
    (table.S2_AS_PRODUCED, item(host="https://x.org", offset=-0.1), (1e-4, -0.1, "boa")),
    (table.EARTH_SEARCH_APPLIED, item(offset=-0.1, also={APPLIED: True}), (1e-4, 0.0, "boa")),
    (table.EARTH_SEARCH_APPLIED, item(offset=0.0, also={APPLIED: True}), (1e-4, 0.0, "boa")),
    (table.EARTH_SEARCH_JP2, item(asset="red-jp2", offset=-0.1, also={APPLIED: True}),
     (1e-4, -0.1, "boa")),
    (table.EARTH_SEARCH_C1, item("sentinel-2-c1-l2a", "earth-search", offset=-0.1),
     (1e-4, -0.1, "boa")),
    (table.EARTH_SEARCH_C1, item(host="earth-search", made="05.11", offset=-0.1),
     (1e-4, -0.1, "boa")),
    (table.PLANETARY, item(host="planetary-computer", made="04.00", scale=None),
     (1e-4, -0.1, "boa")),
    (table.CDSE_DECLARED, item(host="https://stac.dataspace.copernicus.eu/v1", made=None,
                               offset=-0.1, also={"processing:version": "05.11"}),
     (1e-4, -0.1, "boa")),
    (table.GEE_HARMONIZED, item("COPERNICUS/S2_SR_HARMONIZED", made=None, scale=None),
     (1e-4, 0.0, "boa")),
    (table.LANDSAT_C2_REFLECTANCE, landsat("landsat-c2-l2", "red"), (2.75e-5, -0.2, "boa")),
    (table.LANDSAT_C2_REFLECTANCE, landsat("landsat-c2-l2", "red", scale=2.75e-5, offset=-0.2),
     (2.75e-5, -0.2, "boa")),
    (table.LANDSAT_C2_TEMPERATURE, landsat("landsat-c2l2-st", "lwir11"),
     (0.00341802, 149.0, "kelvin")),
    (table.LANDSAT_C1_REFLECTANCE,
     landsat("landsat-8-l2-c1", "red", also={"landsat:collection_number": "01"}),
     (1e-4, 0.0, "boa")),
    (table.LANDSAT_C2_LEVEL_1,
     landsat("landsat-c2-l1", "red", host=PRODUCT, scale=2e-5, offset=-0.1,
             also={"view:sun_elevation": 30.0}), (4e-5, -0.2, "toa")),
    (table.DECLARED, item("planet", made=None, scale=1e-4), (1e-4, 0.0, None)),
    (table.DECLARED, item("planet", made=None, scale=1e-4, level="SR"), (1e-4, 0.0, "boa")),
    (table.DECLARED, item("planet", made=None, scale=None, dtype="float32", level="L1B"),
     (1.0, 0.0, "toa")),
]  # fmt: skip


@pytest.mark.parametrize(("row", "facts", "expected"), KNOWN)
def test_every_known_combination(
    row: table.Row, facts: SceneFacts, expected: tuple[float, float, str | None]
) -> None:
    band = next(iter(facts.bands))
    made = decide(facts, band)
    assert made.source == row.name
    assert made.level == expected[2]
    assert math.isclose(made.scale, expected[0], rel_tol=1e-12)
    assert math.isclose(made.offset, expected[1], rel_tol=1e-12, abs_tol=1e-15)


def test_every_row_is_tried_here_and_explained_in_the_documentation() -> None:
    assert {row for row, _, _ in KNOWN} == set(table.ROWS)
    page = (Path(__file__).parents[2] / "docs" / "radiometry.md").read_text(encoding="utf-8")
    for row in table.ROWS:
        assert row.name.lower() in page.lower(), row.name
        assert row.source in page, row.source


REFUSED = [
    (item(made=None), ("no processing baseline", "s2:processing_baseline")),
    (item(offset=-0.1, also={APPLIED: False}), (APPLIED, "c1-l2a", "-jp2")),
    (item(offset=0.0, host="https://x.org"), ("declares offset 0", "05.00")),
    (item(host="https://x.org"), ("declares no offset", "05.00")),
    (item(made="02.14", offset=-0.1), ("declares offset -0.1", "02.14")),
    (item(host="earth-search", made="04.00", offset=-0.1), (APPLIED, "c1-l2a")),
    (item(made="05.00", baseline="04.00", offset=-0.1), ("says 04.00", "says 05.00")),
    (item(also={APPLIED: True, "sentinel:boa_offset_applied": False}), ("is True", "is False")),
    (item(also={APPLIED: "maybe"}), ("'maybe'",)),
    (item(scale=1e-3, offset=-0.1, host="planetary-computer"), ("declares scale 0.001",)),
    (item(scale=None, dtype="float32", host="planetary-computer"), ("float32",)),
    (item("S2MSI2A", PRODUCT, "04.00"), ("no offset", "04.00")),
    (item("S2MSI2A", PRODUCT, "02.14", offset=-0.1), ("02.14", "-0.1")),
    (item("S2MSI2A", PRODUCT, "04.00", scale=None), ("quantification",)),
    (item("S2MSI2A", PRODUCT, None, baseline="four", offset=-0.1), ("'four'",)),
    (item("S2MSI2A", PRODUCT, None, baseline="nan", offset=-0.1), ("'nan'",)),
    (item("planet", made=None, scale=None), ("nothing says", "planet")),
    (item("planet", made=None, scale=math.nan), ("scale nan",)),
    (item("S2MSI2A", PRODUCT, "02.14", scale=-1e-4), ("scale -0.0001",)),
]


@pytest.mark.parametrize(("facts", "words"), REFUSED)
def test_what_would_be_a_guess_is_refused(facts: SceneFacts, words: tuple[str, ...]) -> None:
    with pytest.raises(RadiometryError) as caught:
        decide(facts, "red")
    said = str(caught.value)
    assert said.startswith("S2A_X: ")
    assert "\n" not in said
    for word in (*words, "sources.scale"):
        assert word in said


@pytest.mark.parametrize(
    ("facts", "band", "word"),
    [
        (landsat("landsat-c2-l2", "red", scale=1e-4, offset=0.0), "red", "2.75e-05"),
        (landsat("landsat-c2-l2", "lwir11", scale=0.1, offset=0.0), "lwir11", "0.00341802"),
        (landsat("landsat-c2-l1", "red", scale=2e-5, offset=-0.1), "red", "MTL"),
        (landsat("landsat-c2-l1", "lwir11", host=PRODUCT, scale=2e-5, offset=-0.1,
                 also={"view:sun_elevation": 30}), "lwir11", "radiance"),
        (landsat("landsat-c2-l1", "red", host=PRODUCT, scale=2e-5, offset=-0.1,
                 also={"view:sun_elevation": -3}), "red", "elevation is -3"),
    ],
)  # fmt: skip
def test_landsat_at_odds_is_refused(facts: SceneFacts, band: str, word: str) -> None:
    with pytest.raises(RadiometryError, match="LC08_X") as caught:
        decide(facts, band)
    assert word in str(caught.value)


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        (of("hls2-s30", "red", scale=1e-3), "declares scale 0.001"),
        (of("hls2-l30", "lwir11", scale=0.1), "declares scale 0.1"),
        (of("sentinel-1-rtc", "vv", dtype="uint16"), "uint16"),
        (of("sentinel-1-rtc", "vv", dtype="float32", scale=0.1), "declares scale 0.1"),
        (of("sentinel-1-rtc", "vv", "example.org", dtype="float32"), "power, amplitude"),
        (of("sentinel-1-grd", "vv", scale=1.0), "power, amplitude"),
        (of("cop-dem-glo-30", "elevation", scale=0.1), "declares scale 0.1"),
        (of("annual", "e000", dtype="int8"), "nothing says"),
    ],
)
def test_other_kinds_at_odds_are_refused(facts: SceneFacts, word: str) -> None:
    with pytest.raises(RadiometryError, match="HLS_X") as caught:
        decide(facts, next(iter(facts.bands)))
    assert word in str(caught.value)
    assert "sources.scale" in str(caught.value)


@pytest.mark.parametrize(
    ("band", "per_unit", "power"),
    [("red", 1e4, False), ("lwir11", 10, False), ("vv", 100, True), ("elevation", 4, False),
     ("e000", 2000, False)],
)  # fmt: skip
def test_each_band_is_kept_in_its_own_unit(band: str, per_unit: float, power: bool) -> None:
    where = {"vv": "sentinel-1-rtc", "elevation": "cop-dem-glo-30", "e000": "annual"}
    facts = of(where.get(band, "hls2-l30"), band, dtype="float32")
    rule = decide(facts, band).radiometry
    assert (rule.per_unit, rule.power) == (per_unit, power)


@given(st.floats(1e-30, 1e30))
def test_power_becomes_decibels_to_half_a_step(power: float) -> None:
    rule = decide(of("sentinel-1-rtc", "vv", dtype="float32"), "vv").radiometry
    stored = to_int16(np.array([power], dtype=np.float64), rule)[0]
    assert abs(stored / 100 - 10 * math.log10(power)) <= 0.005 + 1e-9


def test_one_scene_through_two_catalogs_is_the_same_reflectance() -> None:
    raised = np.arange(1, 20_000, 7, dtype=np.uint16)  # as ESA made it, from 04.00 on
    seen = raised[raised > 1000]  # what is below is clipped where counts are lowered
    as_made = decide(item(host="planetary-computer", made="04.00", scale=None), "red")
    lowered = decide(item(host="earth-search", offset=-0.1, also={APPLIED: True}), "red")
    assert np.array_equal(
        to_int16(seen, as_made.radiometry),
        to_int16((seen - 1000).astype(np.uint16), lowered.radiometry),
    )


@given(st.integers(1, 65_534), st.sampled_from(["02.14", "03.01", "04.00", "05.11"]))
def test_reflectance_is_exact_to_the_count(count: int, made: str) -> None:
    rule = decide(item(host="planetary-computer", made=made, scale=None), "red").radiometry
    added = 1000 if made >= "04.00" else 0
    expected = min(count - added, 32_767)
    assert to_int16(np.array([count], dtype=np.uint16), rule)[0] == expected


def test_the_baseline_is_read_from_the_name_where_nothing_else_says_it() -> None:
    facts = SceneFacts("S2A_MSIL2A_20221005T115411_N0400_R023_T29UNU_20221005T164454", "x")
    assert baseline(facts) == 4.0
    uri = {"s2:product_uri": "S2B_MSIL2A_20220106T021339_N0301_R060_T50KRU_20220107T033435.SAFE"}
    assert baseline(SceneFacts("S2B_X", "x", properties=uri)) == 3.01
    assert baseline(SceneFacts("S2B_X", "x", properties={"processing:version": "v2"})) is None


@pytest.mark.parametrize(
    ("collection", "kind"),
    [
        ("sentinel-2-l2a", "s2-l2a"),
        ("sentinel-2-c1-l2a", "s2-l2a"),
        ("sentinel-2-l1c", "s2-l1c"),
        ("COPERNICUS/S2_HARMONIZED", "s2-l1c"),
        ("COPERNICUS/S2_SR_HARMONIZED", "s2-l2a"),
        ("S2MSI1C", "s2-l1c"),
        ("landsat-c2-l2", "landsat-l2"),
        ("landsat-c2l2-sr", "landsat-l2"),
        ("landsat-c2-l1", "landsat-l1"),
        ("planetscope", "other"),
        ("landsat-8-c1-l2", "landsat-c1"),
        ("LANDSAT/LC08/C02/T1_L2", "landsat-l2"),
        ("HLSS30.v2.0", "hls"),
        ("HLSL30_2.0", "hls"),
        ("hls2-s30", "hls"),
        ("cop-dem-glo-30", "terrain"),
        ("sentinel-1-rtc", "other"),  # whose it is must be known
    ],
)
def test_families(collection: str, kind: str) -> None:
    assert family(SceneFacts("x", collection)) == kind


def test_sources_of_the_table_are_addresses() -> None:
    assert all(re.fullmatch(r"https://\S+", row.source) for row in table.ROWS)
    assert len({row.name for row in table.ROWS}) == len(table.ROWS)
