"""What is known about the counts of each kind of product, row by row, and who says so.

The rows are what ``radiometry_gate`` decides by; ``docs/radiometry.md`` explains them.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST_OFFSET_BASELINE = 4.00  # processing baseline from which Sentinel-2 counts are raised
COLLECTION_1_BASELINE = 5.00  # from which reprocessed products of any year carry the offset
TOOLBOX_BASELINE = 99.0  # 99.99 is Sen2Cor run by a user: only its own metadata say what it did

S2_SCALE = 1e-4
S2_OFFSET = -0.1  # -1000 counts / 10,000
S2_SATURATED = 65535

LANDSAT_SCALE, LANDSAT_OFFSET = 2.75e-5, -0.2
KELVIN_SCALE, KELVIN_OFFSET = 0.00341802, 149.0

HLS_SCALE, HLS_CELSIUS_SCALE, HLS_FILL = 1e-4, 0.01, -9999.0
ZERO_CELSIUS = 273.15  # kelvin
S1_RTC_FILL = -32768.0

ESA_BASELINE = (
    "https://sentinels.copernicus.eu/web/sentinel/-/"
    "copernicus-sentinel-2-major-products-upgrade-upcoming"
)
ESA_PRODUCTS = "https://sentiwiki.copernicus.eu/web/s2-products"
USGS_SCALES = (
    "https://www.usgs.gov/faqs/how-do-i-use-a-scale-factor-landsat-level-2-science-products"
)
USGS_LEVEL_1 = "https://www.usgs.gov/landsat-missions/using-usgs-landsat-level-1-data-product"
EARTH_SEARCH = "https://github.com/Element84/earth-search"
PLANETARY_COMPUTER = "https://github.com/microsoft/PlanetaryComputerExamples/pull/247"
EARTH_ENGINE = (
    "https://developers.google.com/earth-engine/datasets/catalog/COPERNICUS_S2_SR_HARMONIZED"
)
HLS_GUIDE = "https://lpdaac.usgs.gov/documents/1698/HLS_User_Guide_V2.pdf"
S1_RTC = "https://planetarycomputer.microsoft.com/dataset/sentinel-1-rtc"
DEM_README = "https://copernicus-dem-30m.s3.amazonaws.com/readme.html"
RASTER_EXTENSION = "https://github.com/stac-extensions/raster"
CDSE = "https://documentation.dataspace.copernicus.eu/APIs/STAC.html"


@dataclass(frozen=True)
class Row:
    """One kind of product.

    Attributes:
        name: what a decision is attributed to; also its heading in the documentation.
        source: where it is written down.
    """

    name: str
    source: str


S2_PRODUCT = Row("sentinel-2 product XML", ESA_PRODUCTS)
S2_BEFORE_OFFSET = Row("sentinel-2 before baseline 04.00", ESA_BASELINE)
S2_AS_PRODUCED = Row("sentinel-2 from baseline 04.00 on, as produced", ESA_BASELINE)
EARTH_SEARCH_APPLIED = Row("earth search, offset applied", f"{EARTH_SEARCH}/issues/9")
EARTH_SEARCH_C1 = Row("earth search, collection 1", f"{EARTH_SEARCH}/issues/41")
EARTH_SEARCH_JP2 = Row("earth search, original JPEG 2000", EARTH_SEARCH)
PLANETARY = Row("planetary computer, as produced", PLANETARY_COMPUTER)
CDSE_DECLARED = Row("copernicus data space, as produced", CDSE)
GEE_HARMONIZED = Row("earth engine, harmonized", EARTH_ENGINE)
LANDSAT_C2_REFLECTANCE = Row("landsat collection 2 level 2, reflectance", USGS_SCALES)
LANDSAT_C2_TEMPERATURE = Row("landsat collection 2 level 2, temperature", USGS_SCALES)
LANDSAT_C2_LEVEL_1 = Row("landsat collection 2 level 1, MTL", USGS_LEVEL_1)
LANDSAT_C1_REFLECTANCE = Row("landsat collection 1 level 2, reflectance", USGS_SCALES)
HLS_REFLECTANCE = Row("HLS 2.0, reflectance", HLS_GUIDE)
HLS_TEMPERATURE = Row("HLS 2.0, temperature", HLS_GUIDE)
S1_RTC_POWER = Row("planetary computer, sentinel-1 RTC", S1_RTC)
COPERNICUS_DEM = Row("copernicus DEM", DEM_README)
EMBEDDINGS = Row("embeddings, as declared", RASTER_EXTENSION)
DECLARED = Row("declared by the catalog", RASTER_EXTENSION)

ROWS = (
    S2_PRODUCT, S2_BEFORE_OFFSET, S2_AS_PRODUCED, EARTH_SEARCH_APPLIED, EARTH_SEARCH_C1,
    EARTH_SEARCH_JP2, PLANETARY, CDSE_DECLARED, GEE_HARMONIZED, LANDSAT_C2_REFLECTANCE,
    LANDSAT_C2_TEMPERATURE, LANDSAT_C2_LEVEL_1, LANDSAT_C1_REFLECTANCE, HLS_REFLECTANCE,
    HLS_TEMPERATURE, S1_RTC_POWER, COPERNICUS_DEM, EMBEDDINGS, DECLARED,
)  # fmt: skip
