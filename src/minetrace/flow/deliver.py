"""What a run hands on: the catalog, the data card and the map."""

from __future__ import annotations

from collections.abc import Mapping

import geopandas as gpd

from minetrace.core.grid import Rect
from minetrace.flow.imagery import attribution_of, name_of
from minetrace.flow.models import executor_of
from minetrace.flow.plan import Job, Place
from minetrace.flow.readers import CompositeReader
from minetrace.flow.report import versions
from minetrace.flow.summary import Summary
from minetrace.panel.summary import summary as panel_summary
from minetrace.publish.catalog import write_catalog
from minetrace.publish.datacard import DataCard, SourceRead, write_datacard
from minetrace.publish.map import write_map
from minetrace.publish.picture import Picture
from minetrace.publish.pictures import Sight, lent_shares, pictures
from minetrace.publish.tables import write_hectares
from minetrace.publish.words import percent

DOWNLOADS = (
    "panel.gpkg", "panel.parquet", "hectares.csv", "tallies.csv", "datacard.md", "catalog.json",
    "study.yaml",
)  # fmt: skip


def deliver(job: Job, panel: gpd.GeoDataFrame, summary: Summary) -> None:
    """Write catalog, data card and map into the run folder."""
    run, study = job.run, job.study
    title = study.publish.title or study.name
    sources = [_read(job, number) for number in range(len(job.sources))]
    write_catalog(
        run, job.artefacts(), name=study.name, title=title,
        description=f"Mines of {title}, {job.periods[0].label} to {job.periods[-1].label}, "
        f"mapped with the model {summary.model}; see datacard.md.",
    )  # fmt: skip
    drawn = _pictures(job)
    lent = lent_shares(drawn)
    write_datacard(run.root, _card(job, summary, title, sources, lent))
    looked = {period.label: period.looked_share for period in summary.periods}
    write_hectares(run.root / "hectares.csv", panel_summary(panel, job.periods, looked=looked))
    write_map(
        run.map, title=title, panel=panel, periods=job.periods, pictures=drawn,
        region=job.region.geometry, provenance=_provenance(job, sources, lent),
        summary=summary.rows(), downloads=[run.root / name for name in DOWNLOADS],
        min_looked_share=study.panel.min_looked_share,
    )  # fmt: skip


def _card(
    job: Job, summary: Summary, title: str, sources: list[SourceRead], lent: Mapping[str, float]
) -> DataCard:
    study, composite = job.study, job.study.composite
    looks = "look" if composite.min_looks == 1 else "looks"
    named = any(getattr(source, "harmonise", None) for source in study.sources)
    adjusted = "; bands adjusted to those of Landsat 8" if named else ""
    return DataCard(
        title=title, region=job.region.geometry, periods=job.periods, rows=summary.rows(),
        sites=summary.sites, extent=job.extent, sources=sources, model=job.scorer.card,
        executor=executor_of(job.scorer), threshold=job.threshold,
        composite=f"{composite.method}, at least {composite.min_looks} clear {looks}{adjusted}",
        crs=[place.grid.crs for place in job.places],
        resolution_m=job.places[0].grid.resolution_m,
        delineated_by=job.delineator.card.name if job.delineator else None,
        decoded=job.decoder is not None,
        rules={
            **study.vectors.model_dump(exclude_none=True), **study.panel.model_dump(),
            **study.model_dump(mode="json", include={"decode", "rules"}, exclude_none=True),
        },
        failed=[(str(key), reason) for key, reason in summary.failed], versions=versions(),
        lent=lent,
    )  # fmt: skip


def _read(job: Job, number: int) -> SourceRead:
    """A source as it was read: the scenes that touch the region in one of the periods."""
    study = job.study.sources[number]
    scenes = {
        look.scene.id: look.scene.day
        for place in job.places for looks in place.looks.values()
        for look in looks if look.source == number
    }  # fmt: skip
    days = sorted(scenes.values())
    return SourceRead(
        name_of(study), len(scenes), days[0] if days else None, days[-1] if days else None,
        study.licence, attribution_of(study), job.sources[number].masking,
    )  # fmt: skip


def _provenance(job: Job, sources: list[SourceRead], lent: Mapping[str, float]) -> dict[str, str]:
    value = "score" if job.decoder is None else "probability, decoded through time,"
    told = {
        "model": job.scorer.card.name,
        "outlines": f"{value} at least {job.threshold:g}",
        "composite": job.study.composite.method,
        "clouds": "; ".join(s.masking or "not masked: they count as looked at" for s in sources),
        "imagery": "; ".join(f"{s.name}, {s.looks} scenes" for s in sources),
        "minetrace": versions()["minetrace"],
    }
    if lent:
        parts = ", ".join(f"{label} ({percent(share)})" for label, share in lent.items())
        told["pictures"] = (
            "grey, hatched ground was not looked at, and is shown as the period before or after "
            f"saw it: {parts}"
        )
    credit = "; ".join(dict.fromkeys(s.attribution for s in sources if s.attribution))
    unsaid = "imagery: " + "; ".join(s.name for s in sources) + ", attribution not stated"
    return {**told, "attribution": credit or unsaid}


def _pictures(job: Job) -> dict[str, list[Picture]]:
    sights = (
        Sight(period.label, place.grid, _frames(place), CompositeReader.of(job, index, number))
        for index, period in enumerate(job.periods)
        for number, place in enumerate(job.places)
    )
    wanted = job.study.publish
    return pictures(sights, max_px=wanted.picture_px, lend=wanted.fill_blind is not None)


def _frames(place: Place) -> list[Rect]:
    """The tiles of the imagery, without the parts of them that lie outside it."""
    around = place.imagery.rect
    return [tile.rect & around for tile in place.imagery_tiles]
