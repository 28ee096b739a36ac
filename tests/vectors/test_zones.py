"""Outlines of two UTM zones become one map without gap or overlap along their meridian."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import shapely
from pyproj import Transformer
from shapely.geometry import Polygon, box

from minetrace.core.footprints import Footprints
from minetrace.core.grid import Grid, Rect
from minetrace.vectors.outlines import OutlineRules, outlines
from minetrace.vectors.zones import unite_zones

WEST, EAST = box(-78, -90, -72, 0), box(-72, -90, -66, 0)
LAT = -12.6  # Madre de Dios, on the meridian between zones 18 and 19
SQUARE_METRE_HA = 1e-4


@dataclass(frozen=True)
class Ground:
    """Polygons in longitude and latitude as scores of any grid, by pixel centre."""

    shape: shapely.Geometry
    grid: Grid
    score: int

    def __call__(self, rect: Rect) -> tuple[np.ndarray, np.ndarray]:
        half = self.grid.resolution_m / 2
        x = self.grid.x(rect.col) + half + np.arange(rect.width) * 2 * half
        y = self.grid.y(rect.row) - half - np.arange(rect.height) * 2 * half
        back = Transformer.from_crs(self.grid.crs, "EPSG:4326", always_xy=True)
        lon, lat = back.transform(*np.meshgrid(x, y))
        inside = shapely.contains_xy(self.shape, lon, lat)
        scores = np.where(inside, self.score, 0).astype(np.uint16)
        return scores, scores


def zone(shape: shapely.Geometry, crs: str, score: int) -> Footprints:
    """What one zone outlines: everything near, beyond its meridian too."""
    grid = Grid(crs, 20.0)
    to = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    rect = grid.rect(shapely.transform(shape, to.transform, interleaved=False).bounds).expand(3)
    tiles = [block & rect for block in rect.blocks(100)]
    return outlines(tiles, Ground(shape, grid, score), grid, OutlineRules(), "mined")


def united(shape: shapely.Geometry) -> Footprints:
    return unite_zones([
        (zone(shape, "EPSG:32718", 6_000), WEST), (zone(shape, "EPSG:32719", 8_000), EAST),
    ])  # fmt: skip


def blob(lon: float, lat: float, reach_deg: float) -> Polygon:
    angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    reach = reach_deg * (1 + 0.25 * np.sin(3 * angle) + 0.1 * np.cos(7 * angle))
    return Polygon(np.column_stack([lon + reach * np.cos(angle), lat + reach * np.sin(angle)]))


def hectares(shape: shapely.Geometry) -> float:
    return float(Footprints(np.array([shape], dtype=object), "EPSG:4326", "mined").hectares[0])


def test_a_blob_across_the_meridian_is_one_outline_without_gap_or_overlap() -> None:
    shape = blob(-72.002, LAT, 0.012)
    parts = [(zone(shape, "EPSG:32718", 6_000), WEST), (zone(shape, "EPSG:32719", 8_000), EAST)]
    found = unite_zones(parts)
    assert (len(found), found.crs) == (1, "EPSG:4326")
    assert shapely.is_valid(found.geometry).all()
    halves = [unite_zones([part]) for part in parts]
    west, east = (half.geometry[0] for half in halves)
    assert west.bounds[2] == -72.0 == east.bounds[0]
    assert shapely.intersection(west, east).area == 0.0
    measured = [float(half.columns["area_ha"].sum()) for half in halves]
    assert abs(found.columns["area_ha"][0] - sum(measured)) < SQUARE_METRE_HA
    assert found.columns["area_ha"][0] == pytest.approx(hectares(shape), rel=5e-3)
    weighted = (measured[0] * 0.6 + measured[1] * 0.8) / sum(measured)
    assert found.columns["score_mean"][0] == pytest.approx(weighted, rel=1e-9)
    assert found.columns["score_max"][0] == 0.8


def test_ground_on_both_sides_covers_the_meridian_without_a_gap() -> None:
    shape = box(-72.01, LAT - 0.01, -71.99, LAT + 0.01)
    found = united(shape)
    along = shapely.LineString([(-72.0, LAT - 0.009), (-72.0, LAT + 0.009)])
    assert len(found) == 1
    assert found.geometry[0].contains(along)
    assert len(found.geometry[0].interiors) == 0


def test_a_horseshoe_that_opens_at_the_meridian_is_two_pieces_or_one() -> None:
    """What was one outline in a zone is two when the other zone has nothing to join it."""
    shoe = box(-72.01, LAT, -71.99, LAT + 0.01) - box(-72.006, LAT + 0.003, -71.99, LAT + 0.007)
    one = united(shoe)
    east_only = unite_zones([(zone(shoe, "EPSG:32719", 8_000), EAST)])
    assert (len(one), len(east_only)) == (1, 2)


def test_far_from_the_meridian_nothing_is_touched_and_order_is_fixed() -> None:
    shape = shapely.union_all([blob(-72.05, LAT, 0.004), blob(-71.95, LAT + 0.02, 0.004)])
    parts = [(zone(shape, "EPSG:32718", 6_000), WEST), (zone(shape, "EPSG:32719", 8_000), EAST)]
    found, turned = unite_zones(parts), unite_zones(parts[::-1])
    assert len(found) == 2
    assert found.columns["score_mean"].tolist() == [0.8, 0.6]  # from north to south
    assert shapely.to_wkb(found.geometry).tolist() == shapely.to_wkb(turned.geometry).tolist()
    np.testing.assert_array_equal(found.columns["area_ha"], found.hectares)


def test_corner_contact_at_the_meridian_does_not_join() -> None:
    west = Footprints(np.array([box(-72.01, LAT, -72, LAT + 0.01)]), "EPSG:4326", "mined", {
        "score_mean": np.array([0.5]), "score_max": np.array([0.5]), "area_ha": np.array([0.0]),
    })  # fmt: skip
    east = Footprints(np.array([box(-72, LAT + 0.01, -71.99, LAT + 0.02)]), "EPSG:4326", "mined",
                      west.columns)  # fmt: skip
    assert len(unite_zones([(west, WEST), (east, EAST)])) == 2


def test_one_zone_alone_is_only_carried_over() -> None:
    found = zone(blob(-71.5, LAT, 0.01), "EPSG:32719", 7_000)
    carried = unite_zones([(found, None)])
    np.testing.assert_allclose(carried.columns["area_ha"], found.columns["area_ha"], rtol=1e-9)
    assert carried.columns["score_max"].tolist() == [0.7]


def test_zones_that_found_nothing_are_no_error() -> None:
    nothing = zone(blob(-71.5, LAT, 0.01), "EPSG:32719", 100)
    some = zone(blob(-72.5, LAT, 0.01), "EPSG:32718", 7_000)
    assert len(unite_zones([(nothing, EAST)])) == 0
    assert len(unite_zones([(some, WEST), (nothing, EAST)])) == 1
    with pytest.raises(ValueError, match="at least one zone"):
        unite_zones([])
