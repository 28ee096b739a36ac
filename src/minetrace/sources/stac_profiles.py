"""Catalogs that can be named instead of described: where they are, what they hold, what they want.

Sources: the catalogs' own pages, named in ``about``; what their counts mean is for the radiometry
gate to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from minetrace.core.bands import nearest
from minetrace.errors import StudyError
from minetrace.sources.stac_signing import Access


@dataclass(frozen=True)
class Profile:
    """A catalog that is known by name.

    Attributes:
        name: as a study or ``--source`` says it.
        title: in words.
        url: of its STAC API.
        collections: those that have been looked at, and what each is; the first is the default.
        ways: how its files are opened; the first whose secrets are in the environment is taken.
        collection_ways: the same for single collections, where they differ.
        asset_of: which of an asset's addresses is taken, for each kind of access: the name of an
            entry of ``alternate``, or "" for the asset's own.
        needs: what one must have, in words.
        about: where this is written down.
    """

    name: str
    title: str
    url: str
    collections: Mapping[str, str]
    ways: tuple[Access, ...]
    collection_ways: Mapping[str, tuple[Access, ...]]
    asset_of: Mapping[str, str]
    needs: str
    about: str

    @property
    def collection(self) -> str:
        """The collection that is read if none is named."""
        return next(iter(self.collections))

    def ways_of(self, collection: str) -> tuple[Access, ...]:
        """How the files of a collection are opened."""
        return self.collection_ways.get(collection, self.ways)


_OPEN = (Access(),)
_AWS = (
    Access("s3", "https://s3.us-west-2.amazonaws.com", key_env="AWS_ACCESS_KEY_ID",
           secret_env="AWS_SECRET_ACCESS_KEY", region="us-west-2", requester_pays=True),
)  # fmt: skip
_AWS_EU = (
    Access("s3", "https://s3.eu-central-1.amazonaws.com", key_env="AWS_ACCESS_KEY_ID",
           secret_env="AWS_SECRET_ACCESS_KEY", region="eu-central-1", requester_pays=True),
)  # fmt: skip

EARTH_SEARCH = Profile(
    name="earth-search",
    title="Earth Search v1 (Element 84, on AWS)",
    url="https://earth-search.aws.element84.com/v1",
    collections={
        "sentinel-2-c1-l2a": "Sentinel-2 surface reflectance, Collection 1, COG",
        "sentinel-2-l2a": "Sentinel-2 surface reflectance, COG; some items cannot be told apart "
                          "from harmonised ones and are refused",
        "sentinel-2-l1c": "Sentinel-2 top of atmosphere, JPEG 2000; wants AWS keys, who reads pays",
        "landsat-c2-l2": "Landsat 4 to 9 surface reflectance and temperature, COG; wants AWS keys, "
                         "who reads pays",
    },
    ways=_OPEN,
    collection_ways={"sentinel-2-l1c": _AWS_EU, "landsat-c2-l2": _AWS},
    asset_of={"s3": "s3"},
    needs="nothing for sentinel-2-c1-l2a and sentinel-2-l2a",
    about="https://github.com/Element84/earth-search",
)  # fmt: skip

PLANETARY_COMPUTER = Profile(
    name="planetary-computer",
    title="Microsoft Planetary Computer",
    url="https://planetarycomputer.microsoft.com/api/stac/v1",
    collections={
        "sentinel-2-l2a": "Sentinel-2 surface reflectance, COG",
        "landsat-c2-l2": "Landsat 4 to 9 surface reflectance and temperature, COG",
        "hls2-s30": "HLS 2.0: Sentinel-2 as Landsat 8 sees it, 30 m, from 2020 on, COG",
        "hls2-l30": "HLS 2.0: Landsat 8 and 9 on the same pixels, from 2020 on, COG",
        "sentinel-1-rtc": "Sentinel-1 radar, terrain corrected, COG; wants "
                          "PC_SDK_SUBSCRIPTION_KEY of an account there",
        "cop-dem-glo-30": "Copernicus DEM: elevation, and slope computed from it, COG",
    },
    ways=(
        Access("sas", "https://planetarycomputer.microsoft.com/api/sas/v1/token",
               hosts=(".blob.core.windows.net",), token_env="PC_SDK_SUBSCRIPTION_KEY"),
    ),
    collection_ways={},
    asset_of={},
    needs="nothing but for sentinel-1-rtc; PC_SDK_SUBSCRIPTION_KEY is used if it is set",
    about="https://planetarycomputer.microsoft.com/docs/concepts/sas/",
)  # fmt: skip

COPERNICUS = Profile(
    name="copernicus",
    title="Copernicus Data Space Ecosystem",
    url="https://stac.dataspace.copernicus.eu/v1",
    collections={
        "sentinel-2-l2a": "Sentinel-2 surface reflectance, JPEG 2000",
        "sentinel-2-l1c": "Sentinel-2 top of atmosphere, JPEG 2000",
    },
    ways=(
        Access("s3", "https://eodata.dataspace.copernicus.eu", region="default",
               key_env="CDSE_S3_ACCESS_KEY", secret_env="CDSE_S3_SECRET_KEY"),
        Access("bearer", hosts=(".dataspace.copernicus.eu",), token_env="CDSE_TOKEN"),
    ),
    collection_ways={},
    asset_of={"bearer": "https"},
    needs="CDSE_S3_ACCESS_KEY and CDSE_S3_SECRET_KEY, or CDSE_TOKEN, from a free account",
    about="https://documentation.dataspace.copernicus.eu/APIs/STAC.html",
)  # fmt: skip

EARTHDATA = Profile(
    name="earthdata",
    title="NASA Earthdata, LP DAAC",
    url="https://cmr.earthdata.nasa.gov/stac/LPCLOUD",
    collections={
        "HLSS30_2.0": "HLS 2.0: Sentinel-2 as Landsat 8 sees it, 30 m, from 2015 on, COG",
        "HLSL30_2.0": "HLS 2.0: Landsat 8 and 9 on the same pixels, from 2013 on, COG",
    },
    ways=(
        Access("bearer", hosts=(".earthdatacloud.nasa.gov",), token_env="EARTHDATA_TOKEN"),
    ),
    collection_ways={},
    asset_of={},
    needs="EARTHDATA_TOKEN, from a free account at urs.earthdata.nasa.gov",
    about="https://www.earthdata.nasa.gov/data/projects/hls",
)  # fmt: skip

_COPERNICUS_CREDIT = "contains modified Copernicus Sentinel data"
_DEM_CREDIT = (
    "produced using Copernicus WorldDEM-30 © DLR e.V. 2010-2014 and © Airbus Defence and Space "
    "GmbH 2014-2018 provided under COPERNICUS by the European Union and ESA; all rights reserved"
)
CREDITS = {
    "sentinel-1": _COPERNICUS_CREDIT, "sentinel-2": _COPERNICUS_CREDIT,
    "landsat": "Landsat data courtesy of the U.S. Geological Survey",
    "hls": "Harmonized Landsat and Sentinel-2 (HLS) data courtesy of NASA LP DAAC",
    "cop-dem": _DEM_CREDIT,
}  # fmt: skip

PROFILES = {
    one.name: one for one in (EARTH_SEARCH, PLANETARY_COMPUTER, COPERNICUS, EARTHDATA)
}  # fmt: skip


def is_terrain(collection: str | None) -> bool:
    """True for collections of heights, which have no date."""
    return (collection or "").lower().startswith("cop-dem-glo")


def credit(collection: str) -> str:
    """What must be said beside pictures of a collection; empty if that is not known."""
    word = collection.lower()
    return next((said for start, said in CREDITS.items() if word.startswith(start)), "")


def profile(name: str) -> Profile:
    """The profile of that name.

    Raises:
        StudyError: there is none.
    """
    if name not in PROFILES:
        hint = nearest(name, PROFILES)
        raise StudyError(
            f"sources.profile: no catalog is known as {name!r}; known: {', '.join(PROFILES)}"
            + (f"; did you mean {hint}?" if hint else "; give any other one's address in url")
        )
    return PROFILES[name]
