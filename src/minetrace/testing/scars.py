"""What mined ground looks like: tracks, fresh scars, ponds, benches, and what grows back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minetrace.testing.landscape import Land
from minetrace.testing.mines import PARTS, Diggings
from minetrace.testing.noise import FloatArray, smoothstep
from minetrace.testing.reflectance import Mixture

_PIT, _DUMP, _TAILINGS = (PARTS.index(name) + 1 for name in ("pit", "dump", "tailings"))


@dataclass(frozen=True)
class _Spots:
    """The pixels that mining has touched by a year, one after the other; (n,) arrays throughout.

    Attributes:
        mixture: their shares of materials.
        age: years since they were dug; idle: years since they were given up, negative before.
        dug, soft, hard: 1 where dug, where dug along a stream, where dug by industry.
        pond: cover of standing water; part, bench, grain, luck: as in Diggings.
        rough, broad: as in Land.
    """

    mixture: Mixture
    age: FloatArray
    idle: FloatArray
    dug: FloatArray
    soft: FloatArray
    hard: FloatArray
    pond: FloatArray
    part: npt.NDArray[np.uint8]
    bench: FloatArray
    grain: FloatArray
    luck: FloatArray
    rough: FloatArray
    broad: FloatArray


def paint_mines(mixture: Mixture, land: Land, diggings: Diggings, index: int) -> None:
    """Paint all that mining has done to the country by one year."""
    track = (diggings.track <= index) & (land.built < 0.3)
    mixture.paint("laterite", np.float32(0.5) * track)
    at = np.nonzero(diggings.start <= index + 1)
    s = _spots(mixture, land, diggings, at, index)
    # Trees fall a year before the diggers come.
    cleared = (1 - s.dug) * smoothstep(-0.4, 1.4, s.grain)
    s.mixture.paint("secondary", 0.5 * cleared)
    s.mixture.paint("soil", 0.35 * cleared)
    _paint_scars(s)
    _paint_pits(s)
    _paint_ponds(s)
    _paint_regrowth(s)
    mixture.shares[:, at[0], at[1]] = s.mixture.shares


def _spots(
    mixture: Mixture,
    land: Land,
    diggings: Diggings,
    at: tuple[npt.NDArray[np.intp], ...],
    index: int,
) -> _Spots:
    start, stop, part = diggings.start[at], diggings.stop[at], diggings.part[at]
    dug = (start <= index).astype(np.float32)
    return _Spots(
        mixture=Mixture(mixture.shares[:, at[0], at[1]]),
        age=np.maximum(index - start, 0).astype(np.float32),
        idle=(index - stop).astype(np.float32),
        dug=dug,
        soft=dug * (part <= 2) * (diggings.bench[at] == 0),
        hard=dug * (diggings.bench[at] > 0),
        pond=dug * diggings.pond[at],
        part=part,
        bench=diggings.bench[at],
        grain=diggings.grain[at],
        luck=diggings.luck[at],
        rough=land.rough[at],
        broad=land.broad[at],
    )


def _paint_scars(s: _Spots) -> None:
    """Washed gravel and slimes in a mosaic, pioneers on what lies longest."""
    s.mixture.paint("gravel", s.soft)
    muddy = smoothstep(-0.8, 1.2, s.grain + 1.6 * (s.luck - 0.4))
    s.mixture.paint("mud", s.soft * muddy)
    s.mixture.paint("low_sand", s.soft * 0.7 * smoothstep(0.55, 0.95, 1 - s.luck + 0.15 * s.rough))
    s.mixture.paint("shade", s.soft * np.clip(0.10 + 0.09 * s.rough, 0, 0.4))
    s.mixture.paint("secondary", s.soft * 0.75 * smoothstep(0.9, 1.7, s.rough + 0.4 * s.broad))
    s.mixture.paint("secondary", s.soft * np.clip(0.035 * (s.age + 1) + 0.05 * s.rough, 0, 0.35))


def _paint_pits(s: _Spots) -> None:
    """Benches with shaded faces, a waste dump, and tailings that dry from the dam inward."""
    pit = s.hard * (s.part == _PIT)
    s.mixture.paint("pit_rock", s.hard)
    step = np.mod(s.bench * 6.5, 1.0)
    s.mixture.paint("ore", pit * np.clip(0.55 - 0.5 * s.bench + 0.12 * s.grain, 0, 0.8))
    s.mixture.paint("shade", pit * 0.5 * (step < 0.3) * np.clip(0.7 + 0.3 * s.rough, 0, 1))
    s.mixture.paint("gravel", pit * 0.25 * (step > 0.75))
    dump = s.hard * (s.part == _DUMP)
    s.mixture.paint("mud", dump * np.clip(0.35 + 0.22 * s.grain, 0, 0.9))
    s.mixture.paint("shade", dump * np.clip(0.10 + 0.08 * s.rough, 0, 0.4))
    tailings = s.hard * (s.part == _TAILINGS)
    s.mixture.paint("tailings", tailings)
    s.mixture.paint("sand", tailings * smoothstep(-0.3, 2.2, s.broad + 0.4 * s.grain) * 0.5)


def _paint_ponds(s: _Spots) -> None:
    """Worked ponds are the colour of milk coffee; left alone they turn green, then dark."""
    s.mixture.paint("process_water", s.pond * (s.bench > 0))
    pond = s.pond * (s.bench == 0)
    stale = 0.16 * s.age + 0.8 * s.luck + 0.45 * np.maximum(s.idle + 1, 0)
    s.mixture.paint("milky_pond", pond)
    s.mixture.paint("green_pond", pond * smoothstep(0.5, 1.1, stale))
    s.mixture.paint("blackwater", pond * smoothstep(1.3, 2.4, stale) * 0.8)


def _paint_regrowth(s: _Spots) -> None:
    """Grass and shrubs in the first year after mining, closed bush from the third on."""
    left = s.dug * (s.idle >= 0)
    closed = np.interp(s.idle, (0, 1, 2, 3, 5), (0.14, 0.42, 0.70, 0.93, 0.99))
    patchy = np.clip(closed + 0.7 * closed * (1 - closed) * s.grain, 0, 1)
    green = left * patchy * np.where(s.pond > 0.5, 0.35, 1.0)
    s.mixture.paint("pasture", green * 0.5)
    s.mixture.paint("succession", green * np.where(s.idle > 1, 0.75, 0.45))
    s.mixture.paint("secondary", green * np.where(s.idle > 2, 0.8, 0.35))
    s.mixture.paint("shade", green * np.clip(0.10 + 0.05 * s.rough, 0, 0.3))
