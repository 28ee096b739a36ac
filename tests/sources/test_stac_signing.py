"""Tokens that end, AWS signatures, and secrets that must not be anywhere."""

from __future__ import annotations

import json
import time
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
import rasterio
from stac_scenes import GRID, shot, source

from minetrace.core.grid import Rect
from minetrace.errors import ReadFailedError, StudyError
from minetrace.sources import stac_signing
from minetrace.sources.stac_profiles import COPERNICUS, PROFILES, profile
from minetrace.sources.stac_signing import Access, address, chosen
from minetrace.store.http import HttpClient, holds_secret
from minetrace.testing.stac_catalog import write_catalog
from minetrace.testing.stac_server import Fault, StacServer

RECT = Rect(-859_000, 35_000, 160, 160)
DAY = date(2019, 7, 4)
KEYS = {"TEST_KEY": "AKIDEXAMPLE", "TEST_SECRET": "hush+hush/hush"}


def all_that_is_written(folder: Path) -> bytes:
    return b"".join(p.read_bytes() for p in folder.rglob("*") if p.is_file() and "whole" not in
                    p.name and not p.name[0].isdigit())  # fmt: skip


def test_tokens_are_renewed_before_they_end_and_never_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    folder = write_catalog(tmp_path / "catalog", [shot("S2A_19LCH_20190704_0_L2A", DAY)],
                           style="planetary-computer", tree="signed", block_px=128)  # fmt: skip
    with StacServer(folder, token_s=1.0) as served:
        access = Access("sas", f"{served.url}/sas/token", hosts=("127.0.0.1",))
        here = source(served, tmp_path / "run", collection="sentinel-2-l2a", access=access,
                      host="planetary-computer")  # fmt: skip
        scene = here.scenes()[0]
        for column in range(4):  # four reads of new blocks, over more than a token's life
            rect = Rect(-859_000, 35_000 + 40 * column, 160, 40)
            assert here.read(scene, ("red", "swir16"), GRID, rect).valid.any()
            time.sleep(0.45)
        tokens = len(served.tokens)
        assert tokens >= 2, "a token was renewed"
        served.faults = [Fault("status", "/signed/", times=99, status=500)]
        with pytest.raises(ReadFailedError) as failure:
            source(served, tmp_path / "other", collection="sentinel-2-l2a", access=access,
                   host="planetary-computer").read(scene, ("red",), GRID, RECT)  # fmt: skip
        texts = (str(failure.value), json.dumps(here.signature(scene)), caplog.text,
                 repr(here.options))  # fmt: skip
        assert not any("sig=" in text for text in texts)
        assert b"sig=" not in all_that_is_written(tmp_path / "run")


def test_s3_requests_are_signed_as_gdal_signs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    folder = write_catalog(tmp_path / "catalog", [shot("S2A_19LCH_20190704_0_L2A", DAY)],
                           tree="s3", root="s3:/", block_px=128)  # fmt: skip
    with StacServer(folder) as served:
        access = Access("s3", served.url, key_env="TEST_KEY", secret_env="TEST_SECRET",
                        region="default")  # fmt: skip
        here = source(served, tmp_path / "run", access=access)
        look = here.read(here.scenes()[0], ("red",), GRID, RECT)
        assert look.valid.any()
        assert b"hush" not in all_that_is_written(tmp_path / "run")
        assert "hush" not in repr(access)
        served.authorizations.clear()
        options = {
            "AWS_ACCESS_KEY_ID": KEYS["TEST_KEY"], "AWS_SECRET_ACCESS_KEY": KEYS["TEST_SECRET"],
            "AWS_HTTPS": "NO", "AWS_VIRTUAL_HOSTING": "FALSE", "AWS_DEFAULT_REGION": "default",
            "AWS_S3_ENDPOINT": served.url.removeprefix("http://"),
            "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
        }  # fmt: skip
        for name, value in options.items():
            monkeypatch.setenv(name, value)
        with rasterio.open("/vsis3/s3/S2A_19LCH_20190704_0_L2A/red.tif") as file:
            assert np.array_equal(file.shape, (160, 160))
        path, theirs = served.authorizations[-1]
        moment = datetime.strptime(theirs["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        ours = stac_signing._aws(access, "GET", served.url + path, moment)
        assert (
            ours["Authorization"].split("Signature=")[1]
            == (theirs["Authorization"].split("Signature=")[1])
        )


def test_missing_keys_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CDSE_S3_ACCESS_KEY", "CDSE_S3_SECRET_KEY", "CDSE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(StudyError, match="ACCESS_KEY and CDSE_S3_SECRET_KEY, or CDSE_TOKEN"):
        chosen(COPERNICUS.ways, COPERNICUS.name)
    monkeypatch.setenv("CDSE_TOKEN", "x")
    assert chosen(COPERNICUS.ways, COPERNICUS.name).kind == "bearer"
    with pytest.raises(StudyError, match="wants S3 keys"):
        address("s3://eodata/a/b.jp2", Access())


def test_profiles_are_known_by_name() -> None:
    assert set(PROFILES) == {"earth-search", "planetary-computer", "copernicus", "earthdata"}
    for known in PROFILES.values():
        assert known.url.startswith("https://")
        assert known.collection in known.collections
        assert known.needs
    with pytest.raises(StudyError, match="did you mean earth-search"):
        profile("earthsearch")


def test_a_token_goes_to_its_own_hosts_alone_and_in_private(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TEST_TOKEN", "hush")
    monkeypatch.setenv("MINETRACE_TRUST", "TEST_TOKEN@example.org")
    access = Access("bearer", hosts=(".example.org",), token_env="TEST_TOKEN")
    sign = stac_signing.signer(access, HttpClient())
    assert sign is not None
    for url, sent in (
        ("https://example.org/a", True), ("https://data.example.org/a", True),
        ("https://badexample.org/a", False), ("https://example.org.bad.net/a", False),
        ("http://data.example.org/a", False),
    ):  # fmt: skip
        assert ("Authorization" in sign("GET", url)[1]) == sent, url


@pytest.mark.parametrize(
    ("url", "secret"),
    [("https://a.org/x.tif?sv=2021&sig=ab", True), ("https://u:p@a.org/x.tif", True),
     ("https://a.org/x.tif?X-Goog-Signature=1", True), ("https://a.org/x?dataset=b", False)],
)  # fmt: skip
def test_addresses_with_a_secret_are_known(url: str, secret: bool) -> None:
    assert holds_secret(url) == secret
