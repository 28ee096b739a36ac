"""One period of a frame: its picture, what of it was not looked at, and its outlines."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from minetrace.publish.figures.frame import Frame
from minetrace.publish.figures.style import EMPTY, HATCH, INK, NOT_LOOKED_HATCH, PAPER

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HAIR_MM = 0.04  # detail finer than this is not drawn
DOT_MM = 0.7  # an outline smaller than this is marked with a dot
HEAVY_VERTICES = 40_000  # from here on lines become pixels, so that an SVG still opens

VEIL = (1.0, 1.0, 1.0, 0.62)  # over what was not looked at

Colours = tuple[str, ...]


@dataclass(frozen=True)
class Backdrop:
    """A picture and the ground under it.

    Attributes:
        pixels: (h, w, 4) uint8 red, green, blue, opacity.
        bounds: (left, bottom, right, top) in the frame's CRS.
    """

    pixels: NDArray[np.uint8]
    bounds: tuple[float, float, float, float]


@dataclass(frozen=True)
class View:
    """What is seen of a frame in one period.

    Attributes:
        frame: the ground.
        period: its label.
        outlines: (n,) polygons in the frame's CRS.
        cohort: (n,) the place in time of each outline's first period.
        backdrop: the picture, or None where there is none.
        unlooked: ground that nobody could look at, in the frame's CRS.
        region: what was asked about, in the frame's CRS.
        focus: (n,) outlines to draw strong, the rest faint; all of them if None.
    """

    frame: Frame
    period: str
    outlines: NDArray[np.object_]
    cohort: NDArray[np.intp]
    backdrop: Backdrop | None = None
    unlooked: BaseGeometry | None = None
    region: BaseGeometry | None = None
    focus: NDArray[np.bool_] | None = field(default=None)

    def __post_init__(self) -> None:
        if len(self.outlines) != len(self.cohort):
            raise ValueError(f"View: {len(self.outlines)} outlines, {len(self.cohort)} cohorts")


def draw_view(axes: Axes, view: View, colours: Colours, width_mm: float, line_pt: float) -> int:
    """Draw a view into axes that are ``width_mm`` wide.

    Args:
        colours: one per period in time order.
        line_pt: width of the outlines.

    Returns:
        How many outlines were too small for this scale and became dots.
    """
    frame = view.frame
    axes.set(xlim=(frame.left, frame.right), ylim=(frame.bottom, frame.top))
    axes.set(xticks=[], yticks=[])
    axes.set_facecolor(EMPTY)
    if view.backdrop is not None:
        left, bottom, right, top = view.backdrop.bounds
        axes.imshow(view.backdrop.pixels, extent=(left, right, bottom, top), aspect="auto",
                    zorder=1)  # fmt: skip
        axes.set(xlim=(frame.left, frame.right), ylim=(frame.bottom, frame.top))
    mm = frame.width_m / width_mm
    if view.unlooked is not None and not view.unlooked.is_empty:
        _fill(axes, view.unlooked.simplify(HAIR_MM * mm), edgecolor=HATCH, facecolor=VEIL,
              hatch=NOT_LOOKED_HATCH, linewidth=0, zorder=2)  # fmt: skip
    if view.region is not None:
        edge = view.region.simplify(HAIR_MM * mm)
        _fill(axes, edge, edgecolor=PAPER, facecolor="none", linewidth=1.3, alpha=0.8, zorder=3)
        _fill(axes, edge, edgecolor=INK, facecolor="none", linewidth=0.5, linestyle=(0, (4, 2)),
              zorder=3.1)  # fmt: skip
    faint = np.zeros(len(view.outlines), dtype=bool) if view.focus is None else ~view.focus
    _lines(axes, view, faint, colours, mm, line_pt * 0.6, alpha=0.65)
    return _lines(axes, view, ~faint, colours, mm, line_pt, alpha=1.0)


def _lines(
    axes: Axes, view: View, which: NDArray[np.bool_], colours: Colours, mm: float, line_pt: float,
    *, alpha: float,
) -> int:  # fmt: skip
    """Outlines in the colour of their first period over a casing; returns how many dots."""
    from matplotlib.collections import PathCollection

    near = which & shapely.intersects(view.outlines, view.frame.shape)
    shapes, cohort = view.outlines[near], view.cohort[near]
    small = np.sqrt(shapely.area(shapes)) < DOT_MM * mm
    paths = [_path(shape) for shape in shapely.simplify(shapes[~small], HAIR_MM * mm)]
    edge = [colours[i] for i in cohort[~small]]
    heavy = sum(len(path.vertices) for path in paths) > HEAVY_VERTICES
    casing = [_casing(colour) for colour in edge]
    for colour, width, z in ((casing, line_pt + 0.7, 4.0), (edge, line_pt, 4.1)):
        axes.add_collection(
            PathCollection(paths, facecolors="none", edgecolors=colour, linewidths=width,
                           alpha=alpha, zorder=z, rasterized=heavy, joinstyle="round"),
            autolim=False,
        )  # fmt: skip
    if small.any():
        spots = shapely.centroid(shapes[small])
        axes.scatter(shapely.get_x(spots), shapely.get_y(spots), s=2.6 * line_pt**0.5,
                     c=[colours[i] for i in cohort[small]], linewidths=0.3,
                     edgecolors=[_casing(colours[i]) for i in cohort[small]],
                     alpha=alpha, zorder=4.2, rasterized=bool(small.sum() > 5000))  # fmt: skip
    return int(small.sum())


def _casing(colour: str) -> str:
    """White under dark lines, dark under light ones: seen on forest and on sand alike."""
    red, green, blue = bytes.fromhex(colour[1:])
    return INK if 0.3 * red + 0.59 * green + 0.11 * blue > 120 else PAPER


def _fill(axes: Axes, shape: BaseGeometry, **look: Any) -> None:
    from matplotlib.patches import PathPatch

    if not shape.is_empty:
        axes.add_patch(PathPatch(_path(shape), **look))


def _path(shape: BaseGeometry) -> Any:
    """Polygons as one compound path; holes stay holes."""
    from matplotlib.path import Path

    parts = [p for p in shapely.get_parts(shape) if p.geom_type == "Polygon"]
    parts = [shapely.orient_polygons(part) for part in parts]
    rings = [ring for part in parts for ring in (part.exterior, *part.interiors)]
    if not rings:
        return Path(np.zeros((0, 2)))
    codes = [np.full(len(ring.coords), Path.LINETO, dtype=np.uint8) for ring in rings]
    for code in codes:
        code[0], code[-1] = Path.MOVETO, Path.CLOSEPOLY
    return Path(np.concatenate([np.asarray(ring.coords)[:, :2] for ring in rings]),
                np.concatenate(codes))  # fmt: skip


def cell_for(frame: Frame, width_mm: float, dpi: int, finest_m: float) -> float:
    """Side in metres of the cells of a picture: as fine as the print or the imagery shows."""
    dots = max(1.0, width_mm / 25.4 * dpi)
    return max(finest_m, math.ceil(frame.width_m / dots / finest_m) * finest_m)
