"""Model files: opened, checked, carried to other processes, and equal wherever a window falls."""

from __future__ import annotations

import json
import pickle
import zipfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from minetrace.core.grid import Grid, Rect
from minetrace.core.raster import Raster
from minetrace.core.scores import NOT_LOOKED
from minetrace.errors import MissingFileError, ModelError
from minetrace.predict.onnx import OnnxScorer, write_model
from minetrace.predict.scan import ScanOptions, scan
from minetrace.testing.models import write_exact_net, write_patch_net, write_unet

GRID = Grid("EPSG:32721", 10.0)
SIX = ("blue", "green", "red", "nir", "swir16", "swir22")
WHOLE = Rect(-100, 200, 230, 260)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_patch_net(folder / "dense", call_px=112)
    write_patch_net(folder / "denser", call_px=184)
    write_exact_net(folder / "exact", stride=8)
    write_unet(folder / "unet", window=64, stride=48)
    return folder


def read(rect: Rect) -> Raster:
    """Waves everywhere, with grain; a disk is not valid."""
    row = np.arange(rect.row, rect.row_stop)[:, None]
    col = np.arange(rect.col, rect.col_stop)[None, :]
    bands = [
        1500 + 900 * np.sin(row / (9 + b)) * np.cos(col / (14 - b)) + (row * 31 + col * 17) % 97
        for b in range(6)
    ]
    valid = (row + 10) ** 2 + (col - 330) ** 2 > 40**2
    return Raster(SIX, np.stack(bands).astype(np.int16), valid, GRID.geobox(rect))


def mosaic(scorer: OnnxScorer, tiles: list[Rect], options: ScanOptions) -> np.ndarray:
    s = scorer.card.cell_px
    around = WHOLE.cells(s)
    out = np.zeros((2 if s > 1 else 1, *around.shape), np.uint16)
    for tile, scores in scan(read, scorer, GRID, tiles, options=options):
        out[:, *tile.cells(s).within(around)] = scores.values
    return out


@pytest.mark.parametrize("name", ["dense", "exact", "unet"])
def test_every_cut_and_batch_gives_the_same_bits(models: Path, name: str) -> None:
    scorer = OnnxScorer.open(models / name)
    whole = mosaic(scorer, [WHOLE], ScanOptions())
    assert 0.3 < (whole[0] != NOT_LOOKED).mean() < 1
    assert np.ptp(whole[whole != NOT_LOOKED]) > 1000
    for size in (64, 100, 128):
        tiles = [t & WHOLE for t in WHOLE.blocks(size)]
        assert (mosaic(scorer, tiles[::-1], ScanOptions()) == whole).all()
    left = [t & WHOLE for t in Rect(WHOLE.row, WHOLE.col, WHOLE.height, 90).blocks(64)]
    right = [t for t in (t & WHOLE for t in WHOLE.blocks(64)) if t not in left]
    parts = mosaic(scorer, left, ScanOptions(batch=3)), mosaic(scorer, right, ScanOptions(batch=3))
    once = mosaic(scorer, [WHOLE], ScanOptions(batch=3))
    assert (np.maximum(*parts) == once).all()


@pytest.mark.parametrize("name", ["dense", "exact", "unet"])
def test_a_place_in_the_batch_does_not_matter(models: Path, name: str) -> None:
    scorer = OnnxScorer.open(models / name)
    card = scorer.card
    shape = (7, len(card.bands), card.call_px, card.call_px)
    image = np.random.default_rng(3).random(shape, dtype=np.float32)
    straight = scorer(image)
    for shift in range(1, 7):
        assert (np.roll(scorer(np.roll(image, shift, axis=0)), -shift, axis=0) == straight).all()


def test_dense_and_exact_patches_give_the_same_numbers(models: Path) -> None:
    dense, denser, exact = (
        mosaic(OnnxScorer.open(models / name), [WHOLE], ScanOptions()).astype(int)
        for name in ("dense", "denser", "exact")
    )
    assert ((dense == NOT_LOOKED) == (exact == NOT_LOOKED)).all()
    assert abs(dense - exact).max() <= 1
    assert abs(dense - denser).max() <= 1


def test_a_scorer_travels_by_its_path(models: Path) -> None:
    scorer = OnnxScorer.open(models / "dense")
    assert len(pickle.dumps(scorer)) < 20_000
    image = np.full((1, 3, 112, 112), 0.4, np.float32)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert (pool.submit(scorer, image).result() == scorer(image)).all()


def test_a_zip_is_as_good_as_a_folder(models: Path, tmp_path: Path) -> None:
    for inner in ("", "dense/"):
        path = tmp_path / f"model{len(inner)}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name in ("model.onnx", "model.json"):
                archive.write(models / "dense" / name, inner + name)
        scorer = OnnxScorer.open(path)
        assert scorer.card == OnnxScorer.open(models / "dense").card
        assert pickle.loads(pickle.dumps(scorer))(np.zeros((1, 3, 112, 112), np.float32)).size == 81


def test_what_ran_is_said(models: Path) -> None:
    said = OnnxScorer.open(models / "unet").describe()
    assert said["runtime"] == "onnxruntime"
    assert said["version"].count(".") == 2
    assert said["threads"] == 1
    assert len(said["sha256"]) == 64


def test_missing_files(models: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"nowhere.*no such model"):
        OnnxScorer.open(tmp_path / "nowhere")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "model.onnx").write_bytes(b"x")
    with pytest.raises(MissingFileError, match=r"model\.json"):
        OnnxScorer.open(tmp_path / "half")
    (tmp_path / "text.zip").write_text("hello")
    with pytest.raises(ModelError, match="neither a folder nor a zip"):
        OnnxScorer.open(tmp_path / "text.zip")


def test_a_zip_that_cannot_be_unpacked(models: Path, tmp_path: Path) -> None:
    path = tmp_path / "dense.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("model.onnx", "model.json"):
            archive.write(models / "dense" / name, name)
    whole = path.read_bytes()
    damaged, encrypted = bytearray(whole), bytearray(whole)
    damaged[len(whole) // 3] ^= 255
    encrypted[6] |= 1
    encrypted[whole.find(b"PK\x01\x02") + 8] |= 1  # the same flag in the list at the end
    for content in (damaged, encrypted):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"model\.onnx cannot be unpacked"):
            OnnxScorer.open(path)


def test_a_tampered_model_is_refused(models: Path, tmp_path: Path) -> None:
    card = write_patch_net(tmp_path / "m", call_px=112)
    scorer = pickle.loads(pickle.dumps(OnnxScorer.open(tmp_path / "m")))
    onnx = tmp_path / "m" / "model.onnx"
    good = onnx.read_bytes()
    onnx.write_bytes(good[:-1] + b"\0")
    with pytest.raises(ModelError, match="sha256"):
        OnnxScorer.open(tmp_path / "m")
    with pytest.raises(ModelError, match="not the file"):
        scorer(np.zeros((1, 3, 112, 112), np.float32))
    write_patch_net(tmp_path / "m", call_px=112, seed=9)
    with pytest.raises(ModelError, match="exchanged"):
        scorer(np.zeros((1, 3, 112, 112), np.float32))
    write_model(tmp_path / "m", b"not onnx at all", card)
    with pytest.raises(ModelError, match="cannot be loaded"):
        OnnxScorer.open(tmp_path / "m")


def test_a_card_that_is_no_card(models: Path, tmp_path: Path) -> None:
    write_patch_net(tmp_path / "m", call_px=112)
    for text in ("{", "[]", json.dumps({"properties": {}})):
        (tmp_path / "m" / "model.json").write_text(text)
        with pytest.raises(ModelError, match=r"model\.json"):
            OnnxScorer.open(tmp_path / "m")


def test_a_model_that_does_not_do_what_its_card_says(models: Path, tmp_path: Path) -> None:
    onnx = (models / "dense" / "model.onnx").read_bytes()
    card = OnnxScorer.open(models / "dense").card
    wrong = {
        "bands": (replace(card, bands=SIX, fill=()), r"for the bands blue, green"),
        "call": (replace(card, call_px=120, stride=12), "promises"),
        "output": (replace(card, output="pixels", extent="mined", call_px=48), "promises"),
    }
    for name, (said, message) in wrong.items():
        write_model(tmp_path / name, onnx, said)
        with pytest.raises(ModelError, match=message):
            OnnxScorer.open(tmp_path / name)


def test_writing_again_replaces_the_whole_model(tmp_path: Path) -> None:
    write_patch_net(tmp_path / "m", call_px=112)
    (tmp_path / "m" / "old.txt").write_text("old")
    card = write_unet(tmp_path / "m", window=64, stride=48)
    assert OnnxScorer.open(tmp_path / "m").card == card
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["m", "model.json", "model.onnx"]
