"""What a run found, in a few numbers, for the terminal, the data card and the map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd

from minetrace.core.footprints import Extent
from minetrace.flow.estimated import estimated
from minetrace.flow.plan import Job
from minetrace.flow.verified import outdated
from minetrace.panel.summary import summary
from minetrace.publish.words import INTERVAL
from minetrace.store.run_folder import Key

__all__ = ["INTERVAL", "PeriodSummary", "Summary", "summarise"]

HECTARES: dict[Extent, str] = {"mined": "area_ha", "footprint": "footprint_ha"}


@dataclass(frozen=True)
class PeriodSummary:
    """One period: sites and hectares (NaN if nothing was looked at), and how much was.

    ``estimated`` is what a sample says of its mined hectares, if there was one: value,
    standard_error, low, high, and the hectares that it holds for.
    """

    label: str
    sites: int
    hectares: float
    looked_share: float
    estimated: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Summary:
    """One run; ``outdated`` counts verdicts of people on outlines that it no longer has."""

    name: str
    out: Path | str
    extent: Extent
    model: str
    sites: int
    periods: tuple[PeriodSummary, ...]
    failed: tuple[tuple[Key, str], ...]
    seconds: float = 0.0
    outdated: int = 0

    @property
    def map(self) -> Path | str:
        """The page to open."""
        if isinstance(self.out, str):
            return f"{self.out}/map/index.html"
        return self.out / "map" / "index.html"

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        kind = HECTARES[self.extent]
        rows = [asdict(period) for period in self.periods]
        return {
            "name": self.name, "out": str(self.out), "model": self.model, "sites": self.sites,
            "extent": self.extent, "interval": INTERVAL,
            "periods": [{kind if k == "hectares" else k: v for k, v in r.items()} for r in rows],
            "failed": [{"artefact": str(key), "reason": reason} for key, reason in self.failed],
            "outdated_verdicts": self.outdated, "seconds": round(self.seconds, 2),
            "map": str(self.map),
        }  # fmt: skip

    def rows(self) -> list[dict[str, Any]]:
        """One row a period, hectares named by their kind."""
        kind = HECTARES[self.extent]
        return [
            {"period": p.label, "sites": p.sites, "looked_share": p.looked_share,
             kind: p.hectares, "estimated": p.estimated}
            for p in self.periods
        ]  # fmt: skip


def summarise(
    job: Job,
    panel: gpd.GeoDataFrame,
    shares: Mapping[str, float],
    failed: Sequence[tuple[Key, str]],
) -> Summary:
    """The numbers of a run, straight from its panel."""
    table = summary(panel, job.periods, looked=shares)
    kind, known = HECTARES[job.extent], estimated(job.run)
    periods = tuple(
        PeriodSummary(
            row["period"],
            int(row["sites"]),
            float(row[kind]),
            float(row["looked_share"]),
            known.get(row["period"]),
        )
        for row in table.to_dict("records")
    )
    place = job.run.mirror.url if job.run.mirror else job.run.root
    return Summary(
        job.study.name, place, job.extent, job.scorer.card.name,
        int(panel["site_id"].nunique()), periods, tuple(failed),
        outdated=outdated(job.run.root, panel),
    )  # fmt: skip
