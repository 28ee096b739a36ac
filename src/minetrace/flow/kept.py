"""Which outlines become sites: the rules of a study, each judging all outlines as found."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from minetrace.core.footprints import Footprints
from minetrace.core.period import Period
from minetrace.flow.study_time import RulesStudy, ZoneStudy
from minetrace.panel.build import Looked
from minetrace.panel.rules.isolation import dual_threshold
from minetrace.panel.rules.neighbour import confirmed_by_neighbours
from minetrace.panel.rules.zones import Zone, zone_thresholds
from minetrace.store.outlines import read_polygons

ROW = "row"


def kept(
    footprints: Mapping[Period, Footprints],
    rules: RulesStudy | None,
    looked: Looked | None = None,
    min_looked_share: float = 0.5,
) -> dict[Period, Footprints]:
    """Drop the outlines that a rule of the study drops.

    No rule sees what another has dropped, so that their order does not matter.

    Args:
        footprints: all outlines per period, as they were found.
        rules: what the study asks for; None keeps everything.
        looked: asked for the share of outlines that was looked at in a period; None: all of it.
        min_looked_share: with less, nobody looked.

    Returns:
        The same periods, each with a subset of its rows in their order.

    Raises:
        StudyError: a number of a rule cannot be meant.
        MissingFileError: a zone's file is not there.
    """
    if rules is None:
        return dict(footprints)
    numbered = {p: f.with_columns(**{ROW: np.arange(len(f))}) for p, f in footprints.items()}
    stays = {period: np.ones(len(found), dtype=bool) for period, found in footprints.items()}
    for passed in _passed(numbered, rules, looked, min_looked_share):
        for period, found in passed.items():
            stays[period] &= np.isin(numbered[period].columns[ROW], found.columns[ROW])
    return {period: found.where(stays[period]) for period, found in footprints.items()}


def refuse_impossible(rules: RulesStudy | None, periods: Collection[Period]) -> None:
    """Apply rules to nothing, so that what cannot be meant is refused before any work is done.

    Raises:
        StudyError: a number of a rule cannot be meant.
        MissingFileError: a zone's file is not there.
        OutlineError: it holds no polygons.
    """
    none = {"score_mean": np.empty(0)}
    nothing = Footprints(np.empty(0, dtype=object), "EPSG:4326", "mined", none)
    kept(dict.fromkeys(periods, nothing), rules)


def _passed(
    found: Mapping[Period, Footprints],
    rules: RulesStudy,
    looked: Looked | None,
    min_looked_share: float,
) -> list[dict[Period, Footprints]]:
    """What each rule leaves."""
    passed = []
    if rules.neighbour is not None:
        said = rules.neighbour.model_dump()
        passed.append(
            confirmed_by_neighbours(found, looked=looked, min_looked_share=min_looked_share, **said)
        )
    if rules.isolation is not None:
        said = rules.isolation.model_dump()
        passed.append({period: dual_threshold(here, **said) for period, here in found.items()})
    if rules.zones or rules.elsewhere > 0:
        zones = [_zone(zone) for zone in rules.zones]
        passed.append({
            period: zone_thresholds(here, zones, elsewhere=rules.elsewhere)
            for period, here in found.items()
        })  # fmt: skip
    return passed


def _zone(asked: ZoneStudy) -> Zone:
    table = read_polygons(asked.file)
    ground = Footprints(table.geometry.to_numpy(), str(table.crs), "footprint")
    return Zone(ground, asked.threshold, asked.file.name)
