"""What changed between the two dates, against the outline of the mudflow.

    python studies/brumadinho/compare.py RUN_FOLDER [DATA_FOLDER]

Ground that is outlined after and was not before is called change. Where either date was not
looked at, nothing can be said, and that share of the mudflow is printed as such.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely

from minetrace.core.footprints import geodesic_hectares
from minetrace.core.metrics import precision, recall
from minetrace.flow.looked import LookedShares
from minetrace.flow.plan import plan
from minetrace.flow.study import Study
from minetrace.store.outlines import read_footprints
from minetrace.store.run_folder import Key, RunFolder

UTM = "EPSG:32723"


def hectares(shape: object) -> float:
    return float(geodesic_hectares(np.array([shape], dtype=object), UTM)[0])


def main() -> None:
    run = RunFolder.existing(Path(sys.argv[1]))
    data = Path(sys.argv[2] if len(sys.argv) > 2 else os.environ["MINETRACE_DATA"])
    mud = gpd.read_file(data / "brumadinho" / "brumadinho_damage_extent.shp").to_crs(UTM)
    region = gpd.GeoSeries([plan(Study.read(run.study), run).region.geometry], crs=4326).to_crs(UTM)
    flow = shapely.intersection(mud.union_all(), region.iloc[0])
    shapes = {}
    for label in ("before", "after"):
        found = read_footprints(run.path(Key("footprints", label)), "mined").to_crs(UTM)
        shapes[label] = shapely.union_all(shapely.make_valid(found.geometry))
        print(f"{label:>7}: {hectares(shapes[label]):8.1f} ha outlined in {len(found)} outlines")
    job = plan(Study.read(run.study), run)
    lonlat = np.array(gpd.GeoSeries([flow], crs=UTM).to_crs(4326).to_list(), dtype=object)
    looked = LookedShares(job)
    for period in job.periods:
        print(f"{period.label:>7}: {looked(period, lonlat)[0]:.1%} of the mudflow was looked at")
    change = shapely.difference(shapes["after"], shapes["before"])
    hit, false, miss = (hectares(s) for s in (
        shapely.intersection(change, flow), shapely.difference(change, flow),
        shapely.difference(flow, change)))  # fmt: skip
    print(
        f"mudflow {hectares(flow):.1f} ha: overlap {hit:.1f}, missed {miss:.1f}; false alarms {false:.1f}"
    )
    print(f"recall {recall(hit, miss):.2f}, precision {precision(hit, false):.2f}")


if __name__ == "__main__":
    main()
