"""Where a run saw mines and no label has one: the chips from which a model learns most."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import shapely

from minetrace.chips.windows import touched
from minetrace.core.grid import Grid, Tile
from minetrace.core.period import Period
from minetrace.core.region import project
from minetrace.errors import RunError
from minetrace.flow.chip_ground import Sheet
from minetrace.store.outlines import read_polygons
from minetrace.store.run_folder import Key, RunFolder


def false_alarms(
    run: Path, periods: Sequence[Period], grid: Grid, sheet: Sheet, size_px: int
) -> dict[Tile, float]:
    """Squares with an outline of a run that touches no label, used or not, and its highest score.

    Args:
        run: its folder.
        periods: of the chips; those that the run does not have are passed over.
        grid: of the place.
        sheet: labels of the place.
        size_px: side of a chip.

    Raises:
        RunError: the run has outlines of none of the periods.
        MissingFileError: there is no run.
    """
    folder = RunFolder.existing(run)
    taken = np.concatenate([sheet.shapes[sheet.labels.klass > 0], sheet.unused])
    truth = shapely.union_all(taken) if len(taken) else shapely.Point()
    shapely.prepare(truth)
    paths = [folder.path(Key("footprints", period.label)) for period in periods]
    there = [path for path in paths if path.is_file()]
    if not there:
        labels = ", ".join(period.label for period in periods)
        raise RunError(f"{run}: has outlines of none of the periods {labels}; run it over them")
    found: dict[Tile, float] = {}
    for path in there:
        table = read_polygons(path)
        shapes = project(np.asarray(table.geometry.to_numpy(), dtype=object), str(table.crs),
                         grid.crs)  # fmt: skip
        alarms = np.flatnonzero(~shapely.intersects(truth, shapes))
        score = table["score_max"].to_numpy(float) if "score_max" in table else np.ones(len(table))
        for tile, rows in touched(grid, shapes[alarms], size_px).items():
            best = float(score[alarms[rows]].max())
            found[tile] = max(found.get(tile, 0.0), best)
    return found
