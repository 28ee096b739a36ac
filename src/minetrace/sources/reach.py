"""Can a provider be reached, and does it let us in? Asked with one small request each."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from minetrace.errors import MinetraceError, NoPermissionError, StudyError, UserError
from minetrace.sources.earthengine_api import URL as EARTH_ENGINE_URL
from minetrace.sources.earthengine_api import EarthEngineApi, project_of
from minetrace.sources.earthengine_meter import Ceiling, Meter
from minetrace.sources.planet_api import PlanetApi
from minetrace.sources.planet_options import KEY_ENV, URL
from minetrace.sources.stac_profiles import PROFILES, Profile
from minetrace.sources.stac_signing import Access, signer
from minetrace.store.http import HttpClient, HttpOptions, redacted

IMPATIENT = HttpOptions(attempts=2, connect_s=5.0, read_s=15.0)
_SAS_SAMPLE = "https://sentinel2l2a01.blob.core.windows.net/sentinel2-l2/sample"

State = Literal["open", "signed in", "keys set", "no keys", "refused", "unreachable"]
"""``keys set``: they are there, and nothing has shown yet that they are right."""


@dataclass(frozen=True)
class Standing:
    """Where we stand with a provider.

    Attributes:
        words: what was found, or what to do; no secret.
    """

    name: str
    state: State
    words: str

    @property
    def usable(self) -> bool:
        """True if nothing speaks against reading from it."""
        return self.state in ("open", "signed in", "keys set")

    @property
    def wrong(self) -> bool:
        """True if something is out of order, rather than not set up."""
        return self.state in ("refused", "unreachable")


@dataclass(frozen=True)
class Target:
    """A provider to be asked.

    Attributes:
        ask: asks it, and says in a state and words what came of it.
    """

    name: str
    ask: Callable[[HttpClient], tuple[State, str]]


def known() -> list[Target]:
    """Every provider that has a name."""
    return [*(catalog(one) for one in PROFILES.values()), planet(), earth_engine()]


def catalog(profile: Profile) -> Target:
    """A catalog that is known by name."""
    return stac(profile.name, profile.url, profile.ways)


def stac(name: str, url: str, ways: Sequence[Access]) -> Target:
    """Any STAC catalog."""
    return Target(name, lambda client: _stac(client, url, ways))


def planet(url: str = URL, key_env: str = KEY_ENV) -> Target:
    """Planet's basemaps."""

    def ask(client: HttpClient) -> tuple[State, str]:
        if not os.environ.get(key_env):
            return "no keys", f"set {key_env}"
        count = len(PlanetApi(url.rstrip("/"), client, key_env).mosaics("*"))
        return "signed in", f"the key in {key_env} sees {count} mosaics"

    return Target("planet", ask)


def earth_engine(url: str = EARTH_ENGINE_URL, project: str | None = None) -> Target:
    """Earth Engine."""

    def ask(client: HttpClient) -> tuple[State, str]:
        with tempfile.TemporaryDirectory() as folder:
            try:
                meter = Meter(Path(folder) / "meter.json", Ceiling())
                api = EarthEngineApi(url.rstrip("/"), project_of(project), client, meter)
                api.greet()
            except (StudyError, ImportError) as error:
                return "no keys", str(error)
        return "signed in", f"project {api.project}"

    return Target("earthengine", ask)


def standing(target: Target, client: HttpClient) -> Standing:
    """Ask one provider."""
    try:
        state, words = target.ask(client)
    except NoPermissionError as error:
        return Standing(target.name, "refused", str(error))
    except UserError as error:
        return Standing(target.name, "refused", str(error))
    except MinetraceError as error:
        return Standing(target.name, "unreachable", str(error))
    return Standing(target.name, state, words)


def _stac(client: HttpClient, url: str, ways: Sequence[Access]) -> tuple[State, str]:
    open_way = next((way for way in ways if not way.missing), None)
    reply = client.request("GET", url)
    if reply.status in (401, 403) and open_way is not None:
        reply = client.request("GET", url, sign=signer(open_way, client))
    if reply.status in (401, 403):
        return "refused", f"{redacted(url)}: wants an account (HTTP {reply.status})"
    if reply.status != 200:
        return "unreachable", f"{redacted(url)}: HTTP {reply.status}"
    if open_way is None:
        names = ", or ".join(" and ".join(way.needs) for way in ways)
        return "no keys", f"the catalog answers; its files want {names}"
    if open_way.kind == "open":
        return "open", "the catalog answers; nothing is needed"
    if open_way.kind == "sas":
        sign = signer(open_way, client)
        if sign is not None and open_way.covers(_SAS_SAMPLE):
            sign("GET", _SAS_SAMPLE)
        return "signed in", "the catalog answers, and its token service gives tokens"
    return "keys set", f"the catalog answers; {' and '.join(open_way.needs)} will be used"
