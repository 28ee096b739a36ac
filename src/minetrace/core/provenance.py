"""What a result was made of, said so that two makings can be compared."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def fingerprint(thing: Any) -> str:
    """A hash of anything that JSON can hold; key order does not matter.

    Returns:
        The first 32 hexadecimal digits of the SHA-256 of its canonical JSON.
    """
    text = json.dumps(thing, sort_keys=True, separators=(",", ":"), default=str, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
