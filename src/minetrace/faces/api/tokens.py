"""Who may do what: tokens with a role, told by the environment and by nothing else."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from minetrace.errors import StudyError

Role = Literal["read", "compute", "write"]
ROLES: tuple[Role, ...] = get_args(Role)
"""Each may do what those before it may."""

VARIABLE = "MINETRACE_TOKENS"
LEAST_CHARACTERS = 24
NOBODY = ("local", "anybody")  # how those are called who come without a token
_SHAPE = (
    f"{VARIABLE} must read NAME:ROLE:SECRET, several apart by spaces, ROLE one of "
    f"{', '.join(ROLES)}"
)


@dataclass(frozen=True)
class Who:
    """Somebody who asks: a name for the log, and a role."""

    name: str
    role: Role

    def may(self, role: Role) -> bool:
        """True if the role that they have holds the one that is needed."""
        return ROLES.index(self.role) >= ROLES.index(role)


@dataclass(frozen=True)
class Tokens:
    """Known tokens; of each only a hash is kept."""

    _known: Mapping[bytes, Who] = field(default_factory=dict, repr=False)

    @classmethod
    def from_environment(cls) -> Tokens:
        """Those of ``MINETRACE_TOKENS``, such as ``ana:compute:…24 characters or more…``.

        Raises:
            StudyError: it cannot be read; the message never holds a secret.
        """
        known = {}
        for number, entry in enumerate(os.environ.get(VARIABLE, "").split(), start=1):
            name, role, secret = [*entry.split(":", 2), "", ""][:3]
            if name in NOBODY:  # whoever has it could speak in the name of anybody
                raise StudyError(f"{VARIABLE}: entry {number}: {name!r} is no name; give another")
            if not name or role not in ROLES:
                raise StudyError(f"{VARIABLE}: entry {number} is none; {_SHAPE}")
            if len(secret) < LEAST_CHARACTERS:
                raise StudyError(
                    f"{VARIABLE}: the secret of {name!r} is shorter than {LEAST_CHARACTERS} "
                    "characters; make one with: python -c 'import secrets; "
                    "print(secrets.token_urlsafe(32))'"
                )
            known[_hash(secret)] = Who(name, role)
        return cls(known)

    def __bool__(self) -> bool:
        return bool(self._known)

    def who(self, secret: str) -> Who | None:
        """Whose secret this is; takes as long whether or not it is anybody's."""
        asked, found = _hash(secret), None
        for known, who in self._known.items():
            if hmac.compare_digest(known, asked):
                found = who
        return found


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
