"""Notebooks hold what they showed when they were last run; test_commands runs their cells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_commands import NOTEBOOKS


def cells(path: Path) -> list[dict[str, Any]]:
    return [c for c in json.loads(path.read_text("utf-8"))["cells"] if c["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_holds_what_it_showed(path: Path) -> None:
    assert path.stat().st_size < 600_000
    counts = [cell["execution_count"] for cell in cells(path)]
    assert counts == list(range(1, len(counts) + 1)), "run it again, from the first cell on"
    outputs = [out for cell in cells(path) for out in cell["outputs"]]
    assert not [out for out in outputs if out["output_type"] == "error"]
    assert sum("image/png" in out.get("data", {}) for out in outputs) >= 2
    told = json.dumps([{**out, "data": {k: v for k, v in out.get("data", {}).items()
                                        if k != "image/png"}} for out in outputs])  # fmt: skip
    assert "/tmp" not in told, "no place of somebody's machine"
    assert "/home" not in told
