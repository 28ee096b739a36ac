"""Clouds found in the pixels: the same wherever a rectangle is cut, and only from what is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from scene_files import ground, write_scene

from minetrace.core.grid import Grid
from minetrace.errors import BandError, RadiometryError
from minetrace.sources import detected
from minetrace.sources.dates import DateOptions
from minetrace.sources.detected import DetectedSource, DetectOptions
from minetrace.sources.detectors import DETECTORS, S2CLOUDLESS, UKIS_CSMASK, Detector
from minetrace.sources.files import FileOptions, FileSource
from minetrace.testing.source_contract import SourceContract

GRID = Grid("EPSG:32719", 10.0)


def files(folder: Path, bands: tuple[str, ...], cloud: float = 9000) -> FileSource:
    pixels = ground(bands=len(bands))
    pixels[:, 20:40, 30:60] = cloud
    write_scene(folder / "scene_20210704.tif", pixels, names=bands)
    return FileSource(FileOptions(folder, date=DateOptions(day=date(2021, 7, 4))))


def bright(pixels, seen, level, threshold):  # type: ignore[no-untyped-def]
    """Brighter than the mean of 7 by 7 pixels around: it depends on what lies around."""
    padded = np.pad(pixels[0], 3, mode="constant")
    around = sum(padded[r : r + seen.shape[0], c : c + seen.shape[1]]
                 for r in range(7) for c in range(7)) / 49  # fmt: skip
    return (pixels[0] > 0.3) & (around > 0.3) & seen


class TestContract(SourceContract):
    """Everything that any source promises, with a detector that looks around."""

    @pytest.fixture(autouse=True)
    def _write(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(DETECTORS, "bright", Detector("bright", ("blue",), ("boa",), 3, bright))
        monkeypatch.setattr(detected, "BLOCK_PX", 32)
        inner = files(tmp_path, ("blue", "green"))
        self.source = DetectedSource(inner, DetectOptions("bright", dilate_m=25.0, level="boa"))

    def make_source(self) -> DetectedSource:
        return self.source

    def make_grid(self) -> Grid:
        return GRID

    def test_what_is_found_is_grown(self) -> None:
        rect = self.rect(self.source)
        grown = self.source.read(self.source.scenes()[0], ("blue",), GRID, rect)
        bare = replace(self.source, options=DetectOptions("bright", level="boa"))
        alone = bare.read(bare.scenes()[0], ("blue",), GRID, rect)
        assert alone.valid.sum() > grown.valid.sum() > 0
        assert self.source.masking == "bright, grown by 25 m"
        one, other = (s.signature(s.scenes()[0]) for s in (self.source, bare))
        assert one != other


def read(source: DetectedSource) -> np.ndarray:
    around = GRID.rect((350_200, 8_589_700, 350_500, 8_590_000))
    return source.read(source.scenes()[0], source.bands, GRID, around).valid


def test_s2cloudless_finds_a_white_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detected, "BLOCK_PX", 32)
    pytest.importorskip("s2cloudless", reason="pip install 'minetrace[clouds]'")
    source = DetectedSource(
        files(tmp_path, S2CLOUDLESS.bands), DetectOptions("s2cloudless", level="toa")
    )
    valid = read(source)
    assert not valid[20:30, 10:20].any()
    assert valid.mean() > 0.5


def test_ukis_csmask_agrees_with_its_labels(shared_data: Path) -> None:
    """Cloud of a real scene; shadow counts as hidden too."""
    pytest.importorskip("ukis_csmask", reason="pip install 'minetrace[clouds]'")
    told = np.load(shared_data / "cloud-labels" / "sentinel2.npz")
    image = np.moveaxis(told["img"], -1, 0)[:, :256, :256]
    label = told["msk"][:256, :256, 0]
    found = UKIS_CSMASK.find(image, np.ones(label.shape, dtype=bool), "toa", None)
    assert (found == np.isin(label, (0, 4))).mean() > 0.85


def test_where_a_detector_saw_nothing_nobody_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hole in a band that only the detector wants is not clear ground; nor is it grown."""
    monkeypatch.setitem(DETECTORS, "bright", Detector("bright", ("blue",), ("boa",), 3, bright))
    pixels = ground(bands=2)
    pixels[0, 10:20, 30:40] = 0
    write_scene(tmp_path / "scene_20210704.tif", pixels, names=("blue", "green"))
    inner = FileSource(FileOptions(tmp_path, date=DateOptions(day=date(2021, 7, 4))))
    source = DetectedSource(inner, DetectOptions("bright", dilate_m=25.0, level="boa"))
    scene = inner.scenes()[0]
    rect = GRID.rect((350_200, 8_589_700, 350_500, 8_590_000))
    both = inner.read(scene, ("blue", "green"), GRID, rect)
    green = source.read(scene, ("green",), GRID, rect)
    assert inner.read(scene, ("green",), GRID, rect).valid.sum() > both.valid.sum()
    assert (green.valid == both.valid).all()


def test_a_detector_is_refused_what_it_does_not_know(tmp_path: Path) -> None:
    few = files(tmp_path, ("blue", "green"))
    with pytest.raises(BandError, match=r"s2cloudless looks at .* the imagery has no coastal"):
        DetectedSource(few, DetectOptions("s2cloudless"))
    (tmp_path / "ten").mkdir()
    ten = files(tmp_path / "ten", S2CLOUDLESS.bands)
    with pytest.raises(RadiometryError, match="a level that nobody states"):
        DetectedSource(ten, DetectOptions("s2cloudless"))
    with pytest.raises(RadiometryError, match=r"the surface \(boa\)"):
        DetectedSource(ten, DetectOptions("s2cloudless", level="boa"))
