"""Every walk works in one process."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _one_core(one_core: None) -> None:
    """As the fixture says."""
