"""A run whose cluster is taken apart ends as a calm one does; `benchmarks/chaos.py`, small."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def test_killed_workers_failing_reads_broken_files_and_a_lost_scheduler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed", reason="pip install 'minetrace[dask]'")
    monkeypatch.syspath_prepend(BENCHMARKS)
    told = import_module("chaos").chaos(
        tmp_path, engine="dask", size=256, tile=128, years=[2020, 2021], kill_every=5,
        scheduler_at=4, failing=0.1, truncated=0.02,
    )  # fmt: skip
    assert told["schedulers killed"] == 1
    assert told["workers killed"] >= 1
    assert told["tiles failed by name, calm"] > 0
