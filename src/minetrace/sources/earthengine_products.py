"""What is read from Earth Engine: collections, their bands, what a number means, what hides ground.

Source: the Earth Engine data catalog's pages of each collection. Sentinel-2 is read from the
harmonised collections, whose numbers mean reflectance x 10,000 on every date. Cloud Score+ says
how clear a pixel is, from 0 to 1 (Pasquarella et al. 2023). Landsat is composited there, a median
of a period's clear pixels by QA_PIXEL. Embeddings are one image a year, dated its first day, whose
64 dimensions are ours under the names that 'minetrace embed' gives (Brown et al. 2025).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from minetrace.core.bands import SENTINEL2, nearest
from minetrace.core.raster import NODATA, stored_scale
from minetrace.errors import StudyError
from minetrace.sources.earthengine_graph import Argument, Call, Value, call, each
from minetrace.sources.radiometry import is_thermal

CLOUD_SCORE = "GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED"
CLEAR_FROM = 0.6  # of Cloud Score+; its authors advise 0.5 to 0.65
_LANDSAT_UNCLEAR = 0b11111  # QA_PIXEL: fill, dilated cloud, cirrus, cloud, cloud shadow
_SURFACE = (2.75e-5, -0.2)
_KELVIN = (0.00341802, 149.0)
_OLI = {"blue": "SR_B2", "green": "SR_B3", "red": "SR_B4", "nir08": "SR_B5", "swir16": "SR_B6",
        "swir22": "SR_B7", "lwir11": "ST_B10"}  # fmt: skip
_EMBEDDING = {f"e0{number:02}": f"A{number:02}" for number in range(64)}
_TM = {"blue": "SR_B1", "green": "SR_B2", "red": "SR_B3", "nir08": "SR_B4", "swir16": "SR_B5",
       "swir22": "SR_B7", "lwir": "ST_B6"}  # fmt: skip


@dataclass(frozen=True)
class Product:
    """One way of reading Earth Engine.

    Attributes:
        title: in words.
        collections: of images, one or several sensors'.
        bands: the collection's own name by common name.
        scaling: (scale, offset) of a count by common name.
        resolution_m: of the finest band.
        scenes: ``days``: the images of a day are a scene; ``periods``: a period's are one.
        clouds: how clouds are kept out, in words; empty for not.
        level: of reflectance.
        first: day from which on there are images.
        credit: said beside its pictures.
        only: which images of a collection are taken, in the service's words.
    """

    title: str
    collections: tuple[str, ...]
    bands: Mapping[str, str]
    scaling: Mapping[str, tuple[float, float]]
    resolution_m: float
    scenes: Literal["days", "periods"]
    clouds: str
    level: Literal["toa", "boa"] | None
    first: date
    credit: str
    only: str = ""


def _sentinel2(collection: str, level: Literal["toa", "boa"], first: date) -> Product:
    names = {common: _plain(own) for own, common in SENTINEL2.items()
             if level == "toa" or own != "B10"}  # fmt: skip
    return Product(
        f"Sentinel-2 {'L1C' if level == 'toa' else 'L2A'}, harmonised, with Cloud Score+",
        (collection,), names, dict.fromkeys(names, (1e-4, 0.0)), 10.0, "days",
        f"Cloud Score+ at least {CLEAR_FROM:g}", level, first,
        "contains modified Copernicus Sentinel data",
    )  # fmt: skip


def _landsat(
    title: str, collections: tuple[str, ...], names: Mapping[str, str], first: date
) -> Product:
    scaling = {band: _KELVIN if is_thermal(band) else _SURFACE for band in names}
    return Product(
        title, collections, names, scaling, 30.0, "periods", "QA_PIXEL", "boa", first,
        "Landsat data courtesy of the U.S. Geological Survey",
    )  # fmt: skip


def _plain(own: str) -> str:
    """``B04`` as Earth Engine writes it: ``B4``."""
    return own.replace("B0", "B")


PRODUCTS = {
    "sentinel-2-l2a": _sentinel2("COPERNICUS/S2_SR_HARMONIZED", "boa", date(2017, 3, 28)),
    "sentinel-2-l1c": _sentinel2("COPERNICUS/S2_HARMONIZED", "toa", date(2015, 6, 27)),
    "landsat-8-9": _landsat(
        "Landsat 8 and 9, a composite a period, six reflective bands and the thermal one",
        ("LANDSAT/LC08/C02/T1_L2", "LANDSAT/LC09/C02/T1_L2"), _OLI, date(2013, 3, 18),
    ),
    "landsat-5-7": _landsat(
        "Landsat 5 and 7, a composite a period, six reflective bands and the thermal one",
        ("LANDSAT/LT05/C02/T1_L2", "LANDSAT/LE07/C02/T1_L2"), _TM, date(1984, 3, 16),
    ),
    "sentinel-1": Product(
        "Sentinel-1 ground range, interferometric wide swath, decibels", ("COPERNICUS/S1_GRD",),
        {"vv": "VV", "vh": "VH"}, {"vv": (1.0, 0.0), "vh": (1.0, 0.0)}, 10.0, "days", "", None,
        date(2014, 10, 3), "contains modified Copernicus Sentinel data",
        only='properties.instrumentMode = "IW"',
    ),
    "annual-embeddings": Product(
        "Satellite Embedding V1, 64 dimensions of a year",
        ("GOOGLE/SATELLITE_EMBEDDING/V1/ANNUAL",), _EMBEDDING,
        dict.fromkeys(_EMBEDDING, (1.0, 0.0)), 10.0, "days", "", None, date(2017, 1, 1),
        "The AlphaEarth Foundations Satellite Embedding dataset is produced by Google and Google "
        "DeepMind",
    ),
}  # fmt: skip
"""By the name that a study says."""


def product(name: str) -> Product:
    """The product of that name.

    Raises:
        StudyError: there is none.
    """
    if name not in PRODUCTS:
        hint = nearest(name, PRODUCTS)
        raise StudyError(
            f"sources.product: Earth Engine is not read for {name!r}; known: {', '.join(PRODUCTS)}"
            + (f"; did you mean {hint}?" if hint else "")
        )
    return PRODUCTS[name]


def day_image(what: Product, images: Sequence[str], bands: Sequence[str], clear: float) -> Call:
    """The images of a day as one, of equals the first on top; int16 as ``Raster`` wants it."""
    least = clear if what.clouds else 0.0
    masked = [_clear_sentinel2(what, one, bands, least) for one in reversed(images)]
    collection = call("ImageCollection.fromImages", images=masked)
    return _encoded(call("ImageCollection.mosaic", collection=collection))


def period_image(what: Product, span: tuple[date, date], bands: Sequence[str]) -> Call:
    """The median of all clear pixels of a half-open span of days."""
    looks: Value = None
    for name in what.collections:
        collection = call(
            "Collection.filter",
            collection=call("ImageCollection.load", id=name),
            filter=call(
                "Filter.dateRangeContains",
                leftValue=call("DateRange", start=str(span[0]), end=str(span[1])),
                rightField="system:time_start",
            ),
        )
        clear = each(collection, lambda image: _clear_landsat(what, image, bands))
        looks = clear if looks is None else call(
            "Collection.merge", collection1=looks, collection2=clear
        )  # fmt: skip
    middle = call("ImageCollection.reduce", collection=looks, reducer=call("Reducer.median"))
    return _encoded(call("Image.rename", input=middle, names=list(bands)))


def _clear_sentinel2(what: Product, image: str, bands: Sequence[str], clear: float) -> Call:
    pixels = _scaled(what, call("Image.load", id=image), bands)
    if not clear:
        return pixels
    score = call("Image.load", id=f"{CLOUD_SCORE}/{image.rpartition('/')[2]}")
    sure = call(
        "Image.gte",
        image1=call("Image.select", input=score, bandSelectors=["cs"]),
        image2=call("Image.constant", value=clear),
    )
    return call("Image.updateMask", image=pixels, mask=sure)


def _clear_landsat(what: Product, image: Argument, bands: Sequence[str]) -> Call:
    quality = call("Image.select", input=image, bandSelectors=["QA_PIXEL"])
    hidden = call(
        "Image.bitwiseAnd", image1=quality, image2=call("Image.constant", value=_LANDSAT_UNCLEAR)
    )
    clear = call("Image.eq", image1=hidden, image2=call("Image.constant", value=0))
    return call("Image.updateMask", image=_scaled(what, image, bands), mask=clear)


def _scaled(what: Product, image: Value, bands: Sequence[str]) -> Call:
    """Bands by common name, in the numbers of a ``Raster``, and valid where all of them are."""
    own = [what.bands[band] for band in bands]
    units = [stored_scale(band) for band in bands]
    scales = [what.scaling[band][0] / unit for band, unit in zip(bands, units, strict=True)]
    offsets = [what.scaling[band][1] / unit for band, unit in zip(bands, units, strict=True)]
    chosen = call("Image.select", input=image, bandSelectors=own, newNames=list(bands))
    smooth = call("Image.resample", image=chosen, mode="bilinear")  # exact on its own pixels
    numbers = call("Image.multiply", image1=smooth, image2=call("Image.constant", value=scales))
    return call("Image.add", image1=numbers, image2=call("Image.constant", value=offsets))


def _encoded(image: Call) -> Call:
    """Rounded, within int16, and NODATA where any band is masked."""
    seen = call("Image.reduce", image=call("Image.mask", image=image), reducer=call("Reducer.min"))
    whole = call("Image.updateMask", image=image, mask=seen)
    fits = call("Image.clamp", input=call("Image.round", value=whole), low=-32767, high=32767)
    filled = call(
        "Image.unmask", input=fits, value=call("Image.constant", value=NODATA), sameFootprint=False
    )
    return call("Image.toInt16", value=filled)
