"""Make the inputs of this study: a made-up country as Landsat sees it, and outlines of its mines.

    python world.py [SIDE_PX]

Writes ``landsat/`` (a STAC catalog of Collection 2 Level-2 scenes: six reflective bands, the thermal
one, QA_PIXEL), ``region.geojson``, ``global_mining_polygons.gpkg`` (outlines of each year, in the columns
of the published file) and ``parts.gpkg`` (mine, pond and bare ground, for several classes).
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from minetrace.testing.landsat import CLEAR, CLOUD, FILL
from minetrace.testing.stac_catalog import Shot, world_shots, write_catalog
from minetrace.testing.world import World, make_world

YEARS = (2019, 2020, 2021)
NAMES = {"nir": "nir08"}  # Landsat's near infrared is as narrow as Sentinel-2's B8A
SEEN = (2, 4, 5, 6, 7, 11)  # classes of the scenes' own mask that are clear
PARTS = {"pond": "pond", "abandoned": "bare"}


def main(side_px: int) -> None:
    here = Path()
    world = make_world(here, size_px=side_px, years=YEARS, dates_per_year=4, resolution_m=30.0,
                       blind_year=None)  # fmt: skip
    shots = [landsat(shot) for shot in world_shots(world.scenes)]
    catalog = write_catalog(here / "landsat", shots, style="landsat", root="..")
    links = [{"rel": "item", "href": f"items/{shot.id}.json"} for shot in shots]
    about = {"type": "Catalog", "stac_version": "1.0.0", "id": "landsat-c2-l2",
             "description": "Oro Manso, a made-up country", "links": links}  # fmt: skip
    (catalog / "catalog.json").write_text(json.dumps(about))
    write_outlines(world, here)
    print(f"{len(shots)} scenes of Landsat, {len(world.mines())} outlines in {len(YEARS)} years")


def landsat(shot: Shot) -> Shot:
    """A scene of Sentinel-2 in Landsat's counts, names and quality bits, with a thermal band."""
    bands = dict(shot.bands)
    classes = bands.pop("scl")
    seen = classes > 0
    raised = 1000 if shot.raised else 0
    reflectance = {name: (np.asarray(c, np.float64) - raised) * 1e-4 for name, c in bands.items()}
    counts = {
        NAMES.get(name, name): packed(r, 2.75e-5, -0.2, seen) for name, r in reflectance.items()
    }
    counts["lwir11"] = packed(kelvin(reflectance, classes), 0.00341802, 149.0, seen)
    clear = np.where(np.isin(classes, SEEN), CLEAR, CLOUD)
    counts["qa_pixel"] = np.where(seen, clear, FILL).astype(np.uint16)
    name = f"LC08_L2SP_003069_{shot.day:%Y%m%d}_02_T1"
    return replace(shot, id=name, bands=counts, raised=False)


def kelvin(
    reflectance: dict[str, NDArray[np.float64]], classes: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """Bare ground is warm, leaves and water are cool, clouds are cold."""
    red, nir = reflectance["red"], reflectance["nir"]
    green = np.clip((nir - red) / np.maximum(nir + red, 1e-3), 0, 1)
    warm = 308.0 - 12.0 * green - 6.0 * (nir < 0.12)
    return np.where(np.isin(classes, (8, 9)), 275.0, warm)


def packed(
    values: NDArray[np.float64], scale: float, offset: float, seen: NDArray[np.bool_]
) -> NDArray[np.uint16]:
    """Counts of Collection 2; 0 is nothing seen."""
    counts = np.clip(np.rint((values - offset) / scale), 1, 65_535)
    return np.where(seen, counts, 0).astype(np.uint16)


def write_outlines(world: World, here: Path) -> None:
    """Outlines of active mines a year, and the parts of which the ground consists."""
    mines = world.mines().to_crs(4326)
    mines = mines.rename(columns={"area_ha": "AREA"}).assign(
        ISO3_CODE="ORM", COUNTRY_NAME="Oro Manso"
    )
    mines[["ISO3_CODE", "COUNTRY_NAME", "AREA", "year", "geometry"]].to_file(
        here / "global_mining_polygons.gpkg"
    )
    parts = gpd.read_file(world.truth, layer="parts")
    old = world.mines(state="abandoned").assign(part="abandoned")
    every = pd.concat([parts, old])[["part", "year", "geometry"]]
    every["kind"] = every["part"].map(lambda part: PARTS.get(part, "mine"))
    gpd.GeoDataFrame(every, crs=parts.crs).to_crs(4326).to_file(here / "parts.gpkg")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 768)
