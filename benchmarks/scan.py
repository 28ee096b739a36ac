"""Scanning a large virtual raster against the bare model, measured in the same run.

    python benchmarks/scan.py [--side 60000] [--unet-side 20000] [--unit 60000]

A real-looking GeoTIFF is repeated by a VRT without taking disk. The bare model is the ONNX session
alone, one thread, called with the same shapes, as often as the ground needs, on one prepared
input; it is timed in turns with the units of the scan, since machines drift. A scan reads,
scales, scores, blends and encodes: one worker, units ``--unit`` pixels wide. Its model runs on one
thread, too; reading and drawing overlap with it where a second core is free, so the ratio by CPU
seconds, all threads added up, is what remains where every core has a worker.

Bars: peak memory at most 2 GB; output pixels per second at least 0.85 of the bare model's, on
uncompressed and on zstd input (deflate is reported).
"""

from __future__ import annotations

import argparse
import threading
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import psutil
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

from minetrace.core.grid import Grid, Rect
from minetrace.core.raster import NODATA, Raster
from minetrace.predict.lattice import Lattice, Plan
from minetrace.predict.onnx import OnnxScorer
from minetrace.predict.scan import ScanOptions, scan
from minetrace.testing.models import write_patch_net, write_unet
from minetrace.testing.noise import spectral

GRID = Grid("EPSG:32721", 10.0)
BANDS = ("blue", "green", "red", "nir", "swir16", "swir22")
PATCH_PX, TILE_PX, BLOCK_PX = 4096, 2048, 256
CACHE_MB = 256
MEMORY_BAR_GB, SPEED_BAR = 2.0, 0.85
COMPRESSIONS = {
    "uncompressed": {},
    "zstd": {"compress": "zstd", "zstd_level": 3, "predictor": 2},
    "deflate": {"compress": "deflate", "zlevel": 6, "predictor": 2},
}


def write_patch(path: Path, bands: int, options: dict[str, object], side: int) -> None:
    """Smooth noise with grain, correlated between bands, about as hard to pack as a composite."""
    rng = np.random.default_rng(5)
    shared = spectral(rng, side, beta=2.2, longest_px=400, shortest_px=3)
    profile = {
        "driver": "GTiff", "width": side, "height": side, "count": bands, "dtype": "int16",
        "nodata": NODATA, "crs": GRID.crs, "transform": GRID.affine(Rect(0, 0, side, side)),
        "tiled": True, "blockxsize": BLOCK_PX, "blockysize": BLOCK_PX, "interleave": "band",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile, **options) as target:
        for band in range(bands):
            values = 900 + 300 * band + 350 * shared + 25 * rng.standard_normal((side, side))
            target.write(np.clip(values, 1, 9000).astype(np.int16), band + 1)


def write_vrt(path: Path, source: Path, bands: int, shape: tuple[int, int], patch: int) -> None:
    """Repeat the patch over so many rows and columns of pixels."""
    height, width = shape
    spots = [(x, y) for y in range(0, height, patch) for x in range(0, width, patch)]
    lines = [f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}">']
    for band in range(1, bands + 1):
        lines.append(f'<VRTRasterBand dataType="Int16" band="{band}">'
                     f"<NoDataValue>{NODATA}</NoDataValue>")  # fmt: skip
        for x, y in spots:
            w, h = min(patch, width - x), min(patch, height - y)
            lines.append(
                f'<SimpleSource><SourceFilename relativeToVRT="1" shared="1">{source.name}'
                f"</SourceFilename><SourceBand>{band}</SourceBand>"
                f'<SrcRect xOff="0" yOff="0" xSize="{w}" ySize="{h}"/>'
                f'<DstRect xOff="{x}" yOff="{y}" xSize="{w}" ySize="{h}"/></SimpleSource>'
            )
        lines.append("</VRTRasterBand>")
    path.write_text("\n".join([*lines, "</VRTDataset>"]), encoding="utf-8")


class Reader:
    """Any rectangle of the virtual raster; what lies outside is not valid."""

    def __init__(self, path: Path, bands: int) -> None:
        self._source = rasterio.open(path)
        self._bands = bands
        self.pixels_read = 0

    def __call__(self, rect: Rect) -> Raster:
        whole = Rect(0, 0, self._source.height, self._source.width)
        part = rect & whole
        pixels = np.full((self._bands, *rect.shape), NODATA, np.int16)
        if not part.empty:
            window = Window(part.col, part.row, part.width, part.height)
            rows, cols = part.within(rect)
            pixels[:, rows, cols] = self._source.read(window=window)
        self.pixels_read += rect.height * rect.width
        return Raster(BANDS[: self._bands], pixels, pixels[0] != NODATA, GRID.geobox(rect))


class PeakMemory:
    """The highest resident memory of this process while the block runs, GB."""

    def __enter__(self) -> PeakMemory:
        self.gb = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        process = psutil.Process()
        while not self._stop.wait(0.05):
            self.gb = max(self.gb, process.memory_info().rss / 2**30)


def units(side: int, width: int) -> list[list[Rect]]:
    """Storage tiles by unit of work: strips, since memory follows the width alone."""
    whole = Rect(0, 0, side, side)
    strips = [Rect(0, col, side, width) & whole for col in range(0, side, width)]
    return [[tile & whole for tile in strip.blocks(TILE_PX)] for strip in strips]


def calls_needed(scorer: OnnxScorer, tiles: list[Rect], side: int) -> int:
    """Calls that score the tiles and in which a window counts: beyond the raster none does."""
    card, lattice = scorer.card, Lattice.of(scorer.card)

    def best(number: int) -> float:
        """The largest share, along one axis, of a window of a call that lies on the raster."""
        starts = np.arange(lattice.side) * lattice.stride + number * lattice.step
        inside = np.minimum(starts + lattice.window, side) - np.maximum(starts, 0)
        return float(max(0, inside.max()) / lattice.window)

    columns = Plan.of(lattice, GRID, tiles, None).columns
    return sum(
        best(row) * best(int(col)) >= card.min_valid_share
        for row, cols in columns.items() for col in cols
    )  # fmt: skip


class Bare:
    """The session alone on one prepared input of the shape that a scan uses, timed in turns."""

    def __init__(self, scorer: OnnxScorer, seconds: float) -> None:
        card, self._calls = scorer.card, ScanOptions().batch_for(scorer.card)
        shape = (self._calls, len(card.bands), card.call_px, card.call_px)
        self._image = np.random.default_rng(1).uniform(0.2, 0.9, shape).astype(np.float32)
        self._scorer, self._seconds = scorer, seconds
        self.wall = self.cpu = 0.0
        self.calls = 0
        scorer(self._image)

    def turn(self) -> None:
        """Run for some seconds."""
        wall, cpu = time.perf_counter(), time.process_time()
        while time.perf_counter() - wall < self._seconds:
            self._scorer(self._image)
            self.calls += self._calls
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu


@dataclass(frozen=True)
class Walk:
    wall: float
    cpu: float
    peak_gb: float
    pixels_read: int


def walk(scorer: OnnxScorer, bare: Bare, vrt: Path, bands: int, side: int, unit: int) -> Walk:
    """Scan everything, unit by unit, with a turn of the bare model between; scores are dropped."""
    read, done, wall, cpu = Reader(vrt, bands), 0, 0.0, 0.0
    bare.turn()
    with PeakMemory() as memory:
        for tiles in units(side, unit):
            began, cpu_began, told = time.perf_counter(), time.process_time(), time.perf_counter()
            for rect, _ in scan(read, scorer, GRID, tiles):
                done += rect.height * rect.width
                now = time.perf_counter()
                if now - told > 20:
                    told = now
                    rate = done / (wall + now - began) / 1e6
                    print(f"    {done / side**2:6.1%} {rate:6.2f} Mpx/s  peak {memory.gb:.2f} GB",
                          flush=True)  # fmt: skip
            wall += time.perf_counter() - began
            cpu += time.process_time() - cpu_began
            bare.turn()
    return Walk(wall, cpu, memory.gb, read.pixels_read)


def runs(given: argparse.Namespace, folder: Path) -> Iterator[tuple[str, OnnxScorer, int, int]]:
    """Name, model, bands, side."""
    if given.side:
        write_patch_net(folder / "patch", bands=BANDS[:3])
        yield "patch net", OnnxScorer.open(folder / "patch"), 3, given.side
    if given.unet_side:
        write_unet(folder / "unet", bands=BANDS)
        yield "U-Net", OnnxScorer.open(folder / "unet"), 6, given.unet_side


def measure(name: str, scorer: OnnxScorer, bands: int, side: int, given: argparse.Namespace,
            folder: Path) -> bool:  # fmt: skip
    """Print one line a compression; True if every bar is met."""
    lattice = Lattice.of(scorer.card)
    needed = calls_needed(scorer, [Rect(0, 0, side, side)], side)
    made = sum(calls_needed(scorer, tiles, side) for tiles in units(side, given.unit))
    print(f"{name}: {side} x {side} px, {bands} bands, calls of {lattice.call_px} px; "
          f"the ground needs {needed} calls, units {given.unit} px wide make {made} "
          f"({made / needed:.3f})", flush=True)  # fmt: skip
    good, patch = True, min(PATCH_PX, side)
    for kind in given.inputs:
        source, vrt = folder / f"{bands}-{kind}.tif", folder / f"{bands}-{kind}.vrt"
        write_patch(source, bands, COMPRESSIONS[kind], patch)
        write_vrt(vrt, source, bands, (side, side), patch)
        alone = Bare(scorer, given.bare_s)
        seen = walk(scorer, alone, vrt, bands, side, given.unit)
        bare = needed * alone.wall / alone.calls
        ratio, per_cpu = bare / seen.wall, needed * alone.cpu / alone.calls / seen.cpu
        good &= seen.peak_gb <= MEMORY_BAR_GB and (kind == "deflate" or ratio >= SPEED_BAR)
        print(
            f"  {kind:<12} {side**2 / seen.wall / 1e6:6.2f} Mpx/s, bare "
            f"{side**2 / bare / 1e6:6.2f}: ratio {ratio:.3f} (by CPU seconds of all threads "
            f"{per_cpu:.3f}), peak {seen.peak_gb:.2f} GB, pixels read "
            f"{seen.pixels_read / side**2:.2f} times", flush=True,
        )  # fmt: skip
        source.unlink()
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--side", type=int, default=60_000, help="of the patch net's raster, px; 0 skips"
    )
    parser.add_argument("--unet-side", type=int, default=20_000, help="of the U-Net's, px; 0 skips")
    parser.add_argument("--unit", type=int, default=60_000, help="width of a unit of work, px")
    parser.add_argument(
        "--bare-s", type=float, default=5.0, help="seconds a turn of the bare model"
    )
    parser.add_argument(
        "--inputs", nargs="+", default=list(COMPRESSIONS), choices=list(COMPRESSIONS)
    )
    given = parser.parse_args()
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    good = True
    with TemporaryDirectory() as folder, rasterio.Env(GDAL_CACHEMAX=CACHE_MB):
        for run in runs(given, Path(folder)):
            good &= measure(*run, given, Path(folder))
    print("bars met" if good else "BARS NOT MET")
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()
