"""Pictures of composites for the map: tiles laid together, made small, and placed on the Earth.

Tiles are averaged into the cells of one coarse lattice as they are read, so that a picture does
not depend on how the composite was cut, and only the small picture is held. Places that lie apart
get a picture each, all at one scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import rasterio.warp
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.enums import Resampling

from minetrace.core.grid import Grid, Rect
from minetrace.core.raster import NODATA, Raster
from minetrace.publish.colours import Recipe, recipe_for
from minetrace.publish.picture import Corners, Picture, Stretch, shade, webp

Read = Callable[[Rect], Raster]

MERCATOR = "EPSG:3857"
# the same, cut at Greenwich instead of the date line
FAR_MERCATOR = "+proj=merc +a=6378137 +b=6378137 +lon_0=180 +units=m +no_defs"
FAR_DEG = 150.0  # longitudes beyond belong to the far one
LONLAT = "EPSG:4326"
HATCH_PX, HATCH_SHADE = 8, 0.6  # between the lines over ground that was lent, and their brightness
_LUMINANCE = (0.299, 0.587, 0.114)  # of red, green, blue; ITU-R BT.601
BEND_PX = 0.5  # a picture that its four corners misplace by more than this is warped


@dataclass(frozen=True)
class Sight:
    """What can be seen of one period on one grid.

    Attributes:
        period: the label of its period.
        grid: the lattice of the composite.
        rects: the composite's tiles, in any order; they may lie far apart.
        read: gives the composite over a rectangle.
    """

    period: str
    grid: Grid
    rects: Sequence[Rect]
    read: Read


@dataclass(frozen=True)
class Canvas:
    """A small composite, before it is coloured.

    Attributes:
        recipe: what the three bands are.
        pixels: (3, h, w) int16 reflectance x 10,000, mean of the valid pixels under each cell.
        valid: (h, w) at least half of the cell was seen.
        grid: the lattice of its cells.
        rect: the cells that it covers.
        looked_share: share of the pixels under it that were seen.
        lent: (h, w) shown as a neighbouring period saw it; None for nowhere.
    """

    recipe: Recipe
    pixels: NDArray[np.int16]
    valid: NDArray[np.bool_]
    grid: Grid
    rect: Rect
    looked_share: float
    lent: NDArray[np.bool_] | None = None

    @property
    def shown(self) -> NDArray[np.bool_]:
        """(h, w) cells that show any ground."""
        return self.valid if self.lent is None else self.valid | self.lent

    def lent_by(self, other: Canvas) -> Canvas:
        """The same, its empty cells as another period saw the same ground."""
        new = other.valid & ~self.shown
        lent = new if self.lent is None else self.lent | new
        return replace(self, pixels=np.where(new, other.pixels, self.pixels), lent=lent)


def pictures(
    sights: Iterable[Sight], *, max_px: int = 1600, lend: bool = False
) -> dict[str, list[Picture]]:
    """Pictures of every period, all in the same colours.

    Args:
        sights: one per period and grid, in order of time.
        max_px: the longest side of a picture; where a period has several, together they have no
            more pixels than one of that side squared.
        lend: show ground that a period did not see as the period before it did, or else the one
            after, grey and hatched.

    Returns:
        Pictures by period label; none where nothing was seen or no bands make a picture.
    """
    drawn: list[tuple[str, Canvas]] = []
    for sight in sights:
        groups = neighbourhoods(sight.rects)
        factor = _factor(groups, max_px)
        canvases = (_laid(sight.read, group, sight.grid, factor) for group in groups)
        drawn += [(sight.period, canvas) for canvas in canvases if canvas is not None]
    lent = _lent(drawn) if lend else drawn
    drawn = [(label, part) for label, canvas in lent if (part := _cut(canvas)) is not None]
    found: dict[str, list[Picture]] = {}
    for recipe in dict.fromkeys(canvas.recipe for _, canvas in drawn):
        alike = [(label, canvas) for label, canvas in drawn if canvas.recipe == recipe]
        stretch = recipe.stretch([canvas.pixels[:, canvas.valid] for _, canvas in alike])
        for label, canvas in alike:
            found.setdefault(label, []).append(picture(label, canvas, stretch))
    return found


def lent_shares(pictures: Mapping[str, Sequence[Picture]]) -> dict[str, float]:
    """How much of what each period's pictures show was lent, 0 to 1; periods without any left out.

    Args:
        pictures: by period label.
    """
    shown = {label: sum(one.shown_px for one in here) for label, here in pictures.items()}
    lent = {label: sum(one.lent_px for one in here) for label, here in pictures.items()}
    return {label: lent[label] / shown[label] for label in pictures if lent[label]}


def neighbourhoods(rects: Sequence[Rect]) -> list[list[Rect]]:
    """Rectangles in groups that touch, corners included; sorted, whatever order they came in."""
    line = sorted(set(rects))
    boxes = shapely.box([r.col for r in line], [r.row for r in line],
                        [r.col_stop for r in line], [r.row_stop for r in line])  # fmt: skip
    one, other = shapely.STRtree(boxes).query(boxes, predicate="intersects")
    group = np.arange(len(line))
    while True:  # each takes the lowest name among its neighbours, until nobody changes
        lowest = group.copy()
        np.minimum.at(lowest, one, group[other])
        lowest = lowest[lowest]
        if (lowest == group).all():
            break
        group = lowest
    return [[line[i] for i in np.flatnonzero(group == name)] for name in np.unique(group)]


def mosaic(read: Read, rects: Sequence[Rect], grid: Grid, factor: int) -> Canvas | None:
    """Lay tiles together at one cell for every ``factor`` by ``factor`` pixels.

    Args:
        read: gives the composite over a rectangle.
        rects: tiles that share no pixel.
        grid: the lattice of the composite.
        factor: pixels to a cell; cells lie on multiples of it.

    Returns:
        The canvas, cut to what was seen; None if nothing was, or no bands make a picture.
    """
    canvas = _laid(read, rects, grid, factor)
    return None if canvas is None else _cut(canvas)


def _laid(read: Read, rects: Sequence[Rect], grid: Grid, factor: int) -> Canvas | None:
    """As ``mosaic``, whatever was seen."""
    frame = rects[0]
    for rect in rects[1:]:
        frame = frame | rect
    cells = frame.snapped(factor)
    cells = Rect(cells.row // factor, cells.col // factor,
                 cells.height // factor, cells.width // factor)  # fmt: skip
    total = np.zeros((3, *cells.shape), dtype=np.int64)
    seen = np.zeros(cells.shape, dtype=np.int64)
    recipe = None
    for rect in rects:
        raster = read(rect)
        recipe = recipe_for(raster.bands)
        if recipe is None:
            return None
        colours = recipe.mix(raster)
        rows, row_cuts = _cuts(rect.row, rect.height, factor)
        cols, col_cuts = _cuts(rect.col, rect.width, factor)
        spot = (slice(rows.start - cells.row, rows.stop - cells.row),
                slice(cols.start - cells.col, cols.stop - cells.col))  # fmt: skip
        seen[spot] += _sums(raster.valid.astype(np.int64), row_cuts, col_cuts)
        for i, band in enumerate(colours):
            counts = np.rint(np.where(raster.valid, band, 0)).astype(np.int64)
            total[i][spot] += _sums(counts, row_cuts, col_cuts)
    if recipe is None:
        return None
    share = float(seen.sum() / sum(rect.height * rect.width for rect in rects))
    pixels = np.rint(total / np.maximum(seen, 1))
    pixels = np.where(seen > 0, np.clip(pixels, NODATA + 1, 32767), 0).astype(np.int16)
    valid = seen * 2 >= factor * factor
    return Canvas(recipe, pixels, valid, grid.coarsened(factor), cells, share)


def _lent(drawn: Sequence[tuple[str, Canvas]]) -> list[tuple[str, Canvas]]:
    """Canvases of all periods, each lent what the period before it saw, or else the one after."""
    labels = list(dict.fromkeys(label for label, _ in drawn))
    at = {label: number for number, label in enumerate(labels)}
    seen = {(at[label], canvas.grid, canvas.rect): canvas for label, canvas in drawn}
    found = []
    for label, canvas in drawn:
        for beside in (at[label] - 1, at[label] + 1):
            other = seen.get((beside, canvas.grid, canvas.rect))
            canvas = canvas if other is None else canvas.lent_by(other)
        found.append((label, canvas))
    return found


def picture(period: str, canvas: Canvas, stretch: Stretch) -> Picture:
    """Colour a canvas and place it: by its corners, or warped where corners do not suffice."""
    pixels, shown, lent = canvas.pixels.astype(np.float32), canvas.shown, canvas.lent
    corners, bend_px = placed(canvas.grid, canvas.rect)
    if bend_px > BEND_PX:
        pixels, shown, lent, corners = _warped(canvas)
    colours = shade(pixels, stretch)
    if lent is not None:
        colours = np.where(lent, hatched(colours), colours)
    return Picture(
        period, webp(colours, shown), "image/webp", corners, canvas.looked_share,
        int(shown.sum()), 0 if lent is None else int(lent.sum()),
    )  # fmt: skip


def hatched(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(3, h, w) red, green, blue as grey with dark lines across, as of ground seen otherwise."""
    grey = np.tensordot(np.array(_LUMINANCE), colours, axes=1)
    down, across = np.indices(grey.shape)
    lined = np.where((down + across) % HATCH_PX == 0, grey * HATCH_SHADE, grey)
    return np.broadcast_to(np.rint(lined).astype(np.uint8), colours.shape)


def placed(grid: Grid, rect: Rect) -> tuple[Corners, float]:
    """Corners of a rectangle in longitude and latitude, and how far they misplace its inside.

    Returns:
        Corners as a picture has them, and the largest distance, in cells, between where a cell
        lies in Web Mercator and where two triangles between the corners put it.
    """
    west, south, east, north = grid.bounds(rect)
    to = Transformer.from_crs(grid.crs, LONLAT, always_xy=True)
    lon, lat = to.transform([west, east, east, west], [north, north, south, south])
    u, v = np.meshgrid(np.linspace(0, 1, 9), np.linspace(0, 1, 9))
    to = Transformer.from_crs(grid.crs, _mercator(grid, rect), always_xy=True)
    xy = np.array(to.transform(west + u * (east - west), north + v * (south - north)))
    nw, ne, sw, se = (xy[:, i, j, None, None] for i, j in ((0, 0), (0, -1), (-1, 0), (-1, -1)))
    upper = nw + u * (ne - nw) + v * (sw - nw)
    lower = se + (1 - u) * (sw - se) + (1 - v) * (ne - se)
    off = np.hypot(*(xy - np.where(u + v <= 1, upper, lower))).max()
    cell = np.hypot(*(ne - nw)[:, 0, 0]) / rect.width
    spots = _unbroken(zip(lon, lat, strict=True))
    return (spots[0], spots[1], spots[2], spots[3]), float(off / cell)


def _warped(
    canvas: Canvas,
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_] | None, Corners]:
    """The canvas on a lattice of Web Mercator, where corners place it exactly."""
    grid, rect = canvas.grid, canvas.rect
    mercator = _mercator(grid, rect)
    west, south, east, north = rasterio.warp.transform_bounds(
        grid.crs, mercator, *grid.bounds(rect), densify_pts=21
    )
    cell = math.sqrt((east - west) * (north - south) / (rect.width * rect.height))
    width, height = math.ceil((east - west) / cell), math.ceil((north - south) / cell)
    affine = Affine(cell, 0.0, west, 0.0, -cell, north)
    source = np.where(canvas.shown, canvas.pixels, np.nan).astype(np.float32)
    target = np.full((3, height, width), np.nan, dtype=np.float32)
    rasterio.warp.reproject(
        source, target, src_transform=grid.affine(rect), src_crs=grid.crs, src_nodata=np.nan,
        dst_transform=affine, dst_crs=mercator, dst_nodata=np.nan, resampling=Resampling.bilinear,
    )  # fmt: skip
    shown = np.asarray(~np.isnan(target).any(axis=0))
    corners = _corners(affine, width, height, mercator)
    if canvas.lent is None:
        return np.nan_to_num(target), shown, None, corners
    lent = np.zeros((height, width), dtype=np.uint8)
    rasterio.warp.reproject(
        canvas.lent.astype(np.uint8), lent, src_transform=grid.affine(rect), src_crs=grid.crs,
        dst_transform=affine, dst_crs=mercator, resampling=Resampling.nearest,
    )  # fmt: skip
    return np.nan_to_num(target), shown, (lent > 0) & shown, corners


def _mercator(grid: Grid, rect: Rect) -> str:
    """The Web Mercator in whose middle, rather than at whose edge, a rectangle lies."""
    west, south, east, north = grid.bounds(rect)
    to = Transformer.from_crs(grid.crs, LONLAT, always_xy=True)
    lon, _ = to.transform((west + east) / 2, (south + north) / 2)
    return FAR_MERCATOR if abs(lon) > FAR_DEG else MERCATOR


def _corners(affine: Affine, width: int, height: int, mercator: str) -> Corners:
    to = Transformer.from_crs(mercator, LONLAT, always_xy=True)
    spots = [affine @ spot for spot in ((0, 0), (width, 0), (width, height), (0, height))]
    nw, ne, se, sw = _unbroken(to.transform(x, y) for x, y in spots)
    return nw, ne, se, sw


def _unbroken(spots: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Longitudes that go on beyond 180 degrees rather than leap; their middle is within."""
    line = [(float(lon), float(lat)) for lon, lat in spots]
    if max(line)[0] - min(line)[0] < 180:
        return line
    line = [(lon + 360 if lon < 0 else lon, lat) for lon, lat in line]
    beyond = sum(lon for lon, _ in line) / len(line) > 180
    return [(lon - 360, lat) for lon, lat in line] if beyond else line


def _factor(groups: Sequence[Sequence[Rect]], max_px: int) -> int:
    """Pixels to a cell, so that no picture is too wide and all together are not too many."""
    factor, frames = 1, []
    for group in groups:
        rows = max(r.row_stop for r in group) - min(r.row for r in group)
        cols = max(r.col_stop for r in group) - min(r.col for r in group)
        frames.append(rows * cols)
        factor = max(factor, math.ceil(max(rows, cols) / max_px))
    return max(factor, math.ceil(math.sqrt(sum(frames)) / max_px))


def _cuts(start: int, length: int, factor: int) -> tuple[range, NDArray[np.intp]]:
    """The cells that a run of pixels touches, and where in the run each begins."""
    cells = range(start // factor, -(-(start + length) // factor))
    begins = np.array(cells, dtype=np.intp) * factor - start
    return cells, np.maximum(begins, 0)


def _sums(
    values: NDArray[np.int64], rows: NDArray[np.intp], cols: NDArray[np.intp]
) -> NDArray[np.int64]:
    return np.asarray(np.add.reduceat(np.add.reduceat(values, rows, axis=0), cols, axis=1))


def _cut(canvas: Canvas) -> Canvas | None:
    """Without the empty rows and columns around what is shown; None if nothing is."""
    rows, cols = (np.flatnonzero(canvas.shown.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    here = Rect.spanning(int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1)
    part = here.within(Rect(0, 0, *canvas.rect.shape))
    place = Rect(canvas.rect.row + here.row, canvas.rect.col + here.col, here.height, here.width)
    lent = None if canvas.lent is None else canvas.lent[part]
    return replace(canvas, pixels=canvas.pixels[:, *part], valid=canvas.valid[part], rect=place,
                   lent=lent)  # fmt: skip
