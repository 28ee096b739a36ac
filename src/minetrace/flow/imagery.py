"""From what a study says of a source to the source itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

import shapely
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from minetrace.core.period import Period
from minetrace.core.region import Region
from minetrace.errors import StudyError
from minetrace.flow import providers
from minetrace.flow.providers import band_specs
from minetrace.flow.study_providers import EarthEngineStudy, FetchedStudy, PlanetStudy, QuadStudy
from minetrace.flow.study_sources import AnySource, SourceStudy, StacStudy
from minetrace.sources.dates import DateOptions
from minetrace.sources.detected import DetectedSource, DetectOptions
from minetrace.sources.fetched import FetchedOptions, FetchedSource
from minetrace.sources.files import FileSource
from minetrace.sources.options import FileOptions
from minetrace.sources.source import Source
from minetrace.sources.stac import StacSource
from minetrace.sources.stac_options import Quest, StacOptions
from minetrace.sources.stac_profiles import Profile, credit, is_terrain, profile
from minetrace.sources.stac_signing import Access, chosen
from minetrace.sources.terrain import ANY_TIME, TerrainSource
from minetrace.store.http import HttpOptions
from minetrace.store.run_folder import RunFolder

# as far around the region as a model may look: 1,024 pixels of 10 metres, in degrees
AROUND_DEG = 0.1


def open_source(
    study: AnySource, region: Region, periods: Sequence[Period], run: RunFolder
) -> Source:
    """Open a source: look at its files, or ask its catalog.

    Args:
        study: what is asked.
        region: what a catalog is searched for, with a margin.
        periods: and when.
        run: keeps what the catalog answers.

    Raises:
        UserError: it cannot be used as it is.
        ReadFailedError: the catalog does not answer.
    """
    mask = study.mask if isinstance(study, StacStudy | SourceStudy) else None
    if mask is None or not mask.detects:
        return _open(study, region, periods, run)
    options = DetectOptions(mask.kind, mask.threshold, mask.dilate_m, mask.level)
    return DetectedSource(_open(study, region, periods, run), options)


def _open(study: AnySource, region: Region, periods: Sequence[Period], run: RunFolder) -> Source:
    if isinstance(study, StacStudy):
        return _catalog(study, region, periods, run)
    if isinstance(study, PlanetStudy):
        return providers.basemaps(study, _around(region), periods, run)
    if isinstance(study, QuadStudy):
        return providers.quads(study)
    if isinstance(study, EarthEngineStudy):
        return providers.computed(study, _around(region), periods, run)
    if isinstance(study, FetchedStudy):
        return FetchedSource(FetchedOptions(study.path, study.source))
    return FileSource(
        FileOptions(
            path=study.path, bands=band_specs(study.bands), scale=study.scale, offset=study.offset,
            date=DateOptions(**study.date.model_dump()) if study.date else DateOptions(),
            mask=study.mask.options() if study.mask else None,
            nodata=study.nodata,
        )
    )  # fmt: skip


def name_of(study: AnySource) -> str:
    """What a source is called in a data card."""
    if isinstance(study, StacStudy):
        host = study.profile or urlsplit(study.url or "").netloc or "catalog"
        collection = _collection(study)
        return f"{host}, {collection}" if collection else host
    if isinstance(study, PlanetStudy):
        return f"Planet basemaps, {study.mosaics}"
    if isinstance(study, QuadStudy):
        return f"basemap quads, {study.path.name}"
    if isinstance(study, EarthEngineStudy):
        return f"Earth Engine, {study.product}"
    if isinstance(study, FetchedStudy):
        return f"fetched imagery, {study.path.name}, source {study.source}"
    path = study.path[0] if len(study.path) == 1 else study.path[0].parent
    return path.name


def attribution_of(study: AnySource) -> str:
    """What must be said beside its pictures: the user's words, or what is known of a catalog."""
    if study.attribution or isinstance(study, SourceStudy):
        return study.attribution
    if isinstance(study, StacStudy):
        return credit(_collection(study) or "")
    return providers.credit(study)


def _collection(study: StacStudy) -> str | None:
    return study.collection or (profile(study.profile).collection if study.profile else None)


def _catalog(study: StacStudy, region: Region, periods: Sequence[Period], run: RunFolder) -> Source:
    known = profile(study.profile) if study.profile else None
    collection = _collection(study)
    access = _access(study, known, collection)
    options = StacOptions(
        url=study.url or (known.url if known else ""), collection=collection,
        host=known.name if known else "", bands=band_specs(study.bands), scale=study.scale,
        alternate=known.asset_of.get(access.kind, "") if known else "",
        offset=study.offset, nodata=study.nodata, exclude=study.exclude, max_cloud=study.max_cloud,
        mask=study.mask.options() if study.mask else None,
        max_scene_cloud=study.max_scene_cloud, access=access,
        http=HttpOptions(**study.requests.model_dump()),
    )  # fmt: skip
    terrain = is_terrain(collection)
    spans = ANY_TIME if terrain else tuple((period.start, period.end) for period in periods)
    quest = Quest(region.geometry, _around(region), spans, run.items, run.cache, study.refresh)
    found = StacSource(options, quest)
    return TerrainSource(found, tuple(p.start for p in periods)) if terrain else found


def _around(region: Region) -> BaseGeometry:
    """The region and what may be looked at around it, EPSG:4326."""
    world = box(-180, -90, 180, 90)
    around: BaseGeometry = shapely.intersection(region.geometry.buffer(AROUND_DEG), world)
    return around


def _access(study: StacStudy, known: Profile | None, collection: str | None) -> Access:
    if study.access is not None:
        access = Access(**study.access.model_dump())
        if access.missing:
            raise StudyError(
                f"sources.access: the environment variable {access.missing[0]} is not set: "
                "export it first"
            )
        if access.kind == "bearer" and not access.hosts:  # a token is not for every host
            at = study.url or (known.url if known else "")
            access = replace(access, hosts=(urlsplit(at).hostname or "",))
        access.refuse_untrusted()
        return access
    if known is None:
        return Access()
    return chosen(known.ways_of(collection or known.collection), known.name)
