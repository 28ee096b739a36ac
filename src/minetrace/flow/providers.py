"""From what a study says of a provider to its source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shapely.geometry.base import BaseGeometry

from minetrace.core.period import Period
from minetrace.flow.study_parts import BandStudy
from minetrace.flow.study_providers import EarthEngineStudy, FetchedStudy, PlanetStudy, QuadStudy
from minetrace.sources.bands import BandSpec
from minetrace.sources.earthengine import EarthEngineOptions, EarthEngineSource
from minetrace.sources.earthengine_exports import ExportOptions
from minetrace.sources.earthengine_meter import Ceiling
from minetrace.sources.earthengine_products import product
from minetrace.sources.planet import PlanetSource
from minetrace.sources.planet_options import PlanetOptions
from minetrace.sources.quads import QuadOptions, QuadSource
from minetrace.sources.quest import ProviderQuest
from minetrace.store.http import HttpOptions
from minetrace.store.run_folder import RunFolder

PLANET_CREDIT = "imagery © Planet Labs PBC"


def basemaps(
    study: PlanetStudy, around: BaseGeometry, periods: Sequence[Period], run: RunFolder
) -> PlanetSource:
    """Planet basemaps.

    Args:
        around: EPSG:4326, where quads are looked for.
    """
    options = PlanetOptions(
        mosaics=study.mosaics, choose=study.choose, choices=study.choices,
        bands=band_specs(study.bands), scale=study.scale, offset=study.offset, url=study.url,
        key_env=study.key_env, http=HttpOptions(**study.requests.model_dump()),
    )  # fmt: skip
    spans = tuple((period.start, period.end) for period in periods)
    return PlanetSource(options, ProviderQuest(around, spans, run.items, run.cache, study.refresh))


def quads(study: QuadStudy) -> QuadSource:
    """Basemap quads on a disk."""
    bands = band_specs(study.bands)
    return QuadSource(QuadOptions(study.path, bands, study.scale, study.offset))


def computed(
    study: EarthEngineStudy, around: BaseGeometry, periods: Sequence[Period], run: RunFolder
) -> EarthEngineSource:
    """What Earth Engine computes.

    Args:
        around: EPSG:4326, what may be looked at.
    """
    options = EarthEngineOptions(
        product=study.product, bands=study.bands, clear=study.clear, project=study.project,
        ceiling=Ceiling(study.ceiling.requests, study.ceiling.eecu_hours), url=study.url,
        http=HttpOptions(**study.requests.model_dump()),
        exports=ExportOptions(**study.export.model_dump()) if study.export else None,
    )  # fmt: skip
    spans = tuple((period.start, period.end) for period in periods)
    quest = ProviderQuest(around, spans, run.items, run.cache, study.refresh)
    return EarthEngineSource(options, quest)


def credit(study: PlanetStudy | QuadStudy | EarthEngineStudy | FetchedStudy) -> str:
    """What must be said beside a provider's pictures; empty if that is not known."""
    if isinstance(study, EarthEngineStudy):
        return product(study.product).credit
    return PLANET_CREDIT if isinstance(study, PlanetStudy) else ""


def band_specs(bands: Mapping[str, BandStudy] | None) -> dict[str, BandSpec]:
    """Bands as the sources take them."""
    return {
        name: BandSpec(name=spec.name, index=spec.index, scale=spec.scale, offset=spec.offset)
        for name, spec in (bands or {}).items()
    }
