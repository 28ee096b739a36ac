"""Chips with sources and folds, read from disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minetrace.errors import MissingFileError, ModelError
from minetrace.models.chip_set import draw_weights, read_chip_set


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "chips.npz",
        chips=rng.integers(0, 255, (6, 8, 8, 3), dtype=np.uint8),
        label=np.array([1, 1, 0, 0, 0, 0], np.uint8),
        source=np.array([0, 0, 1, 1, 2, 2], np.uint8),
    )
    (tmp_path / "sources.csv").write_text(
        "index,source,window,label,chips,fold\n0,mines,clear_2024,1,2,1\n1,forest,clear_2024,0,2,0\n"
        "2,forest,cloudy_2024,0,2,0\n"
    )
    return tmp_path


def test_chips_know_their_source_and_fold(folder: Path) -> None:
    chips = read_chip_set(folder)
    assert chips.pixels.shape == (6, 3, 8, 8)
    assert chips.fold.tolist() == [1, 1, 0, 0, 0, 0]
    assert chips.named("forest").tolist() == [False, False, True, True, True, True]
    assert chips.windowed("clear").sum() == 4


def test_what_is_missing_or_torn_is_named(folder: Path) -> None:
    rows = (folder / "sources.csv").read_text().splitlines()
    (folder / "sources.csv").write_text("\n".join(rows[:2]))
    with pytest.raises(ModelError, match="1 rows"):
        read_chip_set(folder)
    (folder / "chips.npz").write_bytes(b"not a zip")
    with pytest.raises(ModelError, match="not a chip set"):
        read_chip_set(folder)
    (folder / "chips.npz").unlink()
    with pytest.raises(MissingFileError, match=r"chips\.npz"):
        read_chip_set(folder)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=50),
    st.floats(0, 1),
)
def test_classes_and_sources_get_their_share(rows: list[tuple[bool, int]], power: float) -> None:
    label = np.array([y for y, _ in rows])
    source = np.array([2 * s + y for y, s in rows])
    if label.all() or not label.any():
        return
    weight = draw_weights(label, source, share_of_ones=0.4, power=power)
    assert weight[label].sum() == pytest.approx(0.4)
    assert weight.sum() == pytest.approx(1)
    sizes = {int(s): int((source == s).sum()) for s in set(source[label])}
    shares = {s: weight[source == s].sum() / size**power for s, size in sizes.items()}
    assert max(shares.values()) == pytest.approx(min(shares.values()))
