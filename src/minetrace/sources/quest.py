"""What is looked for at a provider: where, when, and where its answers are kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from shapely.geometry.base import BaseGeometry


@dataclass(frozen=True)
class ProviderQuest:
    """Where and when imagery is looked for, and where what is found is kept.

    Attributes:
        ground: EPSG:4326.
        spans: half-open spans of days, one a period, in time order.
        items: folder of what the provider answered.
        cache: folder of fetched bytes, shared by the processes of a run.
        refresh: ask again, whatever was answered before.
    """

    ground: BaseGeometry
    spans: tuple[tuple[date, date], ...]
    items: Path
    cache: Path
    refresh: bool = False
