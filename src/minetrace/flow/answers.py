"""What people said of the points or blocks of a sample, read from whichever file they filled.

Of a point they say whether it is a mine; of a block, how much of it is: ``30%``, or ``7/25`` where
they count dots, and also *mine* for all of it and *not* for none. A unit without an answer, or with
*unsure*, has none: it is as if it had not been drawn, which is right if what could not be told has
no more and no fewer mines than what could.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyogrio.errors import DataSourceError

from minetrace.errors import LabelError, MissingFileError
from minetrace.flow.sample_design import PACKAGE, TABLE, Design

REVIEWED = "reviewed.csv"  # what a review hands on
WORDS = {
    "mine": 1.0, "mined": 1.0, "yes": 1.0, "true": 1.0, "1": 1.0, "1.0": 1.0,
    "not": 0.0, "no": 0.0, "none": 0.0, "false": 0.0, "0": 0.0, "0.0": 0.0,
    "unsure": np.nan, "": np.nan, "nan": np.nan, "?": np.nan,
}  # fmt: skip
_PER_CENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_COUNTED = re.compile(r"(\d+)\s*/\s*(\d+)")


def number_of(said: str, *, shares: bool) -> float | None:
    """What a word says as a number, NaN for no answer; None where it is no answer at all.

    Args:
        shares: whether an answer may be a share, 0 to 1, such as ``30%`` or ``7/25``.
    """
    word = said.strip().lower()
    if word in WORDS or not shares:
        return WORDS.get(word)
    if found := _PER_CENT.fullmatch(word):
        share = float(found[1]) / 100
    elif (found := _COUNTED.fullmatch(word)) and int(found[2]):
        share = int(found[1]) / int(found[2])
    else:
        return None
    return share if share <= 1 else None


def word_of(number: float) -> str:
    """A number as the one word that is kept for it; 0 is *not*, 1 *mine*, NaN *unsure*."""
    if np.isnan(number):
        return "unsure"
    return {0.0: "not", 1.0: "mine"}.get(number) or f"{100 * number:.4g}%"


def kinds_of_answer(*, shares: bool) -> str:
    """In words, what an answer may be."""
    return "mine, not and unsure" + (", nor a share such as 30% or 7/25" if shares else "")


@dataclass(frozen=True)
class Answers:
    """Answers in the order of the design's units: 1 mine, 0 not, NaN for none, shares of blocks.

    Attributes:
        file: where they were read, if in a file.
        first: (n, periods) of the first interpreter.
        second: (n, periods) of the second, for points that were looked at twice.
    """

    file: Path | None
    first: NDArray[np.float64]
    second: NDArray[np.float64]

    @property
    def agreed(self) -> NDArray[np.float64]:
        """(n, periods) the mean of what was said: half a mine where two people differ on a point.

        Each counts the same, so the estimate is the mean of the estimates of the two.
        """
        both = np.stack([self.first, self.second])
        known = ~np.isnan(both)
        total = np.where(known, both, 0.0).sum(axis=0)
        count = known.sum(axis=0)
        mean: NDArray[np.float64] = np.full(total.shape, np.nan)
        np.divide(total, count, out=mean, where=count > 0)
        return mean


def read_answers(design: Design, file: Path | None = None) -> Answers:
    """The answers to a sample.

    Args:
        file: a CSV, GeoPackage or GeoJSON with ``id`` and ``answer_PERIOD``; whichever of the
            folder's own was filled, or what a review handed on, if left out.

    Raises:
        MissingFileError: there is no such file.
        LabelError: nothing was answered, a point is strange or comes twice, or an answer is none
            of mine, not and unsure.
    """
    if file is not None:
        return _filled(design, file)
    own = [
        read for name in (TABLE, PACKAGE, REVIEWED)
        if (path := design.folder / name).is_file() and (read := _read(design, path)) is not None
    ]  # fmt: skip
    told = [read for read in own if not np.isnan(read.first).all()]
    for other in told[1:]:
        if not np.array_equal(told[0].first, other.first, equal_nan=True):
            files = " and ".join(read.file.name for read in (told[0], other) if read.file)
            raise LabelError(
                f"{design.folder}: {files} hold different answers; "
                "name the one that counts with --answers"
            )
    if not told:
        raise LabelError(
            f"{design.folder}: no point has an answer yet; answer them with 'minetrace review', or "
            f"fill answer_{design.periods[0]} of {TABLE} with mine, not or unsure"
        )
    return told[0]


def _filled(design: Design, file: Path) -> Answers:
    found = _read(design, file)
    if np.isnan(found.first).all():
        raise LabelError(f"{file}: no point has an answer; fill answer_{design.periods[0]}")
    return found


def _read(design: Design, path: Path) -> Answers:
    table = _table(path)
    known = {name: place for place, name in enumerate(design.ids)}
    if "id" not in table.columns:
        raise LabelError(f"{path}: has no column 'id', so its points cannot be told apart")
    ids = table["id"].astype(str)
    if strange := [name for name in ids if name not in known]:
        raise LabelError(f"{path}: point {strange[0]!r} is not one of this sample's")
    if ids.duplicated().any():
        raise LabelError(f"{path}: point {ids[ids.duplicated()].iloc[0]!r} comes twice; keep one")
    places = np.array([known[name] for name in ids], dtype=np.intp)
    return Answers(
        path, _columns(path, table, places, design, "answer", required=True),
        _columns(path, table, places, design, "second", required=False),
    )  # fmt: skip


def _columns(
    path: Path, table: pd.DataFrame, places: NDArray[np.intp], design: Design, kind: str,
    *, required: bool,
) -> NDArray[np.float64]:  # fmt: skip
    found = np.full((len(design.ids), len(design.periods)), np.nan)
    for number, label in enumerate(design.periods):
        name = f"{kind}_{label}"
        if name in table.columns:
            found[places, number] = _numbers(
                path, table["id"], table[name], name, shares=design.of_blocks
            )
        elif required:
            raise LabelError(f"{path}: has no column {name!r}; answers of {label} belong there")
    return found


def _numbers(
    path: Path, ids: Iterable[str], column: pd.Series[str], name: str, *, shares: bool
) -> list[float]:
    numbers = []
    for point, said in zip(ids, column.fillna("").astype(str), strict=True):
        number = number_of(said, shares=shares)
        if number is None:
            raise LabelError(
                f"{path}: point {point}, {name}: {said!r} is none of "
                f"{kinds_of_answer(shares=shares)}"
            )
        numbers.append(number)
    return numbers


def _table(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file of answers")
    try:
        if path.suffix.lower() == ".csv":
            return pd.read_csv(path, dtype=str, keep_default_na=False)
        return pd.DataFrame(gpd.read_file(path, ignore_geometry=True))
    except (DataSourceError, ValueError, OSError) as error:
        raise LabelError(f"{path}: cannot be read as a table of answers ({error})") from error
