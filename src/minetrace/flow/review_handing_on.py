"""What becomes of answers: a sample's file for the estimate, verified sites, and new labels.

Each is a file made anew from what stands in the store, so that a server that died in the middle of
a review has lost nothing that the next one does not hand on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import shapely
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from minetrace.flow.answers import REVIEWED
from minetrace.flow.open_run import Run
from minetrace.flow.review import Desk
from minetrace.flow.review_files import read_answers_of, refuse_other_files, write_answers
from minetrace.flow.review_queue import Item, Queue
from minetrace.flow.review_standing import Stand, Standing
from minetrace.flow.verified import (
    COLUMNS,
    VERIFIED,
    outline_hash,
    outlines_now,
    read_verified,
)
from minetrace.publish.tables import write_plain
from minetrace.store.files import write_json

__all__ = ["export_to", "hand_on", "import_from", "labels_of", "refuse_other_files"]


def import_from(desk: Desk, path: Path) -> int:
    """Take in the answers of a file; how many were new."""
    return desk.store.add(read_answers_of(path, desk.queue))


def export_to(desk: Desk, path: Path) -> int:
    """Write the answers to a file; how many."""
    return write_answers(path, desk.queue, _standing(desk))


def hand_on(desk: Desk) -> tuple[str, ...]:
    """Write everything that follows from the answers; what was written, in words."""
    return tuple(_hand_on(desk))


def labels_of(queue: Queue) -> Path:
    """Where the labels from a review go."""
    return queue.run / "review" / f"labels-{queue.kind}-{'-'.join(queue.periods)}.geojson"


def _hand_on(desk: Desk) -> Iterator[str]:
    queue, standing = desk.queue, _standing(desk)
    answered = sum(bool(standing.given(item.id)) for item in queue.items)
    disputed = sum(standing.disputed(item.id) for item in queue.items)
    yield f"{answered} of {len(queue.items)} answered, {disputed} in dispute"
    for pair in desk.agreement()["pairs"]:
        kappa = "not defined" if pair["kappa"] is None else f"{pair['kappa']:.2f}"
        yield (
            f"{pair['first']} and {pair['second']}: {pair['both']} answered by both, "
            f"{pair['agreed']:.0%} alike, kappa {kappa}"
        )
    if not answered:
        return
    if queue.kind == "sample":
        path = queue.source / REVIEWED
        write_plain(path, estimate_table(queue, standing))
        yield f"{path}: for 'minetrace estimate {queue.source}'"
    if queue.kind in ("detections", "alerts"):
        path = queue.run / VERIFIED
        write_plain(path, _verified(queue, standing))
        yield f"{path}: for the panel, with the next 'minetrace run'"
    path = labels_of(queue)
    write_json(path, label_features(queue, standing))
    yield f"{path}: labels for 'minetrace chips'"


def verdict_of(standing: Standing, item: Item) -> Stand | None:
    """What counts for an item: the verdict in its dispute, or what nobody contradicts.

    Returns:
        None where nobody knows: no answer, unsure alone, or a dispute that is open.
    """
    settled = standing.settled.get(item.id)
    if settled is not None:
        return settled if settled.verdict != "unsure" else None
    if standing.disputed(item.id):
        return None
    sure = [stand for stand in standing.given(item.id) if stand.verdict != "unsure"]
    return max(sure, key=lambda stand: stand.said_at) if sure else None


def estimate_table(queue: Queue, standing: Standing) -> pd.DataFrame:
    """Answers as ``minetrace estimate`` reads them: ``answer_`` and ``second_`` by period.

    Whoever answered most is first, so that the two columns are two people as far as may be. Of more
    than two, one of each opinion is there where they differ. Of a dispute that was settled the
    verdict alone is there.
    """
    people = standing.people()
    rows: dict[str, dict[str, str]] = {}
    for item in queue.items:
        row = rows.setdefault(item.name, {"id": item.name})
        settled = standing.settled.get(item.id)
        told = [s.verdict for who in people if (s := standing.verdict(item.id, who)) is not None]
        first, second = _two_of(told) if settled is None else (settled.verdict, "")
        row[f"answer_{item.period}"], row[f"second_{item.period}"] = first, second
    return pd.DataFrame(list(rows.values())).fillna("")


def _two_of(told: Sequence[str]) -> tuple[str, str]:
    """Two answers that speak for all: no *unsure* keeps a dispute out."""
    sure = [verdict for verdict in told if verdict != "unsure"]
    other = next((verdict for verdict in sure if verdict != sure[0]), None)
    if len(told) > 2 and sure:
        return sure[0], other or (sure[1] if len(sure) > 1 else "unsure")
    first, second = [*told, "", ""][:2]
    return first, second


def label_features(queue: Queue, standing: Standing) -> dict[str, object]:
    """What is known by now as labels: ground with a mine, and ground without one.

    A point of a sample labels its pixel and nothing around it; a block labels itself where all or
    nothing of it is mined, for a share does not say where.
    """
    features = []
    for item in queue.items:
        stand = verdict_of(standing, item)
        if stand is None or stand.verdict not in ("mine", "not"):
            continue
        ground: BaseGeometry = item.unit
        if stand.verdict == "mine" and (edited := standing.outline(item.id)):
            ground = shapely.from_geojson(edited)
        features.append({
            "type": "Feature", "geometry": mapping(ground),
            "properties": {
                "id": item.id, "class": "mine" if stand.verdict == "mine" else "other",
                "period": item.period, "source": "review", "note": stand.note,
            },
        })  # fmt: skip
    return {"type": "FeatureCollection", "features": features}


def _verified(queue: Queue, standing: Standing) -> pd.DataFrame:
    """Sites by period with what people said of which outline; those of other reviews are kept.

    A verdict that was handed on before keeps its outline, whatever the map has by now.
    """
    old = read_verified(queue.run)
    old = pd.DataFrame(columns=list(COLUMNS)) if old is None else old
    before = {(r.site_id, r.period, r.said_at): r.outline for r in old.itertuples()}
    ours = {(item.name, item.period) for item in queue.items}
    now = outlines_now(Run.open(queue.run).panel(), ours) if queue.kind == "alerts" else {}
    rows = []
    for item in queue.items:
        if (stand := verdict_of(standing, item)) is None:
            continue
        key = (item.name, item.period)
        judged = outline_hash(item.unit) if queue.kind == "detections" else now.get(key, "")
        judged = str(before.get((*key, stand.said_at), judged))
        rows.append((*key, stand.verdict == "mine", judged, stand.said_at))
    kept = [key not in ours for key in zip(old["site_id"], old["period"], strict=True)]
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(object)
    return pd.concat([old[np.array(kept, dtype=bool)], table], ignore_index=True)


def _standing(desk: Desk) -> Standing:
    return Standing.of(desk.store.read(desk.queue.id))
