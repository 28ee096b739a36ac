"""A sample over real pictures, reviewed at the page by a scripted browser.

    MINETRACE_DATA=…/data python studies/full-circle/tailings.py OUT

It shows that drawing, looking, answering and estimating work on real imagery. No hectares are
printed: the tiles are centred on tailings facilities and label one each, so they are no sample of
any ground that anybody would want to know about.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pandas as pd
import rasterio
import yaml
from person import look
from rasterio.warp import transform

from minetrace.flow.estimates import estimate
from minetrace.flow.review_open import ReviewRequest, open_desk
from minetrace.flow.sample_design import SampleRequest
from minetrace.flow.sampling import draw
from minetrace.flow.steps import run
from minetrace.flow.study import Study

HERE = Path(__file__).parents[1] / "tailings"
YEAR = "2021"


def main(out: Path) -> None:
    asked = yaml.safe_load((HERE / "study.yaml").read_text())
    asked |= {"region": {"file": str(HERE / "region.geojson")}, "model": {"name": "spectral"},
              "delineate": False, "name": "tailings-mechanics"}  # fmt: skip
    asked["sources"][0]["date"] = {"csv": str(HERE / "dates.csv")}
    asked["sources"][0]["path"] = [os.path.expandvars(p) for p in asked["sources"][0]["path"]]
    folder = run(Study.of(asked), out / "run").out
    sample = draw(folder, SampleRequest((YEAR,), 60, minimum=10), out / "sample").folder
    points = pd.read_csv(sample / "sample.csv").set_index("id")
    masks = [Path(p.replace("_image", "_mask")) for p in asked["sources"][0]["path"]]
    count = look(folder, lambda item: labelled(points.loc[item.partition("@")[0]], masks),
                 "--sample", str(sample), picture=out / "page.png")  # fmt: skip
    desk = open_desk(ReviewRequest(folder, sample=sample))
    said = desk.store.read(desk.queue.id)
    words = pd.Series([row.value for row in said]).value_counts().to_dict()
    pictures = {p["sha256"] for row in said for p in json.loads(row.shown)["pictures"]}
    facts = estimate(sample, write=False).facts["periods"][0]
    print(f"{count} points answered with real keys: {words}")
    print(f"{sum(row.seconds for row in said) / count:.1f} s each, {len(pictures)} pictures shown")
    print(f"estimated from {facts['answered']} answers, {facts['without_answer']} without one")


def labelled(point: pd.Series, masks: list[Path]) -> str:
    """What the hand-drawn mask of the tile says of a point."""
    for path in masks:
        with rasterio.open(path) as mask:
            (x,), (y,) = transform("EPSG:4326", mask.crs, [point.lon], [point.lat])
            if (
                mask.bounds.left < x < mask.bounds.right
                and mask.bounds.bottom < y < mask.bounds.top
            ):
                return "mine" if next(mask.sample([(x, y)]))[0] else "not"
    return "unsure"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
