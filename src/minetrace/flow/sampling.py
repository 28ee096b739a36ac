"""A probability sample of a run's ground, drawn and written to a folder for people to answer."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import Transformer

from minetrace.assess.allocation import (
    ALLOCATIONS,
    Allocation,
    allocate,
    points_for,
    spread_of,
    variance,
)
from minetrace.assess.selection import CANDIDATES, Pixels, numbered, spread
from minetrace.assess.strata import STRATA, expected_shares, mapped_in, stratify
from minetrace.assess.warnings import before
from minetrace.core.grid import Grid
from minetrace.core.region import Region
from minetrace.errors import NoImageryError, OutlineError, PeriodError, RunError, StudyError
from minetrace.flow.ground import Block, RunGround, open_ground
from minetrace.flow.open_run import Run
from minetrace.flow.report import versions
from minetrace.flow.sample_design import (
    ALONG,
    ANSWERS,
    DESIGN,
    FORMAT,
    PACKAGE,
    TABLE,
    Design,
    SampleRequest,
)
from minetrace.flow.verified import map_checksum
from minetrace.publish.tables import write_plain
from minetrace.store.files import read_json, sha256, write_json, write_whole
from minetrace.store.outlines import read_polygons, read_region
from minetrace.store.run_folder import RunFolder


@dataclass
class _Counted:
    """What walking the ground adds up to."""

    periods: int
    units: NDArray[np.int64] = field(init=False)
    area_ha: NDArray[np.float64] = field(init=False)
    scores: NDArray[np.float64] = field(init=False)
    pool: list[Pixels | None] = field(init=False)
    unlooked_ha: float = 0.0
    mapped_unlooked_ha: float = 0.0

    def __post_init__(self) -> None:
        self.units = np.zeros(len(STRATA), dtype=np.int64)
        self.area_ha = np.zeros(len(STRATA))
        self.scores = np.zeros((len(STRATA), self.periods))
        self.pool = [None] * len(STRATA)

    def add(self, block: Block, codes: NDArray[np.uint8], seed: int) -> None:
        """Count a block and keep its pixels that may be drawn."""
        unseen = block.wanted & ~block.looked
        mapped = np.logical_or.reduce(block.mapped)
        self.unlooked_ha += float(unseen.sum()) * block.pixel_ha
        self.mapped_unlooked_ha += float((unseen & mapped).sum()) * block.pixel_ha
        facts = np.stack(block.score, axis=-1).astype(np.float64)
        for code in range(len(STRATA)):
            row, col = np.nonzero(codes == code)
            if not len(row):
                continue
            self.units[code] += len(row)
            self.area_ha[code] += len(row) * block.pixel_ha
            self.scores[code] += facts[row, col].sum(axis=0)
            y, x = row.astype(np.int64) + block.rect.row, col.astype(np.int64) + block.rect.col
            number = numbered(seed, block.grid.zone, y, x)
            here = Pixels(number, np.full(len(y), block.zone), y, x, facts[row, col])
            pool = self.pool[code]
            self.pool[code] = (here if pool is None else pool.joined(here)).lowest(CANDIDATES)


@dataclass(frozen=True)
class Planned:
    """How many points a design takes from where, and what it will be worth; nothing is drawn yet.

    Attributes:
        names: of the strata.
        codes: (H,) their places in ``STRATA``.
        area_ha, units: (H,) ground, and pixels to draw from.
        shares: (H,) expected share of mines.
        points: (H,) to be drawn.
        standard_error_ha: expected, of mined hectares.
        not_looked_ha: ground that is in no stratum, because nobody saw it.
        warnings: what this design cannot carry.
    """

    names: tuple[str, ...]
    codes: NDArray[np.intp]
    area_ha: NDArray[np.float64]
    units: NDArray[np.int64]
    shares: NDArray[np.float64]
    points: NDArray[np.int64]
    standard_error_ha: float
    not_looked_ha: float
    warnings: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """What to tell in the terminal."""
        for name, area, n in zip(self.names, self.area_ha, self.points, strict=True):
            yield f"{name:>10}  {area:>14,.1f} ha  {n:>6,} points"
        if self.not_looked_ha > 0:
            yield f"not looked  {self.not_looked_ha:>13,.1f} ha  not estimated: nobody saw it"
        yield f"expected standard error of mined hectares: {self.standard_error_ha:,.1f}"


Tell = Callable[[Planned], None]


def plan(root: Path, request: SampleRequest) -> Planned:
    """What a sample would be, without drawing it; arguments and errors as for `draw`."""
    ground, blocks = _opened(root, request)
    return _planned(_counted(ground, blocks, request)[0], request)


def draw(
    root: Path, request: SampleRequest, out: Path | None = None, *, tell: Tell | None = None
) -> Design:
    """Draw a sample and write ``sample.csv``, ``sample.gpkg`` and ``design.json``.

    Args:
        root: the run folder.
        out: where to; ``RUN/samples/PERIOD`` if left out.
        tell: is told the plan and its warnings before anything is drawn.

    Raises:
        UserError: the run, a period or a number cannot be used, or the folder holds a sample.
        NoImageryError: nothing was looked at in those periods.
    """
    run = Run.open(root)
    _check(run, request)
    labels = _labels(run, request)
    folder = out or root / "samples" / "-to-".join(labels)
    if (folder / DESIGN).exists():
        raise RunError(
            f"{folder}: already holds a sample, perhaps with answers; choose another --out"
        )
    ground, blocks = _opened(root, request)
    facts, table = drawn_from(ground, blocks, request, tell=tell)
    facts["run"]["path"] = os.path.relpath(root.resolve(), folder.resolve())
    facts["versions"] = versions()
    _write(folder, facts, table)
    return Design(folder, facts)


def drawn_from(
    ground: RunGround, blocks: Iterable[Block], request: SampleRequest, *, tell: Tell | None = None
) -> tuple[dict[str, Any], gpd.GeoDataFrame]:
    """A design and its points, without writing anything.

    Args:
        blocks: all of the ground, in any order.
        tell: is told the plan before anything is drawn.

    Raises:
        NoImageryError: nothing was looked at.
        StudyError: there are too few points for the strata, or far too many.
    """
    root = ground.folder.root
    counted, uncertain, extent = _counted(ground, blocks, request)
    planned = _planned(counted, request)
    if tell is not None:
        tell(planned)
    facts, table = _drawn(ground, counted, planned, request, uncertain, extent)
    return {**facts, "run": {"name": ground.study.name, "map_sha256": map_checksum(root)}}, table


def _labels(run: Run, request: SampleRequest) -> tuple[str, ...]:
    return tuple(sorted(set(request.periods), key=run.periods.index))


def _opened(root: Path, request: SampleRequest) -> tuple[RunGround, Iterator[Block]]:
    run = Run.open(root)
    _check(run, request)
    ground = open_ground(RunFolder(root), run.panel(), _labels(run, request))
    return ground, ground.blocks(buffer_m=request.buffer_m)


def _counted(
    ground: RunGround, blocks: Iterable[Block], request: SampleRequest
) -> tuple[_Counted, float, str]:
    """What the ground adds up to, from which score on it is uncertain, and what outlines mean."""
    root = ground.folder.root
    card = read_json(root / "datacard.json")
    uncertain = request.uncertain if request.uncertain is not None else card["threshold"] / 2
    counted = _Counted(len(ground.labels))
    for block in blocks:
        likely = np.logical_or.reduce([score >= uncertain for score in block.score])
        codes = stratify(block.wanted & block.looked, block.mapped, block.near, likely)
        counted.add(block, codes, request.seed)
    if not counted.units.any():
        raise NoImageryError(
            f"{root}: no ground was looked at in {' and '.join(ground.labels)}, so there is none "
            "to draw points from; choose another --period"
        )
    return counted, float(uncertain), str(card["extent"])


def _planned(counted: _Counted, request: SampleRequest) -> Planned:
    here = np.flatnonzero(counted.units)
    names = tuple(str(STRATA[code]) for code in here)
    area, units = counted.area_ha[here], counted.units[here]
    shares = expected_shares(names, area)
    shares = np.array([request.expected.get(n, s) for n, s in zip(names, shares, strict=True)])
    points, total = _points(request, area, units, shares)
    added = variance(area / area.sum(), spread_of(shares), points, units)
    return Planned(
        names, here, area, units, shares, points, float(np.sqrt(added.sum()) * total),
        counted.unlooked_ha, tuple(before(names, area, points, added)),
    )  # fmt: skip


def as_allocation(word: str) -> Allocation:
    """An allocation by its name.

    Raises:
        StudyError: nothing is called so.
    """
    for known in ALLOCATIONS:
        if word == known:
            return known
    raise StudyError(f"allocation {word!r} is none of {', '.join(ALLOCATIONS)}")


def as_hectares(text: str | None) -> float | None:
    """Hectares as somebody writes them: ``20ha``, ``20`` or ``1.5 km2``.

    Raises:
        StudyError: it is no area.
    """
    if text is None:
        return None
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(ha|km2|km²)?\s*", text.lower())
    if found is None or float(found[1]) <= 0:
        raise StudyError(f"--standard-error {text!r}: give hectares, such as 20ha, or 1.5km2")
    return float(found[1]) * (100.0 if (found[2] or "ha").startswith("km") else 1.0)


def as_shares(words: Sequence[str]) -> dict[str, float]:
    """Shares by stratum, from words such as ``rest=0.001``.

    Raises:
        StudyError: a word is not of that kind.
    """
    shares = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            shares[name.strip()] = float(value)
        except ValueError:
            raise StudyError(f"--expect {word!r}: give STRATUM=SHARE, such as rest=0.001") from None
    return shares


def _check(run: Run, request: SampleRequest) -> None:
    if not 1 <= len(set(request.periods)) <= 2:
        raise PeriodError("give one --period, or two for what changed between them")
    for label in request.periods:
        if label not in run.periods:
            raise PeriodError(
                f"{label!r} is not a period of {run.root}; its periods: {', '.join(run.periods)}"
            )
    if (request.points is None) == (request.standard_error_ha is None):
        raise StudyError("give either --n, how many points, or --standard-error, such as 20ha")
    if request.buffer_m < 0:
        raise StudyError(f"--buffer-m {request.buffer_m:g}: a buffer cannot be below 0 m")
    for name, share in request.expected.items():
        if name not in STRATA or not 0 <= share <= 1:
            raise StudyError(
                f"--expect {name}={share:g}: give one of {', '.join(STRATA)}, and 0 to 1"
            )


def _drawn(
    ground: RunGround, counted: _Counted, planned: Planned, request: SampleRequest,
    uncertain: float, extent: str,
) -> tuple[dict[str, Any], gpd.GeoDataFrame]:  # fmt: skip
    """The facts of the design, and the points."""
    here, names, area, units = planned.codes, planned.names, planned.area_ha, planned.units
    shares, points = planned.shares, planned.points
    pools = [counted.pool[code] for code in here]
    picked = [
        spread(pool, int(n), seed=request.seed, name=name)
        for pool, n, name in zip(pools, points, names, strict=True) if pool is not None
    ]  # fmt: skip
    labels = ground.labels
    table = _table(ground, picked, names, points / units, area / points, request.seed)
    _by_territory(table, request)
    facts = {
        "format": FORMAT,
        "periods": list(labels),
        "unit": "point",
        "pixel_m": float(ground.study.grid.resolution_m or 10.0),
        "extent": extent,
        "seed": request.seed,
        "strata": [
            {
                "name": name, "area_ha": round(float(area[i]), 6), "units": int(units[i]),
                "n": int(points[i]), "expected_share": float(shares[i]),
                "mapped": [mapped_in(name, p, len(labels)) for p in range(len(labels))],
                "mean_score": (counted.scores[here[i]] / units[i]).tolist(),
            }
            for i, name in enumerate(names)
        ],
        "frame_ha": round(float(area.sum()), 6),
        "not_looked_ha": round(counted.unlooked_ha, 6),
        "mapped_not_looked_ha": round(counted.mapped_unlooked_ha, 6),
        "mapped_ha": {label: _mapped_ha(ground, label, extent) for label in labels},
        "asked": {
            "n": request.points, "standard_error_ha": request.standard_error_ha,
            "allocation": request.allocation, "minimum": request.minimum,
            "buffer_m": request.buffer_m, "uncertain": uncertain,
        },
        "expected_standard_error_ha": round(planned.standard_error_ha, 3),
        "warnings": list(planned.warnings),
        "answers": list(ANSWERS),
        "territories": None if request.territories is None else {
            "sha256": sha256(request.territories), "id": request.territory_id,
        },
        "points": _known(table, labels),
    }  # fmt: skip
    return facts, table


def _points(
    request: SampleRequest, area: NDArray[np.float64], units: NDArray[np.int64],
    shares: NDArray[np.float64],
) -> tuple[NDArray[np.int64], float]:  # fmt: skip
    """Points per stratum, and the hectares of all of them."""
    weight, width, total = area / area.sum(), spread_of(shares), float(area.sum())
    n = request.points
    if n is None:
        wanted = float(request.standard_error_ha or 0) / total
        n = points_for(wanted, request.allocation, weight, width, units, minimum=request.minimum)
    if n > CANDIDATES:
        raise StudyError(
            f"{n:,} points: more than {CANDIDATES:,} are not drawn; ask for a larger standard error"
        )
    return allocate(n, request.allocation, weight, width, units, minimum=request.minimum), total


def _table(
    ground: RunGround, picked: list[Pixels], names: tuple[str, ...],
    probability: NDArray[np.float64], stands_for_ha: NDArray[np.float64], seed: int,
) -> gpd.GeoDataFrame:  # fmt: skip
    """One row a point, in an order that does not tell the stratum."""
    region = Region.of(read_region(ground.folder.region), origin=str(ground.folder.region))
    grids = [grid for _, grid in ground.grids(region)]
    every = [
        _rows(part, names[i], float(probability[i]), float(stands_for_ha[i]), grids, ground.labels)
        for i, part in enumerate(picked)
    ]
    table = pd.concat(every, ignore_index=True)
    table = table.iloc[np.random.default_rng(seed).permutation(len(table))].reset_index(drop=True)
    width = len(str(len(table)))
    table.insert(0, "id", [f"p{number:0{width}d}" for number in range(1, len(table) + 1)])
    for label in ground.labels:
        table[f"answer_{label}"] = ""
        table[f"second_{label}"] = ""
    table["note"] = ""
    return gpd.GeoDataFrame(
        table, geometry=gpd.points_from_xy(table["lon"], table["lat"]), crs="EPSG:4326"
    )


def _rows(
    part: Pixels, name: str, probability: float, stands_for_ha: float, grids: list[Grid],
    labels: tuple[str, ...],
) -> pd.DataFrame:  # fmt: skip
    lon, lat = np.empty(len(part)), np.empty(len(part))
    for number, grid in enumerate(grids):
        ours = part.zone == number
        to = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
        half = grid.resolution_m / 2
        x = part.col[ours] * grid.resolution_m - grid.offset_m + half
        y = grid.offset_m - part.row[ours] * grid.resolution_m - half
        lon[ours], lat[ours] = to.transform(x, y)
    known = {
        "lon": np.round(lon, 7), "lat": np.round(lat, 7),
        "crs": [grids[z].crs for z in part.zone], "row": part.row, "col": part.col,
        "stratum": name, "probability": probability, "stands_for_ha": stands_for_ha,
    }  # fmt: skip
    scores = {f"score_{label}": part.facts[:, i] for i, label in enumerate(labels)}
    return pd.DataFrame({**known, **scores, ALONG: np.arange(len(part))})


def _by_territory(table: gpd.GeoDataFrame, request: SampleRequest) -> None:
    """Write into the table in which territory each point lies; none outside all."""
    if request.territories is None:
        return
    polygons = read_polygons(request.territories).to_crs("EPSG:4326")
    if request.territory_id not in polygons.columns:
        raise OutlineError(
            f"{request.territories}: no column {request.territory_id!r}; name one with --id"
        )
    shapes = polygons.geometry.to_numpy()
    point, place = shapely.STRtree(shapes).query(table.geometry.to_numpy(), predicate="within")
    found = np.full(len(table), "", dtype=object)
    found[point] = polygons[request.territory_id].astype(str).to_numpy()[place]
    table.insert(table.columns.get_loc("stratum"), "territory", found)


def _mapped_ha(ground: RunGround, label: str, extent: str) -> float:
    column = "area_ha" if extent == "mined" else "footprint_ha"
    return round(float(ground.outlines(label)[column].sum()), 6)


def _known(table: gpd.GeoDataFrame, labels: tuple[str, ...]) -> dict[str, list[Any]]:
    """What an estimate needs of each point, whatever becomes of the table."""
    columns = ["id", "stratum", ALONG, *(f"score_{label}" for label in labels)]
    if "territory" in table.columns:
        columns.append("territory")
    return {name: table[name].tolist() for name in columns}


def _write(folder: Path, facts: Mapping[str, Any], table: gpd.GeoDataFrame) -> None:
    plain = pd.DataFrame(table.drop(columns="geometry"))
    hidden = [name for name in plain.columns if name.startswith("score_") or name == ALONG]
    plain = plain.drop(columns=hidden)
    points = gpd.GeoDataFrame(plain, geometry=table.geometry, crs=table.crs)
    write_plain(folder / TABLE, plain)
    write_whole(folder / PACKAGE, lambda part: points.to_file(part, layer="sample", driver="GPKG"))
    write_json(folder / DESIGN, dict(facts))
