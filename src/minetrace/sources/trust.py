"""Which secret may go to which host: a study may be a stranger's, the environment is the user's.

A study names variables and addresses, so that somebody else's could have a key of ours sent to a
host of theirs. The variables of known providers go to those providers' hosts, and any variable to
this machine. Every other pair needs a word of the user outside the study, in ``MINETRACE_TRUST``.
"""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from minetrace.errors import StudyError
from minetrace.store.http import redacted

CONSENT = "MINETRACE_TRUST"
LOOPBACK = ("127.0.0.1", "::1", "localhost")
_S3 = r"(.+\.)?s3[.-][a-z0-9-]+\.amazonaws\.com"
_COPERNICUS, _GOOGLE = (
    r"(.+\.)?dataspace\.copernicus\.eu",
    r"(earthengine|storage)\.googleapis\.com",
)
KNOWN = {
    "AWS_ACCESS_KEY_ID": _S3, "AWS_SECRET_ACCESS_KEY": _S3,
    "CDSE_S3_ACCESS_KEY": _COPERNICUS, "CDSE_S3_SECRET_KEY": _COPERNICUS,
    "CDSE_TOKEN": _COPERNICUS,
    "EARTHDATA_TOKEN": r"(.+\.)?earthdatacloud\.nasa\.gov",
    "EARTHENGINE_TOKEN": r"(earthengine|storage)\.googleapis\.com",
    "PC_SDK_SUBSCRIPTION_KEY": r"planetarycomputer\.microsoft\.com",
    "PL_API_KEY": r"(.+\.)?planet\.com",
}  # fmt: skip
"""By variable: what matches the hosts of its provider."""

_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASS|PWD|CREDENTIAL|(^|_)AUTH(_|$)|COOKIE", re.IGNORECASE)


def secret(name: str, url: str) -> str:
    """The value of a variable, for a request to an address; empty if it is not set.

    Raises:
        StudyError: the variable may not go to that host.
    """
    refuse_untrusted(name, url)
    return os.environ.get(name, "")


def refuse_untrusted(name: str, url: str) -> None:
    """Check that a variable may go to the host of an address.

    Raises:
        StudyError: it may not; says how to allow it.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if not name or host in LOOPBACK:
        return
    if parts.scheme != "https":
        raise StudyError(
            f"{redacted(url)}: the study would send {name} there in the clear; give an address "
            "that begins with https://"
        )
    plain = re.fullmatch(r"[a-z0-9.-]+", host)  # what readers of addresses do not differ about
    if plain and (re.fullmatch(KNOWN.get(name, "(?!)"), host) or _consented(name, host)):
        return
    raise StudyError(
        f"the study would send the environment variable {name} to {host}, which is not known to "
        f"be its provider; if you trust both the study and the host, export "
        f"{CONSENT}={name}@{host}"
    )


def _consented(name: str, host: str) -> bool:
    """True if the user named this pair, or one of the host's parents with it."""
    pairs = [word.partition("@") for word in os.environ.get(CONSENT, "").split()]
    return any(
        name == variable and bool(end) and (host == end or host.endswith(f".{end}"))
        for variable, _, end in ((v, at, e.lower().removeprefix(".")) for v, at, e in pairs)
    )


def refuse_secret_in_path(name: str) -> None:
    """Check that a variable may stand in a path: paths are written into the run folder, and shown.

    Raises:
        StudyError: its name says that it is a secret, or its value is an address.
    """
    if _SECRET.search(name) or "://" in os.environ.get(name, ""):
        raise StudyError(
            f"the environment variable {name} looks like a secret or an address, and a path is "
            "written down; put the path itself there, or name it by another variable"
        )
