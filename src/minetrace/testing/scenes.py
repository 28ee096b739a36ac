"""Scenes as a satellite would deliver them: a GeoTIFF a date, scaled counts, a classification."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.transform import Affine

from minetrace.testing.dates import wetness
from minetrace.testing.landscape import Land
from minetrace.testing.noise import FloatArray, spectral
from minetrace.testing.reflectance import VEGETATION, WATER, Mixture, blurred, endmembers
from minetrace.testing.sky import (
    SCL_BARE,
    SCL_VEGETATION,
    SCL_WATER,
    Clouds,
    Sky,
    Weather,
    look_through,
    scene_classes,
    sun,
    swath,
)

SCALE = 1e-4
_STRIP_ROWS = 64
_SPILL = 0.13


def count_offset(day: date) -> int:
    """What is added to the counts: 1000 from 2022 on, as in Sentinel-2 baseline 04.00."""
    return 1000 if day.year >= 2022 else 0


@dataclass(frozen=True)
class Ground:
    """The cloud-free country in one year, as sharp as the sensor sees it.

    Attributes:
        wet, dry: (bands, h, w) float32, surface reflectance in the two seasons.
        classes: (h, w) uint8, SCL class.
    """

    wet: FloatArray
    dry: FloatArray
    classes: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, mixture: Mixture, bands: Sequence[str]) -> Ground:
        """Mix, blur and classify."""
        wet, dry = (mixture.reflect(endmembers(bands, wetness)) for wetness in (1.0, 0.0))
        for season in (wet, dry):
            for plane in season:
                plane[:] = blurred(plane, _SPILL)
        classes = np.full(wet.shape[1:], SCL_BARE, np.uint8)
        classes[blurred(mixture.share(VEGETATION), _SPILL) > 0.42] = SCL_VEGETATION
        classes[blurred(mixture.share(WATER), _SPILL) > 0.5] = SCL_WATER
        return cls(wet, dry, classes)


class Camera:
    """Takes scenes of the country: light, mixture, noise, sky, counts."""

    def __init__(self, rng: np.random.Generator, land: Land, bands: Sequence[str]) -> None:
        """Draw what all scenes share."""
        self._land = land
        self._bands = tuple(bands)
        self._sky = Sky(rng, land.size_px)
        self._noise = rng.standard_normal((land.size_px, land.size_px), dtype=np.float32)
        self._tone = spectral(rng, land.size_px, beta=1.0, longest_px=60)

    def take(
        self, ground: Ground, day: date, weather: Weather, seed: Sequence[int], resolution_m: float
    ) -> npt.NDArray[np.uint16]:
        """Take one scene.

        Args:
            ground: the country in the year.
            day: of acquisition.
            weather: on it.
            seed: of the date's own randomness.
            resolution_m: side of a pixel.

        Returns:
            (bands + 1, h, w) uint16: counts, 0 where nothing was seen, then the SCL classes.
        """
        rng = np.random.default_rng(seed)
        _land, size = self._land, self._land.size_px
        clouds = self._sky.clouds(rng, weather, day, resolution_m)
        light = self._light(day)
        rain = np.float32(wetness(day))
        grain = np.roll(self._noise, tuple(rng.integers(0, size, 2)), axis=(0, 1))
        shifts = rng.integers(0, size, (len(self._bands), 2))
        scene = np.empty((len(self._bands) + 1, size, size), np.uint16)
        offset = count_offset(day)
        for top in range(0, size, _STRIP_ROWS):
            rows = slice(top, min(top + _STRIP_ROWS, size))
            strip = ground.wet[:, rows] - ground.dry[:, rows]
            strip *= rain
            strip += ground.dry[:, rows]
            strip *= light[rows]
            part = Clouds(clouds.opacity[rows], clouds.brightness[rows], clouds.shadow[rows])
            look_through(strip, self._bands, part, weather)
            for plane, shift in zip(strip, shifts, strict=True):
                noise = _rolled_rows(grain, rows, int(shift[0]), int(shift[1]))
                plane += (0.0006 + 0.006 * np.abs(plane)) * noise
            scene[-1, rows] = scene_classes(ground.classes[rows], part, strip[0], grain[rows])
            strip *= np.float32(1 / SCALE)
            strip += np.float32(offset + 0.5)
            np.clip(strip, 1, 28000, out=strip)
            scene[:-1, rows] = strip
        seen = swath(weather, size)
        if seen is not None:
            scene[:, ~seen] = 0
        return scene

    def _light(self, day: date) -> FloatArray:
        """(h, w) factor of illumination: slopes to the sun are brighter, leaves never even."""
        elevation, azimuth = np.deg2rad(sun(day))
        steep = np.float32(0.30 / np.tan(elevation))
        light = 1 + steep * (
            -np.float32(np.sin(azimuth)) * self._land.slope_x
            + np.float32(np.cos(azimuth)) * self._land.slope_y
        )
        np.clip(light, 0.55, 1.5, out=light)
        light += 0.028 * self._land.rough + 0.022 * self._tone
        return light


def _rolled_rows(field: FloatArray, rows: slice, down: int, right: int) -> FloatArray:
    """Some rows of a periodic field moved to another place."""
    size = len(field)
    picked = field[(np.arange(rows.start, rows.stop) + down) % size]
    return np.concatenate([picked[:, right:], picked[:, :right]], axis=1)


def write_scene(
    path: Path,
    scene: npt.NDArray[np.uint16],
    bands: Sequence[str],
    day: date,
    *,
    transform: Affine,
    crs: str,
) -> None:
    """Write a scene with its band names, scales, offsets and date in the tags."""
    count, height, width = scene.shape
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=count, dtype="uint16",
        crs=crs, transform=transform, nodata=0, tiled=True, blockxsize=256, blockysize=256,
        compress="zstd", zstd_level=1, predictor=2, interleave="band",
    ) as target:  # fmt: skip
        target.descriptions = (*bands, "SCL")
        target.scales = (*(SCALE,) * len(bands), 1.0)
        target.offsets = (*(-count_offset(day) * SCALE,) * len(bands), 0.0)
        target.update_tags(
            ACQUISITION_DATE=day.isoformat(), TIFFTAG_DATETIME=f"{day:%Y:%m:%d} 14:57:31"
        )
        target.write(scene)
