"""A probability sample of a run's ground, drawn and written to a folder for people to answer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from minetrace.assess.allocation import allocate, points_for, spread_of, variance
from minetrace.assess.selection import CANDIDATES, spread
from minetrace.assess.strata import STRATA, expected_shares, mapped_in
from minetrace.assess.warnings import before
from minetrace.errors import NoImageryError, PeriodError, RunError, StudyError
from minetrace.flow.ground import Block, RunGround, open_ground
from minetrace.flow.open_run import Run
from minetrace.flow.report import versions
from minetrace.flow.sample_counting import Counted, counted
from minetrace.flow.sample_design import ANSWERS, DESIGN, FORMAT, Design, SampleRequest
from minetrace.flow.sample_table import Picked, known, sample_table, write_sample
from minetrace.flow.verified import map_checksum
from minetrace.store.files import read_json, sha256
from minetrace.store.run_folder import RunFolder


@dataclass(frozen=True)
class Planned:
    """How many points a design takes from where, and what it will be worth; nothing is drawn yet.

    Attributes:
        names: of the strata.
        codes: (H,) their places in ``STRATA``.
        area_ha, units: (H,) ground, and pixels or blocks to draw from.
        shares: (H,) expected share of mines.
        points: (H,) to be drawn.
        standard_error_ha: expected, of mined hectares.
        not_looked_ha: ground that is in no stratum, because nobody saw it.
        warnings: what this design cannot carry.
        noun: what is drawn, points or blocks.
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
    noun: str

    def lines(self) -> Iterator[str]:
        """What to tell in the terminal."""
        for name, area, n in zip(self.names, self.area_ha, self.points, strict=True):
            yield f"{name:>10}  {area:>14,.1f} ha  {n:>6,} {self.noun}"
        if self.not_looked_ha > 0:
            yield f"not looked  {self.not_looked_ha:>13,.1f} ha  not estimated: nobody saw it"
        yield f"expected standard error of mined hectares: {self.standard_error_ha:,.1f}"


Tell = Callable[[Planned], None]


def plan(root: Path, request: SampleRequest) -> Planned:
    """What a sample would be, without drawing it; arguments and errors as for `draw`."""
    ground, blocks = _opened(root, request)
    return _planned(_walked(ground, blocks, request)[0], request)


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
    write_sample(folder, facts, table)
    return Design(folder, facts)


def drawn_from(
    ground: RunGround, blocks: Iterable[Block], request: SampleRequest, *, tell: Tell | None = None
) -> tuple[dict[str, Any], gpd.GeoDataFrame]:
    """A design and its units, without writing anything.

    Args:
        blocks: all of the ground, in any order; none cuts a unit.
        tell: is told the plan before anything is drawn.

    Raises:
        NoImageryError: nothing was looked at.
        StudyError: there are too few points for the strata, or far too many.
    """
    root = ground.folder.root
    found, uncertain, extent = _walked(ground, blocks, request)
    planned = _planned(found, request)
    if tell is not None:
        tell(planned)
    facts, table = _drawn(ground, found, planned, request, uncertain, extent)
    return {**facts, "run": {"name": ground.study.name, "map_sha256": map_checksum(root)}}, table


def _labels(run: Run, request: SampleRequest) -> tuple[str, ...]:
    return tuple(sorted(set(request.periods), key=run.periods.index))


def _opened(root: Path, request: SampleRequest) -> tuple[RunGround, Iterator[Block]]:
    run = Run.open(root)
    _check(run, request)
    ground = open_ground(RunFolder(root), run.panel(), _labels(run, request))
    side_px = request.side_px(ground.pixel_m)
    return ground, ground.blocks(buffer_m=request.buffer_m, side_px=side_px)


def _walked(
    ground: RunGround, blocks: Iterable[Block], request: SampleRequest
) -> tuple[Counted, float, str]:
    """What the ground adds up to, from which score on it is uncertain, and what outlines mean."""
    root = ground.folder.root
    card = read_json(root / "datacard.json")
    uncertain = request.uncertain if request.uncertain is not None else card["threshold"] / 2
    found = counted(
        blocks, request, periods=len(ground.labels), side_px=request.side_px(ground.pixel_m),
        uncertain=float(uncertain),
    )  # fmt: skip
    if not found.units.any():
        smaller = "" if request.block_m is None else ", or a smaller --block-m"
        raise NoImageryError(
            f"{root}: no ground was looked at in {' and '.join(ground.labels)}, so there is none "
            f"to draw from; choose another --period{smaller}"
        )
    return found, float(uncertain), str(card["extent"])


def _planned(found: Counted, request: SampleRequest) -> Planned:
    here = np.flatnonzero(found.units)
    names = tuple(str(STRATA[code]) for code in here)
    area, units, noun = found.area_ha[here], found.units[here], _noun(request)
    shares = _expected(found, request)[here]
    points, total = _points(request, area, units, shares)
    added = variance(area / area.sum(), spread_of(shares), points, units)
    return Planned(
        names, here, area, units, shares, points, float(np.sqrt(added.sum()) * total),
        found.unlooked_ha, tuple(before(names, area, points, added, noun=noun)), noun,
    )  # fmt: skip


def _expected(found: Counted, request: SampleRequest) -> NDArray[np.float64]:
    """(H,) share of mines in the units of each stratum, by the kinds of ground in them."""
    ground = found.inside_ha.sum(axis=0)
    kinds = np.flatnonzero(ground)
    names = [str(STRATA[kind]) for kind in kinds]
    shares = np.zeros(len(STRATA))
    shares[kinds] = expected_shares(names, ground[kinds])
    for kind, name in enumerate(STRATA):
        shares[kind] = request.expected.get(name, shares[kind])
    inside = found.inside_ha / np.maximum(found.inside_ha.sum(axis=1, keepdims=True), 1e-300)
    return np.asarray(inside @ shares)


def _noun(request: SampleRequest) -> str:
    return "points" if request.block_m is None else "blocks"


def _check(run: Run, request: SampleRequest) -> None:
    request.refuse()
    for label in request.periods:
        if label not in run.periods:
            raise PeriodError(
                f"{label!r} is not a period of {run.root}; its periods: {', '.join(run.periods)}"
            )


def _drawn(
    ground: RunGround, found: Counted, planned: Planned, request: SampleRequest,
    uncertain: float, extent: str,
) -> tuple[dict[str, Any], gpd.GeoDataFrame]:  # fmt: skip
    """The facts of the design, and what was drawn."""
    labels, area = ground.labels, planned.area_ha
    table = sample_table(ground, list(_picked(found, planned, request)), request, found.side_px)
    facts = {
        "format": FORMAT,
        "periods": list(labels),
        "unit": planned.noun.removesuffix("s"),
        "pixel_m": ground.pixel_m,
        "block_m": request.block_m,
        "extent": extent,
        "seed": request.seed,
        "strata": list(_strata(found, planned)),
        "frame_ha": round(float(area.sum()), 6),
        "not_looked_ha": round(found.unlooked_ha, 6),
        "mapped_not_looked_ha": round(found.mapped_unlooked_ha, 6),
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
        "points": known(table, labels),
    }  # fmt: skip
    return facts, table


def _picked(found: Counted, planned: Planned, request: SampleRequest) -> Iterator[Picked]:
    chance, ground = planned.points / planned.units, planned.area_ha / planned.points
    for i, (code, name) in enumerate(zip(planned.codes, planned.names, strict=True)):
        pool = found.pool[code]
        if pool is not None:
            units = spread(pool, int(planned.points[i]), seed=request.seed, name=name)
            yield Picked(name, units, float(chance[i]), float(ground[i]))


def _strata(found: Counted, planned: Planned) -> Iterator[dict[str, Any]]:
    """What is known of each stratum, all of it; ``mapped`` is the share of it mapped as mine."""
    periods = range(found.periods)
    mapped = np.array([[mapped_in(name, p, found.periods) for p in periods] for name in STRATA])
    for i, code in enumerate(planned.codes):
        yield {
            "name": planned.names[i], "area_ha": round(float(planned.area_ha[i]), 6),
            "units": int(planned.units[i]), "n": int(planned.points[i]),
            "expected_share": float(planned.shares[i]),
            "mapped": (found.inside_ha[code] @ mapped / planned.area_ha[i]).round(9).tolist(),
            "mean_score": (found.scores[code] / found.pixels[code]).tolist(),
        }  # fmt: skip


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
            f"{n:,} {_noun(request)}: more than {CANDIDATES:,} are not drawn; ask for a larger "
            "standard error"
        )
    return allocate(n, request.allocation, weight, width, units, minimum=request.minimum), total


def _mapped_ha(ground: RunGround, label: str, extent: str) -> float:
    column = "area_ha" if extent == "mined" else "footprint_ha"
    return round(float(ground.outlines(label)[column].sum()), 6)
