"""What a tally may say of a territory without a site: none found, not looked, or nobody told.

"No mine" is said only of ground that somebody looked at. A territory that the search never
reached, or of which nobody told whether it was looked at, keeps empty cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from minetrace.panel.summary import HARDLY
from minetrace.panel.tally import MEASURES
from minetrace.panel.territories import Territories

SITES, NONE_FOUND = "sites", "none found"
NOT_LOOKED, NOT_TOLD = "not looked", "no site given"
OF_PERIOD = ("present_ha", "new_ha", "lost_ha", "overlap_ha")
_LEAST_M2 = 1.0  # less ground in common is the rounding of a border


@dataclass(frozen=True)
class Searched:
    """Ground that a run looked at.

    Attributes:
        ground: the run's region, EPSG:6933.
        looked: share of it that was looked at, by period label; what is not named was.
    """

    ground: BaseGeometry
    looked: Mapping[str, float]

    def reaches(self, shapes: NDArray[np.object_]) -> NDArray[np.bool_]:
        """(n,) whether a polygon (EPSG:6933) shares ground with it."""
        return np.asarray(shapely.area(shapely.intersection(shapes, self.ground)) > _LEAST_M2)


def say_searched(
    table: pd.DataFrame, territories: Territories, searched: Searched | None
) -> pd.DataFrame:  # fmt: skip
    """Empty the cells of territories without any site, unless somebody looked there.

    Args:
        table: what ``minetrace.panel.tally`` counted.
        territories: by what it was counted.
        searched: what was looked at; None if nobody told.

    Returns:
        The table with the column ``state``: ``sites`` if the territory (or class) has a site in
        any period, ``none found`` if it was looked at in the period, ``not looked``, or ``no site
        given`` where nobody told what was looked at; null for the sums of a period. In the last
        two ``sites`` and all hectares are null; of a territory with sites in a period in which
        nobody could look at them, as of the sums, those that are of that period.
    """
    keys = [name for name in ("territory", "class") if name in table.columns]
    unit = table["part"] == "territory"
    has = table.groupby(keys, dropna=False)["sites"].transform("max") > 0
    if searched is None:
        rest = pd.Series(NOT_TOLD, index=table.index)
    else:
        blind = table["period"].map(dict(searched.looked)).fillna(1.0) < HARDLY
        near = _cells(table, territories, searched) & ~blind
        rest = near.map({True: NONE_FOUND, False: NOT_LOOKED})
    state = rest.where(~has, SITES).astype(object).where(unit, None)
    unseen = (table["looked_share"] < HARDLY) & (table["sites"] == 0)
    state = state.mask(unseen & unit, NOT_LOOKED)
    found = table.assign(state=state, sites=table["sites"].astype("Int64"))
    found.loc[unseen, ["sites", *OF_PERIOD]] = np.nan
    silent = ~has & state.isin([NOT_LOOKED, NOT_TOLD])
    found.loc[silent, ["sites", *MEASURES, "overlap_ha"]] = np.nan
    if searched is not None:
        found.loc[silent, "looked_share"] = 0.0
    return found


def _cells(table: pd.DataFrame, territories: Territories, searched: Searched) -> pd.Series:
    """Whether the search reaches the territory, or the class of it, of each row."""
    reached = searched.reaches(territories.shapes)
    near = {
        (str(unit), kind)
        for unit, kind in zip(territories.unit[reached], territories.kind[reached], strict=True)
    }
    kinds = table["class"] if "class" in table.columns else [None] * len(table)
    pairs = zip(table["territory"], kinds, strict=True)
    return pd.Series(
        [(unit, None if pd.isna(kind) else kind) in near for unit, kind in pairs], table.index
    )
