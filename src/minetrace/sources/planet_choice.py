"""Which month's quad stands for a place in a period, and the table that says why.

A basemap quad is made of many scenes. Its haziness is the mean, over these scenes, of the mean of
cloud and heavy haze; the least hazy quad of a period is chosen, of equals the one of the later
month. A quad of which nobody says anything comes last. Source: Sepin, Vashold & Kuschnig (2025).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from minetrace.errors import MissingFileError, StudyError
from minetrace.sources.planet_api import Haze, Mosaic
from minetrace.store.files import write_text

COLUMNS = (
    "period_start", "quad", "basemap", "first", "last", "cloud", "heavy_haze", "haziness", "scenes",
    "chosen", "mosaic_id", "datatype", "quad_px", "resolution_m",
)  # fmt: skip
_INFO = ("year", "basemap", "quad")


@dataclass(frozen=True)
class Offer:
    """One quad of one mosaic that could stand for its place in a period.

    Attributes:
        period_start: first day of the period.
        cloud, heavy_haze: means over its scenes, 0 to 1; None where nobody says it.
        scenes: how many say it.
        chosen: True if it stands for its place.
    """

    period_start: date
    quad: str
    mosaic: Mosaic
    cloud: float | None = None
    heavy_haze: float | None = None
    scenes: int = 0
    chosen: bool = False

    @property
    def haziness(self) -> float | None:
        """Mean of cloud and heavy haze."""
        if self.cloud is None or self.heavy_haze is None:
            return None
        return (self.cloud + self.heavy_haze) / 2


@dataclass(frozen=True)
class InfoRow:
    """A row of a ``cloudfree_quads_info.csv``: the basemap that a place is read from in a year."""

    year: int
    basemap: str
    quad: str


def mean_haze(hazes: Iterable[Haze | None]) -> tuple[float | None, float | None, int]:
    """Mean cloud and heavy haze of the scenes of which it is said, and how many these are."""
    known = [haze for haze in hazes if haze is not None]
    if not known:
        return None, None, 0
    count = len(known)
    cloud = sum(haze.cloud for haze in known) / count
    return cloud, sum(haze.heavy_haze for haze in known) / count, count


def clearest(offers: Sequence[Offer]) -> Offer:
    """The least hazy of the offers for one place and period; of equals the latest."""
    latest_first = sorted(offers, key=_when, reverse=True)
    return min(latest_first, key=_haziness)


def _when(offer: Offer) -> tuple[date, date, str]:
    return offer.mosaic.last, offer.mosaic.first, offer.mosaic.name


def _haziness(offer: Offer) -> float:
    return float("inf") if offer.haziness is None else round(offer.haziness, 9)


def write_offers(path: Path, offers: Sequence[Offer]) -> None:
    """Keep the table of choices."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for one in offers:
        m = one.mosaic
        rows.writerow([
            one.period_start, one.quad, m.name, m.first, m.last, _number(one.cloud),
            _number(one.heavy_haze), _number(one.haziness), one.scenes, int(one.chosen), m.id,
            m.dtype, m.quad_px, repr(m.resolution_m),
        ])  # fmt: skip
    write_text(path, text.getvalue())


def read_offers(path: Path) -> list[Offer]:
    """Read a table of choices again.

    Raises:
        StudyError: it is no such table.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [_offer(row) for row in csv.DictReader(file)]
    except (KeyError, ValueError, TypeError) as error:
        raise StudyError(
            f"{path}: not a table of quads as minetrace writes it ({error}); delete it"
        ) from error


def read_info(path: Path) -> list[InfoRow]:
    """Read a ``cloudfree_quads_info.csv``: columns ``id_shape, year, basemap, quad, link``.

    A place that is named for several shapes counts once, by its first row. The links are not
    used: they are made for somebody's key, and the basemap and quad say the same.

    Raises:
        MissingFileError: it is not there.
        StudyError: a column or a year is missing, or it has no rows.
    """
    if not path.is_file():
        raise MissingFileError(f"sources.choices: {path} is not there")
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file)
        lacking = [name for name in _INFO if name not in (table.fieldnames or ())]
        if lacking:
            raise StudyError(
                f"{path}: no column {', '.join(lacking)}; a table of quads has the columns "
                "id_shape, year, basemap, quad, link"
            )
        found: dict[tuple[int, str], InfoRow] = {}
        for line, row in enumerate(table, 2):
            year = str(row["year"] or "").removesuffix(".0")
            if not (year.isdecimal() and row["basemap"] and row["quad"]):
                raise StudyError(f"{path}: line {line} lacks a year, a basemap or a quad")
            one = InfoRow(int(year), row["basemap"], row["quad"])
            found.setdefault((one.year, one.quad), one)
    if not found:
        raise StudyError(f"{path}: names no quad")
    return list(found.values())


def _offer(row: dict[str, str]) -> Offer:
    mosaic = Mosaic(
        row["mosaic_id"], row["basemap"], date.fromisoformat(row["first"]),
        date.fromisoformat(row["last"]), row["datatype"], int(row["quad_px"]),
        float(row["resolution_m"]),
    )  # fmt: skip
    return Offer(
        date.fromisoformat(row["period_start"]), row["quad"], mosaic, _read(row["cloud"]),
        _read(row["heavy_haze"]), int(row["scenes"]), row["chosen"] == "1",
    )  # fmt: skip


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _read(text: str) -> float | None:
    return float(text) if text else None
