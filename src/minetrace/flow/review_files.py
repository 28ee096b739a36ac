"""Answers as files that others read and write: Collect Earth Online's sample table, and GeoJSON.

Collect Earth Online hands out one row per sample and person, with a column per question; what this
module writes has the same columns, and what it reads may come from either.

Source: Collect Earth Online's documentation of its downloads, and the columns of its own export.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import shapely
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from minetrace.core.provenance import fingerprint
from minetrace.errors import LabelError, MissingFileError, StudyError
from minetrace.flow.answers import kinds_of_answer, number_of, word_of
from minetrace.flow.review_queue import Item, Queue
from minetrace.flow.review_standing import Stand, Standing
from minetrace.publish.tables import quoted, unquoted
from minetrace.store.answers import Kind, Said
from minetrace.store.files import write_json, write_whole

CEO = (
    "plotid", "sampleid", "lon", "lat", "email", "flagged", "collection_time", "analysis_duration",
    "imagery_title", "imagery_attributions", "sample_geom",
)  # fmt: skip
_NAMES = ("plotid", "plot_id", "pl_plotid", "pl_id", "sampleid", "sample_id", "id")


def refuse_other_files(paths: Sequence[Path]) -> None:
    """Check that answers are written or read as a kind that is known.

    Raises:
        StudyError: a file's name ends otherwise.
    """
    for path in paths:
        if path.suffix.lower() not in (".csv", ".geojson"):
            raise StudyError(
                f"{path}: answers are .csv (Collect Earth Online) or .geojson; name it so"
            )


def write_answers(path: Path, queue: Queue, standing: Standing) -> int:
    """Write what stands, one row or feature per item and person; how many answers."""
    if path.suffix.lower() == ".csv":
        return _write_ceo(path, queue, standing)
    return _write_geojson(path, queue, standing)


def read_answers_of(path: Path, queue: Queue) -> list[Said]:
    """Answers from a file; the same file gives the same ids, so taking it twice is taking it once.

    Raises:
        MissingFileError: it is not there.
        LabelError: it cannot be read, or an item or an answer in it is strange.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file of answers")
    if path.suffix.lower() == ".csv":
        return list(_read_ceo(path, queue))
    return list(_read_geojson(path, queue))


def _stands(queue: Queue, standing: Standing) -> Iterator[tuple[Item, str, Stand]]:
    for item in queue.items:
        for who in sorted(standing.answers.get(item.id, {})):
            stand = standing.answers[item.id][who]
            if stand.verdict:
                yield item, who, stand


def _question(queue: Queue, period: str) -> str:
    shares = any(item.shares for item in queue.items)
    return f"Mined share in {period}?" if shares else f"Mine in {period}?"


def _write_ceo(path: Path, queue: Queue, standing: Standing) -> int:
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    count = 0
    for item, who, stand in _stands(queue, standing):
        count += 1
        ground = _ground(item, stand)
        middle = ground.representative_point()
        row = rows.setdefault((item.name, who), {
            "plotid": item.name, "sampleid": item.name, "lon": round(middle.x, 7),
            "lat": round(middle.y, 7), "email": who, "flagged": "FALSE",
            "collection_time": _minute(stand.said_at), "analysis_duration": 0.0,
            "imagery_title": f"minetrace composites {queue.run.name}", "imagery_attributions": "",
            "sample_geom": shapely.to_wkt(ground, rounding_precision=7), "Note": "",
        })  # fmt: skip
        row["analysis_duration"] += stand.seconds
        row[_question(queue, item.period)] = stand.verdict
        row["Note"] = "; ".join(filter(None, (row["Note"], stand.note)))
    for row in rows.values():
        row["analysis_duration"] = f"{row['analysis_duration']:.1f} secs"
    columns = [*CEO, *(_question(queue, period) for period in queue.periods), "Note"]
    table = quoted(pd.DataFrame(list(rows.values()), columns=columns).fillna(""))
    write_whole(path, lambda part: table.to_csv(part, index=False, encoding="utf-8-sig"))
    return count


def _write_geojson(path: Path, queue: Queue, standing: Standing) -> int:
    features = [
        {
            "type": "Feature", "geometry": mapping(_ground(item, stand)),
            "properties": {
                "item": item.id, "name": item.name, "period": item.period, "who": who,
                "verdict": stand.verdict, "note": stand.note, "edited": bool(stand.outline),
                "seconds": round(stand.seconds, 1), "said_at": stand.said_at,
                "disputed": standing.disputed(item.id),
                "settled": standing.settled.get(item.id, Stand()).verdict,
                "shown": json.loads(stand.shown),
            },
        }
        for item, who, stand in _stands(queue, standing)
    ]  # fmt: skip
    write_json(path, {"type": "FeatureCollection", "queue": queue.id, "features": features})
    return len(features)


def _read_ceo(path: Path, queue: Queue) -> Iterator[Said]:
    try:
        told = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (ValueError, OSError) as error:
        raise LabelError(f"{path}: cannot be read as a table ({error})") from error
    table = unquoted(told)
    table.columns = [name.strip().lower() for name in table.columns]
    if "email" not in table.columns:
        raise LabelError(f"{path}: has no column 'email', so nobody knows who answered")
    names = _name_column(path, table, queue)
    asked = {period: _answer_column(path, table, period, queue) for period in queue.periods}
    place = {(item.name, item.period): item for item in queue.items}
    for number, row in enumerate(table.to_dict("records"), start=2):
        for period, column in asked.items():
            item = place.get((str(row[names]), period))
            if not row["email"] or item is None:
                continue
            word = _word(path, number, row, column, shares=item.shares)
            if not word:
                continue
            seconds = re.match(r"[0-9.]+", row.get("analysis_duration", ""))
            yield _said(
                path, queue, item, str(row["email"]), "answer", word,
                _time(row.get("collection_time", "")), float(seconds[0]) if seconds else 0.0,
                {"imagery": row.get("imagery_title", "")},
            )  # fmt: skip


def _name_column(path: Path, table: pd.DataFrame, queue: Queue) -> str:
    """The column that names the items; the first whose every value is one."""
    known = {item.name for item in queue.items}
    for name in _NAMES:
        if name in table.columns and len(table) and set(table[name]) <= known:
            return name
    raise LabelError(
        f"{path}: no column ({', '.join(_NAMES)}) names items of this review alone; is it of "
        "another sample?"
    )


def _answer_column(path: Path, table: pd.DataFrame, period: str, queue: Queue) -> str:
    wanted = (_question(queue, period).lower(), f"answer_{period}".lower())
    for name in wanted:
        if name in table.columns:
            return name
    questions = [
        str(name) for name in table.columns
        if name not in CEO and not name.startswith(("pl_", "smpl_")) and name not in _NAMES
    ]  # fmt: skip
    near = [name for name in questions if re.search(rf"\b{re.escape(period.lower())}\b", name)]
    found = near or (questions if len(queue.periods) == 1 else [])
    if len(found) != 1:
        raise LabelError(
            f"{path}: no column holds the answers of {period}; call it {_question(queue, period)!r}"
        )
    return found[0]


def _word(path: Path, number: int, row: Mapping[Any, Any], column: str, *, shares: bool) -> str:
    """mine, not, unsure, a share of a block, or nothing where nobody answered."""
    if str(row.get("flagged", "")).lower() == "true":
        return "unsure"
    said = str(row[column]).strip().lower()
    if said == "":
        return ""
    told = number_of(said, shares=shares)
    if told is None:
        raise LabelError(
            f"{path}: line {number}, {column}: {row[column]!r} is none of "
            f"{kinds_of_answer(shares=shares)}"
        )
    return word_of(told)


def _read_geojson(path: Path, queue: Queue) -> Iterator[Said]:
    try:
        features = json.loads(path.read_text(encoding="utf-8"))["features"]
        rows = [(dict(f["properties"]), f.get("geometry")) for f in features]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise LabelError(f"{path}: is no GeoJSON of answers ({error!r})") from error
    for row, geometry in rows:
        item = queue.item(str(row.get("item", "")))
        if item is None or not row.get("who"):
            raise LabelError(f"{path}: {row.get('item')!r} is not an item of this review")
        told = number_of(str(row.get("verdict", "")), shares=item.shares)
        if told is None:
            raise LabelError(
                f"{path}: {item.id}: {row.get('verdict')!r} is none of "
                f"{kinds_of_answer(shares=item.shares)}"
            )
        who, when = str(row["who"]), str(row.get("said_at", ""))
        shown = {"imported": path.name, **dict(row.get("shown") or {})}
        seconds = float(row.get("seconds") or 0.0)
        yield _said(path, queue, item, who, "answer", word_of(told), when, seconds, shown)
        if row.get("note"):
            yield _said(path, queue, item, who, "note", str(row["note"]), when, 0.0, {})
        if row.get("edited") and geometry is not None:
            outline = str(shapely.to_geojson(shape(geometry)))
            yield _said(path, queue, item, who, "outline", outline, when, 0.0, {})


def _said(
    path: Path, queue: Queue, item: Item, who: str, kind: Kind, value: str, when: str,
    seconds: float, shown: Mapping[str, Any],
) -> Said:  # fmt: skip
    name = fingerprint([queue.id, item.id, who, kind, value, when])
    told = json.dumps({"imported": path.name, **shown})
    return Said(name, queue.id, item.id, who, kind, value, seconds, when, told)


def _ground(item: Item, stand: Stand) -> BaseGeometry:
    if not stand.outline:
        return item.unit
    edited: BaseGeometry = shapely.from_geojson(stand.outline)
    return edited


def _minute(said_at: str) -> str:
    try:
        return datetime.fromisoformat(said_at).astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return said_at


def _time(minute: str) -> str:
    try:
        return datetime.fromisoformat(minute).replace(tzinfo=UTC).isoformat()
    except ValueError:
        return minute
