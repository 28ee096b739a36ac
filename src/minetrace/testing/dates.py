"""Dates of the scenes and the weather on them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np

from minetrace.testing.sky import Weather

_FIRST_PASS = date(2019, 1, 4)
_REPEAT_DAYS = 5
BLIND_YEAR = 2022


def wetness(day: date) -> float:
    """0 at the end of the dry season in August, 1 at the height of the rains in February."""
    return float(0.5 + 0.5 * np.cos(2 * np.pi * (day.timetuple().tm_yday - 45) / 365.25))


def scene_dates(rng: np.random.Generator, year: int, count: int) -> list[date]:
    """Spread dates over a year, on days of the satellite's repeat cycle, none twice."""
    dates: list[date] = []
    for i in range(count):
        of_year = (i + rng.uniform(0.15, 0.85)) / count * 364
        wanted = date(year, 1, 1) + timedelta(days=int(of_year))
        passes = round((wanted - _FIRST_PASS).days / _REPEAT_DAYS)
        day = _FIRST_PASS + timedelta(days=passes * _REPEAT_DAYS)
        while day.year > year or day in dates:
            day -= timedelta(days=_REPEAT_DAYS)
        while day.year < year or day in dates:
            day += timedelta(days=_REPEAT_DAYS)
        dates.append(day)
    return sorted(dates)


def weather_of(rng: np.random.Generator, days: Sequence[date], *, blind: bool) -> list[Weather]:
    """Give each date of a year its sky.

    The wetter the season, the more cloud, from 5 to 80 %; a blind year is overcast throughout.
    """
    wet = np.array([wetness(day) for day in days]) + rng.normal(0, 0.15, len(days))
    rank = np.argsort(np.argsort(wet)) / max(len(days) - 1, 1)
    partial = int(rng.integers(0, len(days)))
    skies = []
    for i, share in enumerate(rank):
        cover = 0.05 + 0.75 * float(np.clip(share**1.3 + rng.normal(0, 0.05), 0, 1))
        kind = "cumulus" if cover < 0.25 else ("broken" if cover < 0.6 else "veil")
        if cover < 0.25 and rng.random() < 0.3:
            kind = "veil"
        if blind:
            cover, kind = float(rng.uniform(0.955, 0.980)), "overcast"
        edge = float(rng.choice([-1, 1]) * rng.uniform(0.3, 0.7)) if i == partial else None
        skies.append(
            Weather(
                cover=cover,
                kind=kind,
                haze=float(rng.uniform(0.001, 0.012)),
                gain=float(rng.uniform(0.97, 1.03)),
                swath_edge=edge,
            )
        )
    return skies
