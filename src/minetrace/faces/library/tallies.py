"""``minetrace.tally``: hectares by territory and period."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from minetrace.flow.countries import SHIPPED, shipped
from minetrace.flow.panel_folder import read_panel
from minetrace.flow.tallies import TallyRequest, count, count_countries, count_tables
from minetrace.store.outlines import read_polygons

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd


def tally(
    panel: gpd.GeoDataFrame | Path | str,
    by: gpd.GeoDataFrame | Path | str = SHIPPED,
    *,
    id: str = "iso_a3",
    name: str | None = None,
    classes: gpd.GeoDataFrame | Path | str | None = None,
    class_column: str | None = None,
    class_period: str | None = None,
) -> pd.DataFrame:
    """Count hectares by territory and period; sites are split at borders, the sums are checked.

    Args:
        panel: what `build_panel` or a run's ``panel()`` gives, or the folder of a run or panel.
        by: polygons of territories, a table or a file; default: countries, simplified to 2 km.
        id: the column that names a territory.
        name: a column to show beside it.
        classes: polygons of classes, as a second key.
        class_column: the column that names a class.
        class_period: the column that says from which period a class holds; of several
            assessments of a territory the latest counts alone.

    Returns:
        One row per territory, class and period, and for each period the rows ``together`` (in any
        territory, once), ``outside`` (in none) and ``total``, as ``part`` says: ``sites``,
        ``present_ha``, ``new_ha``, ``lost_ha``, ``cumulative_ha``, ``ever_ha``, ``unseen_ha`` (not
        looked at, as last seen), ``looked_share``, ``overlap_ha`` that another territory holds
        too, ``latest``, and ``state``: ``sites``, or of a territory without any ``none found``,
        ``not looked``, or ``no site given`` where nobody told what was looked at; in the last two
        its hectares are null. ``new_ha`` is null in the first period.

    Raises:
        UserError: the panel or a layer cannot be used.
        UnreconciledError: the parts do not add up to the panel; never handed out.
    """
    if isinstance(panel, str | Path) and _is_file(by) and (classes is None or _is_file(classes)):
        request = TallyRequest(
            [Path(panel)], str(by), id, name, None if classes is None else Path(str(classes)),
            class_column, class_period,
        )  # fmt: skip
        return count(request)[0]
    given = read_panel(Path(panel)) if isinstance(panel, str | Path) else panel
    if isinstance(by, str) and by == SHIPPED and classes is None:
        return count_countries(given)
    layer, second = _table(by), None if classes is None else _table(classes)
    return count_tables(
        given, layer, id=id, name=name, classes=second, class_column=class_column,
        class_period=class_period,
    )  # fmt: skip


def _is_file(layer: gpd.GeoDataFrame | Path | str) -> bool:
    return isinstance(layer, str | Path)


def _table(layer: gpd.GeoDataFrame | Path | str) -> gpd.GeoDataFrame:
    if isinstance(layer, str | Path):
        return read_polygons(shipped() if str(layer) == SHIPPED else Path(layer))
    return layer
