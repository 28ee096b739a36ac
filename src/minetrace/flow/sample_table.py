"""The table of a drawn sample: where each unit lies, how likely it was, and room for answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from minetrace.assess.selection import Pixels
from minetrace.core.grid import Grid
from minetrace.core.region import Region, Zone, project
from minetrace.errors import OutlineError
from minetrace.flow.ground import RunGround
from minetrace.flow.sample_design import (
    ALONG,
    DESIGN,
    PACKAGE,
    SIZE,
    TABLE,
    SampleRequest,
)
from minetrace.publish.tables import write_plain
from minetrace.store.files import write_json, write_whole
from minetrace.store.outlines import read_polygons, read_region

LONLAT = "EPSG:4326"


@dataclass(frozen=True)
class Picked:
    """The units that were drawn from one stratum.

    Attributes:
        name: of the stratum.
        units: in the order of the curve; their facts are the scores and the hectares.
        probability: of each to be drawn.
        stands_for_ha: the ground that each speaks for.
    """

    name: str
    units: Pixels
    probability: float
    stands_for_ha: float


def sample_table(
    ground: RunGround, picked: Sequence[Picked], request: SampleRequest, side_px: int
) -> gpd.GeoDataFrame:
    """One row a unit, in an order that does not tell the stratum.

    Its geometry is the point in the middle of a pixel, or that part of a square of pixels that lies
    in the region.

    Raises:
        OutlineError: the territories have no such column.
    """
    region = Region.of(read_region(ground.folder.region), origin=str(ground.folder.region))
    grids = ground.grids(region)
    every = [_rows(part, grids, ground.labels, side_px) for part in picked]
    table = pd.concat(every, ignore_index=True)
    order = np.random.default_rng(request.seed).permutation(len(table))
    table = table.iloc[order].reset_index(drop=True)
    width = len(str(len(table)))
    letter = "p" if side_px == 1 else "b"
    table.insert(0, "id", [f"{letter}{number:0{width}d}" for number in range(1, len(table) + 1)])
    for label in ground.labels:
        table[f"answer_{label}"] = ""
        table[f"second_{label}"] = ""
    table["note"] = ""
    found = gpd.GeoDataFrame(table, geometry="geometry", crs=LONLAT)
    _by_territory(found, request)
    return found


def known(table: gpd.GeoDataFrame, labels: Sequence[str]) -> dict[str, list[Any]]:
    """What an estimate needs of each unit, whatever becomes of the table."""
    columns = ["id", "stratum", ALONG, *(f"score_{label}" for label in labels)]
    columns += [name for name in (SIZE, "territory") if name in table.columns]
    return {name: table[name].tolist() for name in columns}


def write_sample(folder: Path, facts: Mapping[str, Any], table: gpd.GeoDataFrame) -> None:
    """Write ``sample.csv``, ``sample.gpkg`` and, last, ``design.json``."""
    plain = pd.DataFrame(table.drop(columns="geometry"))
    hidden = [name for name in plain.columns if name.startswith("score_") or name == ALONG]
    plain = plain.drop(columns=hidden)
    points = gpd.GeoDataFrame(plain, geometry=table.geometry, crs=table.crs)
    write_plain(folder / TABLE, plain)
    write_whole(folder / PACKAGE, lambda part: points.to_file(part, layer="sample", driver="GPKG"))
    write_json(folder / DESIGN, dict(facts))


def _rows(
    part: Picked, grids: Sequence[tuple[Zone, Grid]], labels: Sequence[str], side_px: int
) -> pd.DataFrame:
    units = part.units
    shapes = np.empty(len(units), dtype=object)
    for number, (zone, fine) in enumerate(grids):
        ours = units.zone == number
        rows, cols = units.row[ours], units.col[ours]
        if side_px == 1:
            shapes[ours] = _middles(fine, rows, cols)
        else:
            shapes[ours] = _squares(fine.coarsened(side_px), zone, rows, cols)
    middle = shapely.point_on_surface(shapes)
    table: dict[str, Any] = {
        "lon": np.round(shapely.get_x(middle), 7), "lat": np.round(shapely.get_y(middle), 7),
        "crs": [grids[z][1].crs for z in units.zone], "row": units.row, "col": units.col,
        "stratum": part.name, "probability": part.probability, "stands_for_ha": part.stands_for_ha,
    }  # fmt: skip
    if side_px > 1:
        table[SIZE] = np.round(units.facts[:, -1], 8)
    scores = {f"score_{label}": units.facts[:, i] for i, label in enumerate(labels)}
    return pd.DataFrame({**table, **scores, ALONG: np.arange(len(units)), "geometry": shapes})


def _middles(grid: Grid, rows: NDArray[np.int64], cols: NDArray[np.int64]) -> NDArray[np.object_]:
    """The middle of each pixel, in degrees."""
    to = Transformer.from_crs(grid.crs, LONLAT, always_xy=True)
    half = grid.resolution_m / 2
    x, y = cols * grid.resolution_m - grid.offset_m, grid.offset_m - rows * grid.resolution_m
    lon, lat = to.transform(x + half, y - half)
    return np.asarray(shapely.points(np.round(lon, 7), np.round(lat, 7)), dtype=object)


def _squares(
    grid: Grid, zone: Zone, rows: NDArray[np.int64], cols: NDArray[np.int64]
) -> NDArray[np.object_]:
    """What of each square lies in the region, in degrees."""
    side = grid.resolution_m
    left, top = cols * side - grid.offset_m, grid.offset_m - rows * side
    flat = shapely.box(left, top - side, left + side, top)
    region: BaseGeometry = zone.projected(grid)
    shapely.prepare(region)
    edge = ~shapely.contains_properly(region, flat)
    flat[edge] = shapely.buffer(shapely.intersection(flat[edge], region), 0)  # polygons alone
    return np.asarray(project(flat, grid.crs, LONLAT), dtype=object)


def _by_territory(table: gpd.GeoDataFrame, request: SampleRequest) -> None:
    """Write into the table in which territory each unit's middle lies; none outside all."""
    if request.territories is None:
        return
    polygons = read_polygons(request.territories).to_crs(LONLAT)
    if request.territory_id not in polygons.columns:
        raise OutlineError(
            f"{request.territories}: no column {request.territory_id!r}; name one with --id"
        )
    shapes = polygons.geometry.to_numpy()
    middles = shapely.points(table["lon"].to_numpy(), table["lat"].to_numpy())
    point, place = shapely.STRtree(shapes).query(middles, predicate="within")
    found = np.full(len(table), "", dtype=object)
    found[point] = polygons[request.territory_id].astype(str).to_numpy()[place]
    table.insert(table.columns.get_loc("stratum"), "territory", found)
