"""SAM 2 inside detections: told of the detection alone, once a site, whatever the cut."""

from __future__ import annotations

import json
import pickle
import runpy
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is absent: install minetrace[train]")

import torch

from minetrace.core.grid import Grid, Rect
from minetrace.core.model import ModelCard
from minetrace.core.raster import Raster
from minetrace.core.scores import NOT_LOOKED, Scores
from minetrace.errors import MissingExtraError, MissingFileError, ModelError
from minetrace.flow.data_sets import open_set
from minetrace.flow.sites import sites
from minetrace.flow.study import Study
from minetrace.flow.study_chips import SetStudy
from minetrace.flow.tune_sam2 import lessons_of, tune_sam2
from minetrace.models.sam2 import Sam2, load
from minetrace.models.sam2_tuning import Tuning
from minetrace.predict.sites import Site, SiteDelineator, delineate_sites
from minetrace.predict.spectral import Spectral
from minetrace.testing.chips import write_square_chips

GRID, CELL, THRESHOLD = Grid("EPSG:32721", 10.0), 8, 0.7
CELLS = Rect(-20, 10, 40, 36)
BANDS = ("blue", "green", "red", "nir")


@pytest.fixture(scope="module")
def folder(vision: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random SAM 2 of 64 px, as ``save_pretrained`` writes it."""
    pytest.importorskip("transformers", reason="install minetrace[foundation]")
    path = tmp_path_factory.mktemp("sam2") / "sam2-small"
    make = Path(__file__).resolve().parents[2] / "studies" / "small-mines" / "make_sam2.py"
    with warnings.catch_warnings():
        runpy.run_path(str(make))["main"](str(path))
    return path


def read(rect: Rect) -> Raster:
    """Ground with waves in it, one row in thirteen not seen."""
    row, col = np.mgrid[rect.row : rect.row_stop, rect.col : rect.col_stop]
    wave = 1000 + 800 * np.sin(row / 9) * np.cos(col / 7)
    pixels = np.stack([wave * k for k in (0.5, 0.8, 1.0, 1.6)]).astype(np.int16)
    return Raster(BANDS, pixels, row % 13 != 0, GRID.geobox(rect))


@pytest.fixture(scope="module")
def scores() -> Scores:
    """Two sites that touch nothing, one over the middle, and a hole that nobody looked at."""
    values = np.full(CELLS.shape, 1000, np.uint16)
    values[3:7, 4:9] = 8000
    values[5, 6] = 9500
    values[15:30, 12:20] = 7500
    values[2, 30] = NOT_LOOKED
    return Scores(("mean", "max"), np.stack([values] * 2), GRID.coarsened(CELL).geobox(CELLS))


def found(scores: Scores, cut: int, **how: int) -> tuple[Site, ...]:
    """The sites, of cells stored in tiles of a side."""

    def cells(rect: Rect) -> Any:
        whole = np.full(rect.shape, NOT_LOOKED, np.uint16)
        part = rect & CELLS
        whole[part.within(rect)] = scores.band("max")[part.within(CELLS)]
        return whole

    tiles = [block & CELLS for block in CELLS.blocks(cut)]
    return sites(tiles, cells, GRID.coarsened(CELL), CELL, threshold=THRESHOLD, **how)


def test_sites_do_not_depend_on_tiles(scores: Scores) -> None:
    one, other = found(scores, 64), found(scores, 7)
    assert len(one) == len(other) == 2
    for a, b in zip(one, other, strict=True):
        assert (a.cells, a.surest) == (b.cells, b.surest)
        assert (a.inside == b.inside).all()
    assert one[0].cells == Rect(-17, 14, 4, 5)
    assert one[0].surest == (-15, 16)
    assert one[0].point == (-15 * 8 + 4, 16 * 8 + 4)


def test_a_large_site_is_asked_about_in_parts(folder: Path, scores: Scores) -> None:
    """Parts hold each cell of the site once, whatever the tiles; frames have a ceiling."""
    small, large = found(scores, 64)
    parts = found(scores, 64, most_px=64)
    assert [p.cells for p in found(scores, 7, most_px=64)] == [p.cells for p in parts]
    assert parts[0].cells == small.cells
    assert all(max(part.box.shape) <= 64 for part in parts)
    count = np.zeros(CELLS.shape, int)
    for part in parts:
        count[part.cells.within(CELLS)] += part.inside
        row, col = part.surest
        assert part.inside[row - part.cells.row, col - part.cells.col]
    whole = np.zeros(CELLS.shape, int)
    for site in (small, large):
        whole[site.cells.within(CELLS)] += site.inside
    assert (count == whole).all()
    assert Sam2.open(folder).frame(parts[-1]).width == 128
    endless = Site(Rect(0, 0, 5000, 3), np.ones((5000, 3), bool), (0, 0), CELL)
    with pytest.raises(ModelError, match="40000 x 24 pixels wants a picture of 131072"):
        Sam2.open(folder).frame(endless)


def test_the_outline_does_not_depend_on_the_cut(folder: Path, scores: Scores) -> None:
    delineator, whole = Sam2.open(folder), CELLS.scaled(CELL)
    assert isinstance(delineator, SiteDelineator)

    def over(rect: Rect, cut: int) -> Any:
        given = scores, CELLS, read, pickle.loads(pickle.dumps(delineator)), found(scores, cut)
        return delineate_sites(*given, GRID, rect, threshold=THRESHOLD).values[0]

    full = over(whole, 64)
    inside = scores.band("max").repeat(CELL, 0).repeat(CELL, 1)
    detected = (inside != NOT_LOOKED) & (inside >= 7000)
    mined = (full != NOT_LOOKED) & (full > 0)
    assert 0 < mined.sum() < detected.sum()
    assert not (mined & ~detected).any()
    assert ((full == NOT_LOOKED) == ((inside == NOT_LOOKED) | ~read(whole).valid)).all()
    for rect in (Rect(-160, 80, 150, 100), Rect(0, 180, 80, 90), Rect(-31, 181, 1, 5)):
        assert (over(rect, 7) == full[rect.within(whole)]).all()


@pytest.mark.parametrize("prompts", ["box", "point", "both"])
def test_what_it_is_told_is_the_detection(folder: Path, scores: Scores, prompts: Any) -> None:
    site = found(scores, 64)[0]
    delineator = Sam2.open(folder, prompts=prompts)
    frame = delineator.frame(site)
    assert frame == Rect(-184, 68, 128, 128)  # around 40 px of site at least as much again
    asked: list[dict[str, Any]] = []
    theirs = delineator._network()
    delineator._held[0] = lambda **given: asked.append(given) or theirs(**given)
    assert delineator(read(frame), frame, site).shape == (128, 128)
    (given,) = asked
    assert given["pixel_values"].shape == (1, 3, 64, 64)
    if prompts != "point":
        assert given["input_boxes"].tolist() == [[[22.0, 24.0, 42.0, 40.0]]]
    if prompts != "box":
        assert given["input_points"].tolist() == [[[[32.25, 34.25]]]]
    assert ("input_boxes" in given, "input_points" in given) == (
        prompts != "point",
        prompts != "box",
    )


def test_frames_grow_with_the_site(folder: Path) -> None:
    delineator = Sam2.open(folder)
    for cells, side in ((1, 32), (2, 32), (3, 64), (8, 128), (20, 512)):
        site = Site(Rect(5, 7, cells, 1), np.ones((cells, 1), bool), (5, 7), CELL)
        frame = delineator.frame(site)
        assert (frame.height, frame.width) == (side, side)
        assert frame.contains(site.box)
        assert delineator(read(frame), frame, site).shape == (side, side)


def test_what_is_no_sam2_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"config\.json"):
        Sam2.open(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(ModelError, match="not that of a SAM 2"):
        Sam2.open(tmp_path)
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    broken = Sam2.open(tmp_path)
    site = Site(Rect(0, 0, 1, 1), np.ones((1, 1), bool), (0, 0), CELL)
    frame = broken.frame(site)
    with pytest.raises(ModelError, match="cannot be loaded as a SAM 2"):
        broken(read(frame), frame, site)


def test_a_missing_extra_is_said_before_the_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("minetrace.models.libraries.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'minetrace\[foundation\]'"):
        Sam2.open(folder)


def test_a_study_asks_for_it(tmp_path: Path) -> None:
    said = {"name": "x", "region": {"bbox": [0, 0, 1, 1]}, "periods": [2019],
            "sources": [{"path": str(tmp_path)}]}  # fmt: skip
    asked = {"method": "sam2", "model": str(tmp_path), "prompts": "box"}
    study = Study.of({**said, "delineate": asked})
    assert study.delineate is not None
    assert study.delineate.prompts == "box"
    simply = Study.of({**said, "delineate": True}).delineate
    assert simply is not None
    assert simply.method == "spectral"
    assert Study.of({**said, "delineate": False}).delineate is None
    with pytest.raises(ValueError, match="goes with model"):
        Study.of({**said, "delineate": {"method": "sam2"}})


class Bright:
    """A detector of windows: bright ground is a mine."""

    card = ModelCard(
        name="bright", bands=("red",), window=16, stride=8, output="patch", extent="footprint",
        threshold=0.6,
    )  # fmt: skip

    light = 5.0

    def __call__(self, image: Any) -> Any:
        light = image.mean(axis=(1, 2, 3))[:, None, None, None]
        return np.clip(0.5 + (light - 0.15) * self.light, 0, 1).astype(np.float32)


def test_the_decoder_learns_from_detections(folder: Path, tmp_path: Path) -> None:
    chips = write_square_chips(tmp_path / "chips.npz", count=8)
    data = open_set(SetStudy(path=chips, bands=("red", "green", "blue"), resolution_m=10))
    begun, how = Sam2.open(folder), Tuning(steps=12, rate=0.01)
    losses: list[float] = []
    done = tune_sam2(begun, data, Bright(), tmp_path / "tuned", how,
                     on_step=lambda _, loss: losses.append(loss))  # fmt: skip
    assert done.lessons >= 4
    assert done.tested >= 1
    assert np.mean(losses[-4:]) < np.mean(losses[:4])
    one, other = (load(path).state_dict() for path in (folder, tmp_path / "tuned"))
    changed = {key.partition(".")[0] for key in one if not torch.equal(one[key], other[key])}
    assert changed == {"mask_decoder"}
    note = json.loads((tmp_path / "tuned" / "tuning.json").read_text())
    assert note["begun_with"] == begun.card.sha256
    assert done.model.card.sha256 != begun.card.sha256


def test_labels_never_reach_the_question(folder: Path, tmp_path: Path) -> None:
    """Other labels on the same ground: the same detections, frames and prompts."""
    path = write_square_chips(tmp_path / "chips.npz", count=4)
    asked = []
    for turned in (False, True):
        with np.load(path) as held:
            masks = held["masks"][:, ::-1] if turned else held["masks"]
            np.savez(tmp_path / f"{turned}.npz", **{**held, "masks": masks})
        data = open_set(SetStudy(path=tmp_path / f"{turned}.npz", bands=("red", "green", "blue")))
        found = [lesson for chip in data.chips
                 for lesson in lessons_of(data, chip, Bright(), Sam2.open(folder))]  # fmt: skip
        asked.append([(one.frame, one.site.box, one.site.point) for one in found])
    assert asked[0] == asked[1]
    assert asked[0]


def test_only_detections_need_one(folder: Path, tmp_path: Path) -> None:
    chips = write_square_chips(tmp_path / "chips.npz", count=4)
    data = open_set(SetStudy(path=chips, bands=("red", "green", "blue")))
    with pytest.raises(ModelError, match="no patch model"):
        tune_sam2(Sam2.open(folder), data, Spectral.over(BANDS), tmp_path / "out", Tuning())
    never = Bright()
    never.light = 0.0
    with pytest.raises(ModelError, match="detects nothing"):
        tune_sam2(Sam2.open(folder), data, never, tmp_path / "out", Tuning())
