"""Showing a server that we may read: tokens that end, AWS signatures, bearer tokens.

What is secret comes from the environment or from the token service, is held in this process's
memory alone, and goes into a request at the last moment. An ``Access`` names where secrets are,
never what they are, so it may be pickled, hashed and written down.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import threading
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

from minetrace.errors import NoPermissionError, ReadFailedError, StudyError
from minetrace.sources.trust import LOOPBACK, refuse_untrusted, secret
from minetrace.store.http import HttpClient, Signer, redacted

MARGIN = timedelta(minutes=5)  # a token is renewed when it has less than this, or a fifth, left
_EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class Access:
    """How a catalog's files are opened.

    Attributes:
        kind: ``open``, ``sas`` (tokens from a service, added to the address), ``s3`` (AWS
            signature version 4), ``bearer`` (a token in a header), ``basic`` (a key as the user of
            basic authentication).
        url: of the token service, for ``sas``; of the S3 endpoint, for ``s3``.
        hosts: endings of the hosts that it is for; empty for all, of ``s3`` for the endpoint's.
        key_env, secret_env: environment variables of the S3 keys.
        token_env: environment variable of the bearer token, or of the ``sas`` subscription key.
        region: of the S3 endpoint.
        requester_pays: True if the bucket bills who reads it.
    """

    kind: Literal["open", "sas", "s3", "bearer", "basic"] = "open"
    url: str = ""
    hosts: tuple[str, ...] = ()
    key_env: str = ""
    secret_env: str = ""
    token_env: str = ""
    region: str = "us-east-1"
    requester_pays: bool = False

    @property
    def needs(self) -> tuple[str, ...]:
        """Environment variables without which it does not work."""
        wanted = {"s3": (self.key_env, self.secret_env), "bearer": (self.token_env,),
                  "basic": (self.token_env,)}  # fmt: skip
        return wanted.get(self.kind, ())

    @property
    def missing(self) -> tuple[str, ...]:
        """Those of them that are not set."""
        return tuple(name for name in self.needs if not os.environ.get(name))

    def refuse_untrusted(self) -> None:
        """Check that what it names may go where it says, before anything is asked.

        Raises:
            StudyError: it may not.
        """
        to = [self.url] if self.kind in ("sas", "s3") else []
        if self.kind != "sas":  # its key goes to the service alone
            to += [f"https://{end.removeprefix('.')}" for end in self.hosts]
        for name in (self.token_env, self.key_env, self.secret_env):
            for url in to:
                refuse_untrusted(name, url)

    def covers(self, url: str) -> bool:
        """True if an address is one of those that it is for."""
        host = urlsplit(url).hostname or ""
        own = (urlsplit(self.url).hostname or "",) if self.kind == "s3" else ()
        ends = [end.removeprefix(".") for end in self.hosts or own]
        return not ends or any(host == end or host.endswith(f".{end}") for end in ends)


OPEN = Access()


def address(href: str, access: Access) -> str:
    """The https address of an asset; ``s3://bucket/key`` becomes one of the endpoint.

    Raises:
        StudyError: it is in a bucket, and no endpoint or keys are known.
    """
    if not href.startswith("s3://"):
        return href
    if access.kind != "s3":
        raise StudyError(
            f"{redacted(href)}: lies in a bucket that wants S3 keys; set sources.access: {{kind: "
            "s3, url: ENDPOINT, key_env: NAME, secret_env: NAME}, or take another catalog"
        )
    return f"{access.url.rstrip('/')}/{quote(href.removeprefix('s3://'))}"


def chosen(ways: tuple[Access, ...], profile: str) -> Access:
    """The first way whose secrets are in the environment.

    Raises:
        StudyError: none is; names the variables.
    """
    for access in ways:
        if not access.missing:
            return access
    wanted = ", or ".join(" and ".join(access.needs) for access in ways)
    raise StudyError(
        f"{profile} needs an account: set the environment variables {wanted}; "
        "docs/how-to/imagery-from-stac.md says where to get them"
    )


def signer(access: Access, client: HttpClient) -> Signer | None:
    """What makes the address and headers of each request; None if nothing is needed."""
    if access.kind == "sas":
        return lambda _method, url: (_with_token(access, client, url), {})
    if access.kind == "s3":
        return lambda method, url: (url, _aws(access, method, url, datetime.now(UTC)))
    if access.kind in ("bearer", "basic"):
        return lambda _method, url: (url, _in_header(access, url))
    return None


def _in_header(access: Access, url: str) -> Mapping[str, str]:
    """A token or a key, for an address that it is for and that nobody listens in on."""
    parts = urlsplit(url)
    private = parts.scheme == "https" or parts.hostname in LOOPBACK
    if not (private and access.covers(url)):
        return {}
    told = secret(access.token_env, url)
    if access.kind == "basic":
        return {"Authorization": "Basic " + b64encode(f"{told}:".encode()).decode()}
    return {"Authorization": f"Bearer {told}"}


@dataclass(frozen=True)
class _Token:
    query: str
    made: datetime
    ends: datetime

    def lasts(self, now: datetime) -> bool:
        """True if it will do for a request that begins now."""
        return now < self.ends - min(MARGIN, (self.ends - self.made) / 5)


_tokens: dict[str, _Token] = {}
_lock = threading.Lock()


def _with_token(access: Access, client: HttpClient, url: str) -> str:
    if not access.covers(url):
        return url
    parts = urlsplit(url)
    account = (parts.hostname or "").split(".")[0]
    container = parts.path.strip("/").split("/")[0]
    service = f"{access.url.rstrip('/')}/{account}/{container}"
    with _lock:
        token = _tokens.get(service)
        if token is None or not token.lasts(datetime.now(UTC)):
            token = _tokens[service] = _fetch(access, client, service)
    return f"{url}{'&' if parts.query else '?'}{token.query}"


def _fetch(access: Access, client: HttpClient, service: str) -> _Token:
    key = secret(access.token_env, service) if access.token_env else ""
    headers = {"Ocp-Apim-Subscription-Key": key} if key else {}
    reply = client.request("GET", service, headers=headers)
    if reply.status in (401, 403):
        raise NoPermissionError(f"{redacted(service)}: gives us no token (HTTP {reply.status})")
    try:
        told = json.loads(reply.body)
        ends = datetime.fromisoformat(told["msft:expiry"])
        return _Token(str(told["token"]), datetime.now(UTC), ends)
    except (ValueError, KeyError, TypeError) as error:
        raise ReadFailedError(
            f"{redacted(service)}: did not answer with a token (HTTP {reply.status}); "
            "run the same command again"
        ) from error


def _aws(access: Access, method: str, url: str, now: datetime) -> dict[str, str]:
    """Headers of an S3 request. Source: AWS Signature Version 4 for S3, single chunk."""
    if not access.covers(url):
        return {}
    parts = urlsplit(url)
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    headers = {"host": parts.netloc, "x-amz-content-sha256": _EMPTY_SHA256, "x-amz-date": stamp}
    if access.requester_pays:
        headers["x-amz-request-payer"] = "requester"
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    path = quote(unquote(parts.path), safe="/~-_.")
    asked = "\n".join((method, path, parts.query, lines, names, _EMPTY_SHA256))
    scope = f"{day}/{access.region}/s3/aws4_request"
    digest = hashlib.sha256(asked.encode()).hexdigest()
    key = b"AWS4" + secret(access.secret_env, url).encode()
    for part in (day, access.region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    credential = f"{secret(access.key_env, url)}/{scope}"
    sent = {name: value for name, value in headers.items() if name != "host"}
    sent["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credential},SignedHeaders={names},Signature={signature}"
    )
    return sent
