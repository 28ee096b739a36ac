"""What every source must do, as a class of tests to inherit.

A test module subclasses ``SourceContract`` and makes its source; pytest collects the tests. This
module does not need pytest itself.
"""

from __future__ import annotations

import json
import pickle
from typing import Any

import numpy as np

from minetrace.core.bands import COMMON_NAMES
from minetrace.core.grid import Grid, Rect
from minetrace.core.raster import NODATA
from minetrace.core.region import project
from minetrace.errors import BandError


class SourceContract:
    """Inherit, and implement ``make_source`` and ``make_grid``."""

    def make_source(self) -> Any:
        """A source with at least one scene that has valid pixels."""
        raise NotImplementedError

    def make_grid(self) -> Grid:
        """A grid on which the scenes lie."""
        raise NotImplementedError

    def rect(self, source: Any) -> Rect:
        """Pixels around the first scene, at most 700 on a side."""
        grid = self.make_grid()
        ground = project(source.footprint(source.scenes()[0]), "EPSG:4326", grid.crs)
        around = grid.rect(ground.bounds).expand(7)
        return Rect(around.row, around.col, min(around.height, 700), min(around.width, 700))

    def test_scenes_are_ordered_and_unique(self) -> None:
        scenes = self.make_source().scenes()
        assert scenes
        assert list(scenes) == sorted(scenes, key=lambda scene: (scene.day, scene.id))
        assert len({scene.id for scene in scenes}) == len(scenes)

    def test_bands_are_common_names(self) -> None:
        bands = self.make_source().bands
        assert bands
        assert set(bands) <= set(COMMON_NAMES)
        assert len(set(bands)) == len(bands)

    def test_resolution_is_in_metres(self) -> None:
        assert 0.01 < self.make_source().resolution_m < 10_000

    def test_the_level_is_known_or_said_to_be_unknown(self) -> None:
        assert self.make_source().level in ("toa", "boa", None)

    def test_notes_are_sentences(self) -> None:
        assert all(note and "\n" not in note for note in self.make_source().notes)

    def test_footprints_are_longitude_and_latitude(self) -> None:
        source = self.make_source()
        for scene in source.scenes():
            west, south, east, north = source.footprint(scene).bounds
            assert -180 <= west < east <= 180
            assert -90 <= south < north <= 90

    def test_read_gives_what_was_asked_for(self) -> None:
        source, grid = self.make_source(), self.make_grid()
        scene, rect = source.scenes()[0], self.rect(source)
        look = source.read(scene, source.bands, grid, rect)
        assert look.bands == source.bands
        assert look.pixels.dtype == np.int16
        assert look.geobox == grid.geobox(rect)
        assert look.valid.any()
        assert (look.pixels[:, ~look.valid] == NODATA).all()
        assert (look.pixels[:, look.valid] != NODATA).all()

    def test_a_pixel_does_not_depend_on_the_rectangle(self) -> None:
        source, grid = self.make_source(), self.make_grid()
        rect = self.rect(source)
        rng = np.random.default_rng(0)
        for scene in source.scenes()[:3]:
            whole = source.read(scene, source.bands, grid, rect)
            for _ in range(4):
                top, left = (int(rng.integers(0, n - 2)) for n in rect.shape)
                part = Rect(
                    rect.row + top, rect.col + left,
                    int(rng.integers(1, rect.height - top)),
                    int(rng.integers(1, rect.width - left)),
                )  # fmt: skip
                look = source.read(scene, source.bands, grid, part)
                rows, cols = part.within(rect)
                assert np.array_equal(look.valid, whole.valid[rows, cols])
                assert np.array_equal(look.pixels, whole.pixels[:, rows, cols])

    def test_bands_come_in_the_order_asked_for(self) -> None:
        source, grid = self.make_source(), self.make_grid()
        scene, rect = source.scenes()[0], self.rect(source)
        turned = source.bands[::-1]
        look = source.read(scene, turned, grid, rect)
        whole = source.read(scene, source.bands, grid, rect)
        assert look.bands == turned
        assert np.array_equal(look.pixels[::-1], whole.pixels)

    def test_nothing_is_valid_away_from_the_scene(self) -> None:
        source, grid = self.make_source(), self.make_grid()
        rect = self.rect(source)
        away = Rect(rect.row - 5000, rect.col - 5000, 20, 30)
        look = source.read(source.scenes()[0], source.bands, grid, away)
        assert not look.valid.any()
        assert (look.pixels == NODATA).all()

    def test_an_unknown_band_is_refused(self) -> None:
        source, grid = self.make_source(), self.make_grid()
        rect = self.rect(source)
        said = ""
        try:
            source.read(source.scenes()[0], ("no-such-band",), grid, rect)
        except BandError as error:
            said = str(error)
        assert "no-such-band" in said

    def test_signatures_are_json_and_tell_scenes_apart(self) -> None:
        source, again = self.make_source(), self.make_source()
        texts = [json.dumps(source.signature(scene), sort_keys=True) for scene in source.scenes()]
        assert texts == [json.dumps(again.signature(s), sort_keys=True) for s in again.scenes()]
        assert len(set(texts)) == len(texts)

    def test_a_copy_answers_the_same(self) -> None:
        source, grid = self.make_source(), self.make_grid()
        scene, rect = source.scenes()[0], self.rect(source)
        look = source.read(scene, source.bands, grid, rect)
        copy = pickle.loads(pickle.dumps(source))
        assert copy.scenes() == source.scenes()
        assert np.array_equal(copy.read(scene, source.bands, grid, rect).pixels, look.pixels)
