"""The catalog, read by a stranger's library."""

from __future__ import annotations

import json
from pathlib import Path

import pystac
import pytest
from shapely.geometry import box

from minetrace.core.period import Period
from minetrace.publish.catalog import write_catalog
from minetrace.store import sidecar
from minetrace.store.run_folder import Key, RunFolder

YEARS = [Period.year(2020), Period.year(2021)]


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "run")


def publish(run: RunFolder, key: Key, period: Period, west: float) -> None:
    sidecar.publish(
        run, key, lambda path: path.write_bytes(b"x") and None, read_hash="0", recipe=1,
        where=box(west, -13, west + 0.1, -12.9), period=period,
    )  # fmt: skip


@pytest.fixture
def keys(run: RunFolder) -> list[Key]:
    made = []
    for period in YEARS:
        for i, tile in enumerate(("32719_1_2", "32719_1_3")):
            for kind in ("composites", "scores"):
                made.append(Key(kind, period.label, tile))
                publish(run, made[-1], period, -70 + i / 10)
        made.append(Key("footprints", period.label))
        publish(run, made[-1], period, -70)
    made.append(Key("panel.parquet"))
    publish(run, made[-1], Period(YEARS[0].start, YEARS[-1].end, "whole"), -70)
    return made


def test_every_artefact_is_found_from_the_catalog(run: RunFolder, keys: list[Key]) -> None:
    missing = Key("scores", "2021", "32719_9_9")
    place = write_catalog(
        run, [*keys, missing], name="x", title="X", description="A study", licence="CC-BY-4.0"
    )
    catalog = pystac.Catalog.from_file(str(place))
    found = list(catalog.get_items(recursive=True))
    assert len(found) == len({item.id for item in found}) == len(keys)
    for item in found:
        (asset,) = item.assets.values()
        assert Path(asset.get_absolute_href() or "").is_file()
        assert item.get_root() is catalog
        assert (item.collection_id is None) == (item.id == "panel.parquet")
    scores = next(c for c in catalog.get_collections() if c.id == "scores")
    assert scores.extent.spatial.bboxes == [[-70.0, -13.0, -69.8, -12.9]]
    assert scores.license == "CC-BY-4.0"
    assert scores.extent.temporal.to_dict() == {
        "interval": [["2020-01-01T00:00:00Z", "2021-12-31T23:59:59Z"]]
    }


def test_links_survive_a_move_and_lead_up_as_well_as_down(
    run: RunFolder, keys: list[Key], tmp_path: Path
) -> None:
    write_catalog(run, keys, name="x", title="X", description="A study")
    moved = run.root.rename(tmp_path / "elsewhere")
    for path in moved.rglob("*.json"):
        for link in json.loads(path.read_text())["links"]:
            assert link["href"].startswith("."), (path, link)
            assert (path.parent / link["href"]).is_file(), (path, link)


def test_items_hold_to_the_schema(run: RunFolder, keys: list[Key]) -> None:
    pytest.importorskip("jsonschema", reason="pystac validates with jsonschema: pip install it")
    write_catalog(run, keys, name="x", title="X", description="A study")
    for path in run.root.rglob("*.json"):
        thing = json.loads(path.read_text())
        thing.pop("stac_extensions", None)  # their schemas are on the network
        pystac.read_dict(thing).validate()


def test_written_twice_it_is_the_same(run: RunFolder, keys: list[Key]) -> None:
    first = write_catalog(run, keys, name="x", title="X", description="A study").read_bytes()
    again = write_catalog(run, reversed(keys), name="x", title="X", description="A study")
    assert again.read_bytes() == first
