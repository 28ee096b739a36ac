"""The world: a small seeded country with known mines, written as GeoTIFFs, and its outlines.

Its name is Oro Manso; it does not exist. A river basin in the humid tropics as Sentinel-2 would see
it: rivers, forest, fields, towns, sandbanks, and mines that appear, grow, split, merge, are
abandoned and grow over, under clouds, with one year in which almost nothing of the ground was seen.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import rasterio
import shapely
from rasterio.transform import Affine

from minetrace.core.footprints import geodesic_hectares
from minetrace.errors import MissingFileError, StudyError
from minetrace.testing.dates import BLIND_YEAR, scene_dates, weather_of
from minetrace.testing.landscape import make_land
from minetrace.testing.mines import Diggings, dig
from minetrace.testing.reflectance import BANDS, endmembers
from minetrace.testing.scars import paint_mines
from minetrace.testing.scenes import Camera, Ground, write_scene
from minetrace.testing.seasons import paint_fields, paint_sandbanks
from minetrace.testing.truth import Year, event_table, outlines, trace

COUNTRY = "Oro Manso"
ORIGIN_M = (347_520.0, 8_588_740.0)
SMALLEST_PX = 256


@dataclass(frozen=True)
class World:
    """What was written.

    Attributes:
        root: the folder that holds it all.
        scenes: folder of GeoTIFFs, one a date.
        region: GeoJSON in EPSG:4326, one polygon well inside the imagery.
        truth: GeoPackage in the world's CRS with the layers mines (mine_id, year, state, kind,
            area_ha), parts (of the active mines: sediment, pond, pit, dump, tailings) and events
            (mine_id, year, event, others).
        truth_raster: GeoTIFF, one band a year: 0 no mine, 1 to 5 the active parts in that order,
            10 abandoned.
        years: of the scenes.
    """

    root: Path
    scenes: Path
    region: Path
    truth: Path
    truth_raster: Path
    years: tuple[int, ...]

    def mines(self, year: int | None = None, *, state: str | None = "active") -> gpd.GeoDataFrame:
        """Outlines of the mines in a year, or in all; of one state, or of both with None."""
        frame = gpd.read_file(self.truth, layer="mines")
        if year is not None:
            frame = frame[frame["year"] == year]
        if state is not None:
            frame = frame[frame["state"] == state]
        return frame.reset_index(drop=True)

    def mined_ha(self) -> dict[str, float]:
        """Geodesic hectares of mined ground inside the region, by year: the truth of the panel."""
        region = gpd.read_file(self.region).union_all()
        mines = self.mines().to_crs("EPSG:4326")
        mines["geometry"] = shapely.intersection(mines.geometry.to_numpy(), region)
        hectares = geodesic_hectares(mines.geometry.to_numpy(), "EPSG:4326")
        found = mines.assign(ha=hectares).groupby("year")["ha"].sum()
        return {str(year): float(found.get(year, 0.0)) for year in self.years}

    def events(self) -> gpd.GeoDataFrame:
        """What happened to which mine in which year."""
        return gpd.read_file(self.truth, layer="events")


def make_world(
    root: Path,
    *,
    seed: int = 7,
    size_px: int = 1024,
    years: Sequence[int] = range(2019, 2025),
    dates_per_year: int = 6,
    bands: Sequence[str] = BANDS,
    resolution_m: float = 10.0,
    crs: str = "EPSG:32719",
    blind_year: int | None = BLIND_YEAR,
) -> World:
    """Make the country and write it.

    The same arguments give the same pixels. It takes about 160 bytes of memory a pixel of the
    country.

    Args:
        root: folder to write to; made if it is not there.
        seed: another seed, another country.
        size_px: side of the square country, at least 256 pixels.
        years: one after the other; the mines' scripts begin in the first.
        dates_per_year: scenes a year.
        bands: common names among blue, green, red, nir, swir16, swir22.
        resolution_m: side of a pixel; its corners lie on multiples of it.
        crs: a projected CRS; the coordinates are those of the upper Amazon in UTM zone 19 south.
        blind_year: the year under clouds, None for none.

    Raises:
        StudyError: the country is too small, or the years or dates are not.
        BandError: a band that the world does not have.
    """
    years = tuple(years)
    _check(size_px, years, dates_per_year)
    endmembers(bands, 0.5)
    root = Path(root)
    world = _places(root, years)
    world.scenes.mkdir(parents=True, exist_ok=True)
    left, top = (np.floor(v / resolution_m) * resolution_m for v in ORIGIN_M)
    transform = Affine(resolution_m, 0.0, float(left), 0.0, -resolution_m, float(top))

    land = make_land(np.random.default_rng([seed, 1]), size_px)
    diggings = dig(np.random.default_rng([seed, 2]), land)
    camera = Camera(np.random.default_rng([seed, 3]), land, bands)
    for index, year in enumerate(years):
        mixture = land.mixture.copy()
        paint_fields(mixture, land, year)
        paint_sandbanks(mixture, land, year)
        paint_mines(mixture, land, diggings, index)
        ground = Ground.of(mixture, bands)
        rng = np.random.default_rng([seed, 4, year])
        days = scene_dates(rng, year, dates_per_year)
        skies = weather_of(rng, days, blind=year == blind_year)
        for day, sky in zip(days, skies, strict=True):
            scene = camera.take(ground, day, sky, [seed, 5, day.toordinal()], resolution_m)
            path = world.scenes / f"world_{day:%Y%m%d}.tif"
            write_scene(path, scene, bands, day, transform=transform, crs=crs)

    traced, events = trace(diggings, years)
    mines, parts = outlines(traced, diggings, transform=transform, crs=crs)
    world.truth.unlink(missing_ok=True)
    mines.to_file(world.truth, layer="mines", driver="GPKG")
    parts.to_file(world.truth, layer="parts", driver="GPKG")
    table = gpd.GeoDataFrame(event_table(events), geometry=[None] * len(events), crs=crs)
    table.to_file(world.truth, layer="events", driver="GPKG")
    _write_truth_raster(world.truth_raster, traced, diggings, transform, crs)
    _write_region(world.region, seed, size_px, transform, crs)
    (root / "world.json").write_text(
        json.dumps(
            {"country": COUNTRY, "fictional": True, "seed": seed, "size_px": size_px,
             "years": years, "dates_per_year": dates_per_year, "bands": list(bands),
             "resolution_m": resolution_m, "crs": crs, "blind_year": blind_year},
            indent=2,
        ),
        encoding="utf-8",
    )  # fmt: skip
    return world


def open_world(root: Path) -> World:
    """Find a world that was written before.

    Raises:
        MissingFileError: there is none.
    """
    root = Path(root)
    about = root / "world.json"
    if not about.is_file():
        raise MissingFileError(f"{root}: no world here; make_world writes one")
    years = tuple(json.loads(about.read_text(encoding="utf-8"))["years"])
    return _places(root, years)


def _places(root: Path, years: tuple[int, ...]) -> World:
    return World(
        root,
        root / "scenes",
        root / "region.geojson",
        root / "truth.gpkg",
        root / "truth.tif",
        years,
    )


def find_or_make_world(root: Path, *, seed: int, size_px: int) -> World:
    """The country of that seed and size: the one that is there, else a new one."""
    about = root / "world.json"
    if about.is_file():
        told = json.loads(about.read_text(encoding="utf-8"))
        if (told["seed"], told["size_px"]) == (seed, size_px):
            return open_world(root)
    return make_world(root, seed=seed, size_px=size_px)


def world_study(world: World, *, name: str = "world") -> dict[str, Any]:
    """A study of the whole world, as a study file would hold it: region, years, scenes.

    Its tiles are small: a country of a few kilometres in tiles made for states is mostly edge.
    """
    return {
        "name": name,
        "region": {"file": str(world.region.resolve())},
        "periods": list(world.years),
        "sources": [
            {
                "kind": "files",
                "path": str(world.scenes.resolve()),
                "licence": "MIT",
                "attribution": f"{COUNTRY}, a made-up country",
            }
        ],
        "grid": {"tile": 512},
        "model": {"name": "spectral"},
    }


def _check(size_px: int, years: tuple[int, ...], dates_per_year: int) -> None:
    if size_px < SMALLEST_PX:
        raise StudyError(
            f"a world of {size_px} px has no room for mines: take {SMALLEST_PX} or more"
        )
    if not years or list(years) != list(range(years[0], years[0] + len(years))):
        raise StudyError(f"years {years}: give years that follow one another, such as 2019 to 2024")
    if not 1 <= dates_per_year <= 36:
        raise StudyError(
            f"{dates_per_year} dates a year: give 1 to 36, the satellite passes no oftener"
        )


def _write_truth_raster(
    path: Path, traced: Sequence[Year], diggings: Diggings, transform: Affine, crs: str
) -> None:
    height, width = diggings.start.shape
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=len(traced), dtype="uint8",
        crs=crs, transform=transform, tiled=True, compress="zstd",
    ) as target:  # fmt: skip
        target.descriptions = tuple(str(here.year) for here in traced)
        for band, here in enumerate(traced, start=1):
            classes = np.where(here.active > 0, diggings.part, 0).astype(np.uint8)
            classes[here.abandoned > 0] = 10
            target.write(classes, band)


def _write_region(path: Path, seed: int, size_px: int, transform: Affine, crs: str) -> None:
    """A polygon as a concession might have: straight sides, no two alike, well inside."""
    rng = np.random.default_rng([seed, 6])
    angle = (np.arange(11) + rng.uniform(-0.28, 0.28, 11)) / 11 * 2 * np.pi
    square = 1 / np.maximum(np.abs(np.cos(angle)), np.abs(np.sin(angle)))
    radius = np.minimum(0.455 * square, 0.53) * rng.uniform(0.93, 1.0, 11) * size_px
    x, y = size_px / 2 + radius * np.cos(angle), size_px / 2 + radius * np.sin(angle)
    ring = [transform * (float(a), float(b)) for a, b in zip(x, y, strict=True)]
    polygon = shapely.set_precision(
        gpd.GeoSeries([shapely.Polygon(ring)], crs=crs).to_crs(4326).iloc[0], 1e-6
    )
    feature = {
        "type": "Feature",
        "properties": {"name": f"{COUNTRY}, a made-up country"},
        "geometry": shapely.geometry.mapping(shapely.orient_polygons(polygon)),
    }
    collection = {"type": "FeatureCollection", "features": [feature]}
    path.write_text(json.dumps(collection), encoding="utf-8")
