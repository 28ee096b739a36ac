"""Which providers a user means, by name or by a study, and where they stand with each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from minetrace.core.bands import nearest
from minetrace.errors import StudyError
from minetrace.flow.study import Study
from minetrace.flow.study_providers import EarthEngineStudy, PlanetStudy
from minetrace.flow.study_sources import AnySource, StacStudy
from minetrace.sources import reach
from minetrace.sources.reach import Standing, Target
from minetrace.sources.stac_profiles import profile
from minetrace.sources.stac_signing import OPEN, Access
from minetrace.store.http import client


def standings(named: Sequence[str]) -> list[Standing]:
    """Ask providers.

    Args:
        named: names, or study files whose sources are meant; empty for all that have a name.

    Raises:
        StudyError: a name is not known.
        MissingFileError: a study is not there.
    """
    targets = [one for name in named for one in _targets(name)] if named else reach.known()
    asks = client(reach.IMPATIENT)
    return [reach.standing(target, asks) for target in targets]


def _targets(name: str) -> list[Target]:
    if name.endswith((".yaml", ".yml")):
        found = [_of(source) for source in Study.read(Path(name)).sources]
        return [one for one in found if one is not None]
    every = {one.name: one for one in reach.known()}
    if name not in every:
        hint = nearest(name, every)
        raise StudyError(
            f"{name}: no provider is known by that name; known: {', '.join(every)}"
            + (f"; did you mean {hint}?" if hint else "")
        )
    return [every[name]]


def _of(source: AnySource) -> Target | None:
    """The provider behind a source; None for files."""
    if isinstance(source, PlanetStudy):
        return reach.planet(source.url, source.key_env)
    if isinstance(source, EarthEngineStudy):
        return reach.earth_engine(source.url, source.project)
    if not isinstance(source, StacStudy) or (source.url and "://" not in source.url):
        return None
    known = profile(source.profile) if source.profile else None
    ways: tuple[Access, ...] = known.ways_of(source.collection or known.collection) if known else ()
    if source.access is not None:
        ways = (Access(**source.access.model_dump()),)
    url = source.url or (known.url if known else "")
    return reach.stac(source.profile or url, url, ways or (OPEN,))
