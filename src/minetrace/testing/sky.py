"""What stands between the ground and the sensor: sun, haze, clouds, shadows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from minetrace.testing.noise import FloatArray, smoothstep, spectral
from minetrace.testing.reflectance import BANDS

# Cloud tops are white to the near infrared; droplets and ice darken the short-wave infrared.
_CLOUD = dict(zip(BANDS, (0.92, 0.90, 0.89, 0.92, 0.62, 0.50), strict=True))
# How much of the light is direct, and so missing in a shadow: the blue sky fills the rest.
_DIRECT = dict(zip(BANDS, (0.50, 0.58, 0.64, 0.70, 0.78, 0.80), strict=True))
_HAZE = dict(zip(BANDS, (1.0, 0.62, 0.42, 0.22, 0.06, 0.03), strict=True))

SCL_NODATA, SCL_SHADOW, SCL_VEGETATION, SCL_BARE, SCL_WATER = 0, 3, 4, 5, 6
SCL_UNCLASSIFIED, SCL_CLOUD_MEDIUM, SCL_CLOUD_HIGH, SCL_CIRRUS = 7, 8, 9, 10


@dataclass(frozen=True)
class Weather:
    """The sky of one date.

    Attributes:
        cover: share of the country under cloud, 0 to 1.
        kind: cumulus, broken, veil (with cirrus) or overcast.
        haze: reflectance that the air adds in the blue.
        gain: what the atmospheric correction left wrong, a factor near 1.
        swath_edge: None, or where the swath ends, as a share of the width; negative keeps the right
            side.
    """

    cover: float
    kind: str
    haze: float
    gain: float
    swath_edge: float | None


@dataclass(frozen=True)
class Clouds:
    """Clouds over one date, as the light meets them.

    Attributes:
        opacity: (h, w) 0 to 1; brightness: (h, w) of the cloud itself; shadow: (h, w) 0 to 1.
    """

    opacity: FloatArray
    brightness: FloatArray
    shadow: FloatArray


class Sky:
    """Periodic cloud fields, drawn once and rolled to a new place for every date."""

    def __init__(self, rng: np.random.Generator, size_px: int) -> None:
        """Draw the fields for a country of this size."""
        self.size_px = size_px
        self._cumulus = spectral(rng, size_px, beta=3.6, longest_px=75, shortest_px=5)
        self._broken = spectral(rng, size_px, beta=3.5, longest_px=280, shortest_px=5)
        self._cirrus = spectral(
            rng, size_px, beta=3.3, longest_px=420, shortest_px=3, stretch=5, heading_deg=28
        )
        self._detail = spectral(rng, size_px, beta=2.2, longest_px=16, shortest_px=3)

    def clouds(
        self, rng: np.random.Generator, weather: Weather, day: date, resolution_m: float
    ) -> Clouds:
        """Form the clouds of one date and cast their shadows away from the sun."""
        first = self._moved(rng, self._cumulus)
        second = self._moved(rng, self._broken)
        third = self._moved(rng, self._cirrus)
        mix = {"cumulus": (0.8, 0.6), "broken": (0.45, 1.0), "veil": (0.5, 0.9)}
        a, b = mix.get(weather.kind, (0.6, 0.8))
        field = np.float32(a) * first + np.float32(b) * second
        field += 0.13 * self._moved(rng, self._detail)
        thick = self._opacity(field, weather)
        thin = np.zeros_like(thick)
        if weather.kind in ("veil", "overcast"):
            thin = 0.36 * smoothstep(0.4, 2.6, third)
        elevation, azimuth = sun(day)
        height_m = 900.0 if weather.kind == "cumulus" else 1500.0
        reach = height_m / np.tan(np.deg2rad(elevation)) / resolution_m
        down = round(reach * np.cos(np.deg2rad(azimuth)))
        right = round(-reach * np.sin(np.deg2rad(azimuth)))
        shadow = np.roll(thick, (down, right), axis=(0, 1))
        # A cloud is lit on the side of the sun: its relief shows.
        lit = field - np.roll(field, (np.sign(down) * 3, np.sign(right) * 3), axis=(0, 1))
        depth = smoothstep(0.2, 1.0, thick)
        brightness = 0.42 + 0.34 * depth + 0.10 * np.clip(field, -1.5, 2.5) * depth + 0.16 * lit
        opacity = 1 - (1 - thick) * (1 - thin)
        return Clouds(opacity, np.clip(brightness, 0.25, 1.05), shadow)

    def _opacity(self, field: FloatArray, weather: Weather) -> FloatArray:
        soft = {"cumulus": 0.42, "broken": 0.55, "veil": 0.7}.get(weather.kind, 0.35)
        threshold = float(np.quantile(field[::3, ::3], 1.0 - weather.cover)) + 0.35 * soft
        # Thin edges reach far out of the core, as those of real clouds do.
        core = smoothstep(threshold - soft * 0.5, threshold + soft * 0.9, field)
        halo = smoothstep(threshold - soft * 1.6, threshold + soft * 0.3, field)
        return np.clip(0.86 * core + 0.14 * halo, 0.0, 1.0)

    def _moved(self, rng: np.random.Generator, field: FloatArray) -> FloatArray:
        down, right, turn = rng.integers(0, [self.size_px, self.size_px, 4])
        turned = np.rot90(field, int(turn) if field is not self._cirrus else 2 * int(turn % 2))
        return np.roll(turned, (int(down), int(right)), axis=(0, 1))


def sun(day: date, *, latitude_deg: float = -12.8, solar_hour: float = 10.1) -> tuple[float, float]:
    """Elevation and azimuth (clockwise from north) of the sun in degrees, to about a degree."""
    of_year = day.timetuple().tm_yday
    declination = np.deg2rad(-23.44 * np.cos(2 * np.pi * (of_year + 10) / 365.25))
    latitude, hour = np.deg2rad(latitude_deg), np.deg2rad(15 * (solar_hour - 12))
    up = np.sin(latitude) * np.sin(declination)
    up += np.cos(latitude) * np.cos(declination) * np.cos(hour)
    north = np.cos(latitude) * np.sin(declination)
    north -= np.sin(latitude) * np.cos(declination) * np.cos(hour)
    east = -np.cos(declination) * np.sin(hour)
    return float(np.rad2deg(np.arcsin(up))), float(np.rad2deg(np.arctan2(east, north)) % 360)


def look_through(
    ground: FloatArray, bands: Sequence[str], clouds: Clouds, weather: Weather
) -> FloatArray:
    """Darken the ground by shadows and cover it by haze and clouds, in place.

    Args:
        ground: (bands, h, w) surface reflectance.
        bands: their names.
        clouds: of the same rows and columns.
        weather: of the date.

    Returns:
        The same array.
    """
    opacity, shadow = clouds.opacity, clouds.shadow
    clear = 1 - opacity
    white = opacity * clouds.brightness
    for plane, band in zip(ground, bands, strict=True):
        plane *= np.float32(weather.gain) * (1 - np.float32(_DIRECT[band]) * shadow)
        plane += np.float32(weather.haze * _HAZE[band])
        plane *= clear
        plane += np.float32(_CLOUD[band]) * white
    return ground


def scene_classes(
    surface: npt.NDArray[np.uint8], clouds: Clouds, bright: FloatArray, grain: FloatArray
) -> npt.NDArray[np.uint8]:
    """Classify a scene as a 20 m scene classification would, with its usual mistakes.

    Soft edges of clouds are missed, thin cloud is found in part, shadows have holes, bright roofs
    are taken for cloud.

    Args:
        surface: (h, w) SCL class of the cloud-free ground.
        clouds: over it.
        bright: (h, w) reflectance of the scene in its first band.
        grain: (h, w) random field, mean 0.

    Returns:
        (h, w) uint8, codes of Sentinel-2 SCL.
    """
    half = slice(None, None, 2)
    opacity, shadow = clouds.opacity[half, half], clouds.shadow[half, half]
    noise = 0.09 * grain[half, half]
    found = surface[half, half].copy()
    found[(shadow + noise > 0.55) & (opacity < 0.4)] = SCL_SHADOW
    found[(opacity + 0.6 * noise > 0.15) & (opacity < 0.45)] = SCL_CIRRUS
    found[(opacity + noise > 0.20) & (opacity > 0.18) & (shadow > 0.3)] = SCL_UNCLASSIFIED
    found[opacity + noise > 0.42] = SCL_CLOUD_MEDIUM
    found[opacity + noise > 0.80] = SCL_CLOUD_HIGH
    found[(bright[half, half] > 0.20) & (opacity < 0.1)] = SCL_CLOUD_MEDIUM
    h, w = surface.shape
    return np.repeat(np.repeat(found, 2, axis=0), 2, axis=1)[:h, :w]


def swath(weather: Weather, size_px: int) -> npt.NDArray[np.bool_] | None:
    """(h, w) what the sensor saw, or None if everything; the edge leans as the orbit does."""
    if weather.swath_edge is None:
        return None
    row, column = np.ogrid[0:size_px, 0:size_px]
    edge = abs(weather.swath_edge) * size_px - 0.22 * (row - size_px / 2)
    seen: npt.NDArray[np.bool_] = column < edge if weather.swath_edge > 0 else column >= edge
    return seen
