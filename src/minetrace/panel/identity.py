"""Which outlines are the same mine, from period to period and from one run to the next.

Each site goes where most of its ground went. Of the sites that arrive in one outline the oldest
keeps its name there; an outline where none arrives begins a site of its own, with the sites it
came from as parents. A site without an outline is remembered where it was last seen, for as long
as the study lasts, and takes its name up again when nobody alive holds that ground.

Names are given forwards in time alone, so a period that is appended renames nobody.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import NDArray

from minetrace.panel.gather import Outlines
from minetrace.panel.overlap import Index, Overlaps, follow, keepers, overlaps

SeenGone = Callable[[int, Index], NDArray[np.bool_]]
"""Of outlines without a successor in a period: was their ground looked at in it?"""

MIN_OVERLAP = 0.05  # below this part of the smaller outline, two outlines merely brush
ANCHOR_DIGITS = 5  # of a degree: about a metre


@dataclass
class Sites:
    """The sites found so far.

    Attributes:
        site: (n,) site number of each outline.
        parents: outline number to the site numbers whose ground it took over.
        split: numbers of the outlines whose site lost parts to others in their period.
        merged: (site, period) pairs: that site went into another in that period.
    """

    site: Index
    parents: dict[int, list[int]] = field(default_factory=dict)
    split: set[int] = field(default_factory=set)
    merged: set[tuple[int, int]] = field(default_factory=set)
    count: int = 0


@dataclass
class _Roll:
    """What is known of each site while time goes by."""

    latest: Index  # the outline in which it was last seen
    ground: NDArray[np.object_]  # that outline, equal-area
    born: Index  # the period of its first outline
    dormant: NDArray[np.bool_]  # its ground was looked at since, without an outline of its own

    @classmethod
    def empty(cls) -> _Roll:
        none = np.zeros(0, dtype=np.intp)
        return cls(none, np.zeros(0, dtype=object), none, np.zeros(0, dtype=bool))

    def meet(self, sites: Index, outlines: Index, ground: NDArray[np.object_]) -> None:
        """Known sites are seen again."""
        self.latest[sites], self.ground[sites] = outlines, ground
        self.dormant[sites] = False

    def enrol(self, outlines: Index, ground: NDArray[np.object_], period: int) -> None:
        """New sites are seen for the first time."""
        self.latest = np.concatenate([self.latest, outlines])
        self.ground = np.concatenate([self.ground, ground])
        self.born = np.concatenate([self.born, np.full_like(outlines, period)])
        self.dormant = np.concatenate([self.dormant, np.zeros(len(outlines), dtype=bool)])


def link(outlines: Outlines, periods: int, seen_gone: SeenGone) -> Sites:
    """Give every outline the number of its site.

    Only the latest ground of each site is held besides the period that is being linked, so
    memory follows the sites, not the years.

    Args:
        outlines: of all periods; each of a period is a site of its own in it.
        periods: how many there are.
        seen_gone: whether the ground of outlines without a successor was looked at.

    Returns:
        Sites numbered by first period, then by outline.
    """
    sites = Sites(np.full(len(outlines), -1, dtype=np.intp))
    roll = _Roll.empty()
    for now in range(periods):
        here = outlines.of(now)
        ground = outlines.flat(here)
        pairs = overlaps(roll.ground, ground, min_share=MIN_OVERLAP)
        keeper, heir = _claim(pairs, roll, len(here))
        held = keeper >= 0
        sites.site[here[held]] = keeper[held]
        fresh = here[~held]
        sites.site[fresh] = sites.count + np.arange(len(fresh))
        _note_kinship(sites, pairs, keeper, heir, roll, here, now)
        _retire(roll, keeper, heir, now, seen_gone)
        roll.meet(keeper[held], here[held], ground[held])
        roll.enrol(fresh, ground[~held], now)
        sites.count += len(fresh)
    return sites


def _claim(pairs: Overlaps, roll: _Roll, count: int) -> tuple[Index, Index]:
    """Who keeps each outline of a period, and where each site went: the living come first."""
    heir = follow(pairs, len(roll.latest))
    order = np.lexsort((-np.round(shapely.area(roll.ground), 2), roll.born, roll.dormant))
    seniority = np.empty(len(order), dtype=np.intp)
    seniority[order] = np.arange(len(order))
    return keepers(heir, count, seniority), heir


def _note_kinship(
    sites: Sites, pairs: Overlaps, keeper: Index, heir: Index, roll: _Roll, here: Index, now: int
) -> None:
    """Write down what merged into what, and what split from what."""
    alive = np.append(~roll.dormant, False)  # so that nobody, -1, is not alive
    old, new = pairs.left, pairs.right
    arrived = alive[old] & alive[keeper[new]] & (heir[old] == new) & (keeper[new] != old)
    sites.merged |= {(int(site), now) for site in old[arrived]}
    parted = alive[old] & ~alive[keeper[new]]
    kept = np.full(len(heir), -1, dtype=np.intp)
    kept[keeper[keeper >= 0]] = here[keeper >= 0]
    stems = kept[np.unique(old[parted])]
    sites.split |= {int(outline) for outline in stems[stems >= 0]}
    for site, outline in zip(old[arrived | parted], here[new[arrived | parted]], strict=True):
        sites.parents.setdefault(int(outline), []).append(int(site))


def _retire(roll: _Roll, keeper: Index, heir: Index, now: int, seen_gone: SeenGone) -> None:
    """Sites that went into another, or whose ground was seen without them, become dormant."""
    kept = np.zeros(len(roll.latest), dtype=bool)
    kept[keeper[keeper >= 0]] = True
    lost = ~kept & ~roll.dormant
    roll.dormant |= lost & (heir >= 0)
    unsure = np.flatnonzero(lost & (heir < 0))
    if len(unsure):
        roll.dormant[unsure] = seen_gone(now, roll.latest[unsure])


def adopt(
    stored: NDArray[np.object_],
    stored_site: Index,
    stored_period: Index,
    outlines: Outlines,
    site: Index,
    seniority: Index,
    count: int,
) -> Index:
    """Match sites to those of a stored panel by the ground that they share in common periods.

    Args:
        stored: (k,) outlines of the stored panel, equal-area.
        stored_site: (k,) their site numbers.
        stored_period: (k,) their periods, as places in the new panel's time; -1 if not in it.
        outlines: (n,) new outlines.
        site: (n,) their site numbers.
        seniority: (stored sites,) distinct numbers, the oldest lowest.
        count: new sites.

    Returns:
        (count,) the stored site that each new one is, or -1.
    """
    old_site, new_site, shared, union = [], [], [], []
    for now in np.unique(stored_period[stored_period >= 0]):
        old, new = np.flatnonzero(stored_period == now), outlines.of(now)
        pairs = overlaps(stored[old], outlines.flat(new))
        old_site.append(stored_site[old[pairs.left]])
        new_site.append(site[new[pairs.right]])
        shared.append(pairs.area_m2)
        union.append(pairs.area_m2 / pairs.iou)
    if not old_site:
        return np.full(count, -1, dtype=np.intp)
    key = np.concatenate(old_site) * count + np.concatenate(new_site)
    names, group = np.unique(key, return_inverse=True)
    area, ground = (
        np.bincount(group, weights=np.concatenate(parts), minlength=len(names)).astype(np.float64)
        for parts in (shared, union)
    )
    summed = Overlaps(names // count, names % count, area, area / ground)
    return keepers(follow(summed, len(seniority)), count, seniority)


def mint(
    labels: Iterable[str],
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    taken: Iterable[str] = (),
) -> list[str]:
    """Names for new sites: ``m`` and eight letters and digits.

    Args:
        labels: label of the first period of each.
        lon: (n,) degrees, of a point inside the first outline.
        lat: (n,) likewise.
        taken: names that may not be given again.

    Returns:
        Names that depend on the first period and the anchor alone, save where two would be equal.
    """
    used, names = set(taken), []
    for label, x, y in zip(labels, lon, lat, strict=True):
        seed = f"{label} {x:.{ANCHOR_DIGITS}f} {y:.{ANCHOR_DIGITS}f}"
        name, salt = _name(seed), 0
        while name in used:
            salt += 1
            name = _name(f"{seed} {salt}")
        used.add(name)
        names.append(name)
    return names


def _name(seed: str) -> str:
    return "m" + base64.b32encode(hashlib.sha256(seed.encode()).digest()[:5]).decode().lower()
