"""What a stranger's study cannot do: have a secret of ours sent to a host of theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from minetrace.errors import StudyError
from minetrace.flow.imagery import open_source
from minetrace.flow.study import Study
from minetrace.flow.study_sources import StacStudy
from minetrace.sources import stac_signing
from minetrace.sources.earthengine_api import EarthEngineApi
from minetrace.sources.earthengine_meter import Ceiling, Meter
from minetrace.sources.planet_api import key_access
from minetrace.sources.stac_profiles import PROFILES
from minetrace.sources.stac_signing import Access
from minetrace.sources.trust import CONSENT, KNOWN, refuse_untrusted, secret
from minetrace.store.http import HttpClient
from minetrace.store.run_folder import RunFolder

HUSH = "hush-hush-hush"
EVIL = "https://tiles.evil.example/x"


@pytest.fixture(autouse=True)
def ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CONSENT, raising=False)
    for name in (*KNOWN, "MY_TOKEN"):
        monkeypatch.setenv(name, HUSH)


def test_what_profiles_send_goes_where_it_is_known_to_belong() -> None:
    for known in PROFILES.values():
        ways = [*known.ways, *(way for more in known.collection_ways.values() for way in more)]
        for way in ways:
            way.refuse_untrusted()
    refuse_untrusted("PL_API_KEY", "https://api.planet.com/basemaps")
    refuse_untrusted("EARTHENGINE_TOKEN", "https://storage.googleapis.com/x")


@pytest.mark.parametrize("name", [*KNOWN, "MY_TOKEN", "HOME"])
@pytest.mark.parametrize(
    "url",
    [EVIL, "https://planet.com.evil.example", "https://evilplanet.com", "https://planet.com@evil.example",
     "https://ec2-1-2-3-4.s3.compute.amazonaws.com.evil.example", "http://api.planet.com/",
     "https://s3.evil.compute.amazonaws.com", "https://evil.googleapis.com.example", "https://",
     "https://evil.example#.planet.com", "https://evil.example\\.planet.com"],
)  # fmt: skip
def test_no_other_host_gets_anything(name: str, url: str) -> None:
    with pytest.raises(StudyError) as refused:
        secret(name, url)
    assert HUSH not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_word_of_the_user_allows_one_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StudyError, match=f"export {CONSENT}=MY_TOKEN@tiles.evil.example"):
        secret("MY_TOKEN", EVIL)
    monkeypatch.setenv(CONSENT, "OTHER@example.org MY_TOKEN@evil.example")
    assert secret("MY_TOKEN", EVIL) == HUSH
    for name, url in (("AWS_SECRET_ACCESS_KEY", EVIL), ("MY_TOKEN", "https://notevil.example/"),
                      ("MY_TOKEN", "http://evil.example/")):  # fmt: skip
        with pytest.raises(StudyError):
            secret(name, url)
    for word in ("MY_TOKEN", "MY_TOKEN@", "@tiles.evil.example", "tiles.evil.example", "*@*"):
        monkeypatch.setenv(CONSENT, word)
        with pytest.raises(StudyError):
            secret("MY_TOKEN", EVIL)
    assert secret("MY_TOKEN", "http://127.0.0.1:1/x") == HUSH


ACCESSES: list[dict[str, Any]] = [
    {"kind": "bearer", "token_env": "AWS_SECRET_ACCESS_KEY"},
    {"kind": "bearer", "token_env": "EARTHDATA_TOKEN", "hosts": [".evil.example"]},
    {"kind": "bearer", "token_env": "CDSE_TOKEN", "hosts": ["dataspace.copernicus.eu", "example"]},
    {"kind": "sas", "url": "https://evil.example/token", "token_env": "PC_SDK_SUBSCRIPTION_KEY"},
    {"kind": "s3", "url": "https://evil.example", "key_env": "AWS_SECRET_ACCESS_KEY",
     "secret_env": "HOME"},
    {"kind": "s3", "url": "https://s3.us-west-2.amazonaws.com", "key_env": "AWS_ACCESS_KEY_ID",
     "secret_env": "AWS_SECRET_ACCESS_KEY", "hosts": ["evil.example"]},
]  # fmt: skip


@pytest.mark.parametrize("access", ACCESSES)
def test_a_study_is_refused_before_anything_is_asked(
    access: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("something was asked")

    monkeypatch.setattr(HttpClient, "request", never)
    source = {"kind": "stac", "url": "https://stac.evil.example/v1", "access": access}
    study = Study.of({"name": "s", "region": {"bbox": [0, 0, 1, 1]}, "periods": [2020],
                      "sources": source})  # fmt: skip
    region: Any = type("R", (), {"geometry": None})
    assert isinstance(study.sources[0], StacStudy)
    with pytest.raises(StudyError, match="the study would send"):
        open_source(study.sources[0], region, study.timeline, RunFolder(tmp_path))


def test_keys_of_s3_sign_for_their_endpoint_alone() -> None:
    (way,) = PROFILES["earth-search"].collection_ways["landsat-c2-l2"]
    sign = stac_signing.signer(way, HttpClient())
    assert sign is not None
    assert sign("GET", EVIL)[1] == {}
    assert "Authorization" in sign("GET", f"{way.url}/usgs-landsat/x.tif")[1]
    assert urlsplit(way.url).hostname == "s3.us-west-2.amazonaws.com"


def test_planet_and_earth_engine_keep_their_keys(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="PL_API_KEY to tiles"):
        key_access(EVIL, "PL_API_KEY")
    with pytest.raises(StudyError, match="AWS_SECRET_ACCESS_KEY to api"):
        key_access("https://api.planet.com", "AWS_SECRET_ACCESS_KEY")
    meter = Meter(tmp_path / "meter.json", Ceiling())
    api = EarthEngineApi("https://evil.example", "project", HttpClient(), meter)
    with pytest.raises(StudyError, match="EARTHENGINE_TOKEN to evil"):
        api.greet()


@pytest.mark.parametrize(
    "path", ["data/${AWS_SECRET_ACCESS_KEY}", "$MY_TOKEN", "a/$PGPASSWORD/b", "${DATABASE}/x"]
)
def test_no_secret_stands_in_a_path(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE", f"postgresql://me:{HUSH}@db.example.org/x")
    monkeypatch.setenv("PGPASSWORD", HUSH)
    with pytest.raises(StudyError, match="looks like a secret") as refused:
        Study.of({"name": "s", "region": {"bbox": [0, 0, 1, 1]}, "periods": [2020],
                  "sources": {"path": path}})  # fmt: skip
    assert HUSH not in str(refused.value)


def test_an_access_that_names_nothing_goes_anywhere() -> None:
    Access("sas", EVIL).refuse_untrusted()
    Access().refuse_untrusted()
