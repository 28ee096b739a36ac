"""Decoding 29 real yearly maps: clouds are not mines, a map filed twice is one look."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from minetrace.core.scores import NOT_LOOKED
from minetrace.temporal.decode import decode

SCRIPT = Path(__file__).resolve().parents[2] / "studies" / "madre-de-dios" / "first_years.py"


@pytest.fixture(scope="module")
def study() -> ModuleType:
    spec = importlib.util.spec_from_file_location("first_years", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_cloudy_years_are_not_taken_for_mining(
    study: ModuleType, shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    periods, scores, _ = study.read(shared_data / "madre-de-dios")
    looks = study.without_repeats(scores, periods)
    assert "2012 repeats 2011" in capsys.readouterr().out
    assert (looks[22] == NOT_LOOKED).all()
    found = decode(looks, periods, course=study.COURSE, evidence=study.EVIDENCE)
    single, decoded = study.first_seen(looks), study.first_decoded(found)
    ha = {int(p.label): ((single == k).sum() * 0.09, (decoded == k).sum() * 0.09)
          for k, p in enumerate(periods)}  # fmt: skip
    assert ha[1992][0] > 5_000
    assert ha[1992][1] < 10
    assert ha[1995][1] < 20
    assert ha[2013][1] < 0.2 * ha[2013][0]
    clear = [year for year in range(1996, 2012) if year not in study.CLOUDY and year != 2001]
    told = np.array([ha[year] for year in clear])
    assert np.corrcoef(told.T)[0, 1] > 0.9  # where maps are clear both say the same
    assert (decoded >= 0).mean() < 0.1
