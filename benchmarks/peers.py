"""One scene, one network, one overlap: minetrace, TerraTorch's tiled inference, a plain loop.

    python benchmarks/peers.py [--side 2048] [--repeats 3] [--strip 60000]

The network is a U-Net with seeded weights and padded convolutions, as torch and as the ONNX file
exported from it; windows of 512 pixels at a stride of 384. Each tool reads the same GeoTIFF, and
writes probabilities as a tiled GeoTIFF of 16-bit numbers; each in a process of its own with one
thread, in turns, of which the quickest counts.

- *minetrace* sweeps over tiles of 512 pixels. Windows that reach over the scene's edge do not
  count for it, while the other two fill them up, so the scene's side is one that windows fill.
- *TerraTorch* is given the whole scene, as `tiled_inference` wants it, with its own defaults for
  the rest: 8 pixels cut off each window's edge, windows blended by cosine.
- *The plain loop* reads a window, keeps its inner 384 pixels and writes them.

The seam is the mean jump between neighbouring pixels across the edges where a tool joins windows
or tiles, over that inside: 1 is none. What a scene of 60,000 pixels a side needs is computed, from
two sizes, as memory that does not depend on the size and memory that grows with the pixels;
minetrace's, whose memory grows with the width, is measured on a strip as wide as that.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

WINDOW_PX, STRIDE_PX, TILE_PX, BATCH = 512, 384, 512, 1
BANDS = ("blue", "green", "red", "nir", "swir16", "swir22")
SCALE, MEAN = 1 / 0.3, 0.0
TRIM_PX = 8  # what TerraTorch cuts off by default
WHOLE_PX = 60_000
WARM_PX = WINDOW_PX + STRIDE_PX
BESIDE_PX = 3  # how far from an edge "inside" is measured
TORCHVISION = Path(__file__).resolve().parents[1] / "studies" / "torchvision"
TOOLS = ("minetrace", "terratorch", "plain")
EDGES = {  # where a tool joins what it made, modulo the stride, besides every TILE_PX of minetrace
    "minetrace": (0, WINDOW_PX % STRIDE_PX),
    "terratorch": (0, (WINDOW_PX - 2 * TRIM_PX) % STRIDE_PX),
    "plain": (0,),
}


@dataclass(frozen=True)
class Turn:
    """What one tool took once: seconds, CPU seconds, and memory, MB."""

    seconds: float
    cpu_s: float
    began_mb: float
    peak_mb: float


def network() -> Any:
    """The U-Net, its weights drawn from a seed."""
    import torch

    from minetrace.models.unet import UNet

    torch.manual_seed(5)
    torch.set_num_threads(1)
    net = UNet(len(BANDS), width=16, depth=3).eval()
    with torch.no_grad():  # answers that are not all alike
        said = net(torch.rand(1, len(BANDS), 1, 1).expand(1, -1, 64, 64) + torch.rand(1, 1, 64, 64))
        net.head.bias -= said.mean()
        net.head.weight *= 1 / said.std()
    return net


def prepare(folder: Path, sides: Sequence[tuple[int, int]]) -> None:
    """Write the scenes and the model file."""
    from minetrace.core.model import ModelCard, Scaling
    from minetrace.models.calibration import Calibration
    from minetrace.models.torch_export import Finished, to_onnx
    from minetrace.predict.model_file import write_model
    from scan import COMPRESSIONS, GRID, write_patch, write_vrt

    card = ModelCard(
        name="peers", bands=BANDS, window=WINDOW_PX, stride=STRIDE_PX, output="pixels",
        extent="mined", scaling=dict.fromkeys(BANDS, Scaling(SCALE, MEAN, (0.0, 0.6))),
        resolution_m=GRID.resolution_m,
    )  # fmt: skip
    onnx = to_onnx(Finished([network()], Calibration(1.0, 0.0)), len(BANDS), WINDOW_PX)
    write_model(folder / "model", onnx, card)
    for height, width in sides:
        patch = min(2048, height)
        write_patch(folder / f"patch{patch}.tif", len(BANDS), COMPRESSIONS["zstd"], patch)
        write_vrt(scene(folder, height, width), folder / f"patch{patch}.tif", len(BANDS),
                  (height, width), patch)  # fmt: skip


def scene(folder: Path, height: int, width: int) -> Path:
    """Where a scene lies."""
    return folder / f"scene{height}x{width}.vrt"


class Result:
    """The GeoTIFF that a tool fills."""

    def __init__(self, path: Path, height: int, width: int) -> None:
        self._file = rasterio.open(
            path, "w", driver="GTiff", height=height, width=width, count=1, dtype="uint16",
            tiled=True, blockxsize=256, blockysize=256, compress="zstd", zstd_level=3,
        )  # fmt: skip

    def put(self, row: int, col: int, stored: NDArray[np.uint16]) -> None:
        """Write a part."""
        self._file.write(stored, 1, window=Window(col, row, stored.shape[1], stored.shape[0]))

    def close(self) -> None:
        """Write what is left."""
        self._file.close()


def stored(probability: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Probability x 10,000."""
    return np.rint(probability * 10_000).astype(np.uint16)


def scaled(pixels: NDArray[np.int16]) -> NDArray[np.float32]:
    """Reflectance x 10,000 to what the network takes."""
    reflectance = pixels.astype(np.float32) / np.float32(10_000)
    return np.clip(reflectance, 0.0, 0.6) * np.float32(SCALE)


def by_minetrace(folder: Path, height: int, width: int, result: Result) -> None:
    from minetrace.core.grid import Rect
    from minetrace.predict.onnx import OnnxScorer
    from minetrace.predict.scan import ScanOptions, scan
    from scan import GRID, Reader

    read = Reader(scene(folder, height, width), len(BANDS))
    whole = Rect(0, 0, height, width)
    tiles = [tile & whole for tile in whole.blocks(TILE_PX)]
    scorer, options = OnnxScorer.open(folder / "model"), ScanOptions(ahead=False)  # one thread
    for rect, scores in scan(read, scorer, GRID, tiles, options=options):
        result.put(rect.row, rect.col, scores.values[0])


def by_terratorch(folder: Path, height: int, width: int, result: Result) -> None:
    import torch
    from terratorch.tasks.tiled_inference import tiled_inference

    net = network()
    with rasterio.open(scene(folder, height, width)) as source:
        image = torch.from_numpy(scaled(source.read()))[None]
    found = tiled_inference(
        lambda x: torch.sigmoid(net(x)), image, crop=WINDOW_PX, stride=STRIDE_PX, batch_size=BATCH
    )
    result.put(0, 0, stored(found[0, 0].numpy()))


def by_plain(folder: Path, height: int, width: int, result: Result) -> None:
    import torch

    net, margin = network(), (WINDOW_PX - STRIDE_PX) // 2
    with rasterio.open(scene(folder, height, width)) as source, torch.no_grad():
        for row in range(0, height, STRIDE_PX):
            for col in range(0, width, STRIDE_PX):
                top, left = row - margin, col - margin
                window = Window(left, top, WINDOW_PX, WINDOW_PX)
                pixels = source.read(window=window, boundless=True, fill_value=0)
                found = torch.sigmoid(net(torch.from_numpy(scaled(pixels))[None]))[0, 0].numpy()
                kept = found[margin : margin + STRIDE_PX, margin : margin + STRIDE_PX]
                result.put(row, col, stored(kept[: height - row, : width - col]))


def measure(tool: str, folder: Path, height: int, width: int) -> Turn:
    """Do it in this process; what it loads and tries first is not counted."""
    work = {"minetrace": by_minetrace, "terratorch": by_terratorch, "plain": by_plain}[tool]
    warm = Result(folder / "warm.tif", WARM_PX, WARM_PX)
    work(folder, WARM_PX, WARM_PX, warm)
    warm.close()
    began_mb = _peak_mb()
    clock, cpu = time.perf_counter(), time.process_time()
    result = Result(folder / f"{tool}.tif", height, width)
    work(folder, height, width, result)
    result.close()
    return Turn(time.perf_counter() - clock, time.process_time() - cpu, began_mb, _peak_mb())


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def asked(tool: str, folder: Path, height: int, width: int) -> Turn:
    """Let a process of its own do it."""
    paths = _beside_torchvision() if tool == "terratorch" else []
    ones = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "GDAL_NUM_THREADS"), "1")
    said = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, "--only", tool, "--folder", str(folder),
         "--side", str(height), "--width", str(width)],
        check=True, stdout=subprocess.PIPE, text=True,
        env={**os.environ, **ones, "GDAL_CACHEMAX": "128", "PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip
    return Turn(**json.loads(said.stdout.splitlines()[-1]))


@cache
def _beside_torchvision() -> list[str]:
    """What lets torchvision load where its native part is of another build than torch."""
    tried = subprocess.run([sys.executable, "-c", "import torchvision"], stderr=subprocess.DEVNULL)
    return [str(TORCHVISION)] if tried.returncode else []


def seam(tool: str, path: Path) -> float:
    """The jump across the worst kind of edge over that beside it, rows and columns alike."""
    with rasterio.open(path) as source:
        values = source.read(1).astype(np.float64)
    kinds = [(offset, STRIDE_PX) for offset in EDGES[tool]]
    kinds += [(0, TILE_PX)] if tool == "minetrace" else []
    return max(_jump(values, *kind) for kind in kinds)


def _jump(values: NDArray[np.float64], offset: int, every: int) -> float:
    across, inside = [], []
    for turned in (values, values.T):
        jumps = np.abs(np.diff(turned, axis=1)).mean(axis=0)  # [i]: between i and i + 1
        edges = np.arange(offset, turned.shape[1] - WINDOW_PX, every)
        edges = edges[edges >= WINDOW_PX // 2] - 1
        across.append(jumps[edges])
        inside += [jumps[edges - BESIDE_PX], jumps[edges + BESIDE_PX]]
    return float(np.concatenate(across).mean() / np.concatenate(inside).mean())


def filled(side: int) -> int:
    """The side that windows fill, at most so large."""
    return WINDOW_PX + (side - WINDOW_PX) // STRIDE_PX * STRIDE_PX


def fastest(turns: Sequence[Turn]) -> Turn:
    return min(turns, key=lambda turn: turn.seconds)


def grown(small: Turn, large: Turn, small_mpx: float, large_mpx: float) -> tuple[float, float]:
    """Memory at no pixels, and a Mpx: MB."""
    slope = (large.peak_mb - small.peak_mb) / (large_mpx - small_mpx)
    return small.peak_mb - slope * small_mpx, slope


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--strip", type=int, default=0, help="width of minetrace's strip, px")
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=TOOLS)
    for own in ("--only", "--folder"):
        parser.add_argument(own, help=argparse.SUPPRESS)
    parser.add_argument("--width", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        turn = measure(given.only, Path(given.folder), given.side, given.width)
        print(json.dumps(vars(turn)))
        return
    with TemporaryDirectory() as folder:
        compare(Path(folder), given)


def compare(folder: Path, given: argparse.Namespace) -> None:
    """Everybody in turns, at two sizes; a table."""
    side = filled(given.side)
    half = filled(side // 2)
    strip = [(WINDOW_PX, given.strip)] if given.strip else []
    prepare(folder, [(WARM_PX, WARM_PX), (half, half), (side, side), *strip])
    small: dict[str, Turn] = {t: asked(t, folder, half, half) for t in given.tools}
    turns: dict[str, list[Turn]] = {tool: [] for tool in given.tools}
    for _ in range(given.repeats):
        for tool in given.tools:
            turns[tool].append(asked(tool, folder, side, side))
    print(f"{side} x {side} px, {len(BANDS)} bands, windows {WINDOW_PX} px, stride {STRIDE_PX}; "
          f"{_versions()}; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")  # fmt: skip
    print(f"{'':<12}{'Mpx/s':>8}{'per CPU s':>11}{'peak MB':>9}{'at start':>10}{'seam':>7}"
          f"  {WHOLE_PX:,} px a side, computed")  # fmt: skip
    for tool, taken in turns.items():
        best, mpx = fastest(taken), side**2 / 1e6
        fixed, each = grown(small[tool], best, half**2 / 1e6, mpx)
        whole = WHOLE_PX**2 / 1e6
        hours, gb = whole * best.seconds / mpx / 3600, (fixed + each * whole) / 1024
        ahead = f"{gb:,.1f} GB" if tool == "terratorch" else "its memory does not follow the pixels"
        print(f"{tool:<12}{mpx / best.seconds:8.2f}{mpx / min(t.cpu_s for t in taken):11.2f}"
              f"{best.peak_mb:9.0f}{best.began_mb:10.0f}{seam(tool, folder / f'{tool}.tif'):7.2f}"
              f"  {hours:.1f} h, {ahead}", flush=True)  # fmt: skip
    if given.strip:
        turn = asked("minetrace", folder, WINDOW_PX, given.strip)
        print(f"minetrace, a strip {given.strip:,} px wide and {WINDOW_PX} high: "
              f"{WINDOW_PX * given.strip / 1e6 / turn.seconds:.2f} Mpx/s, peak {turn.peak_mb:.0f} "
              f"MB; it does not grow with the height")  # fmt: skip


def _versions() -> str:
    told = []
    for name in ("minetrace", "torch", "onnxruntime", "terratorch"):
        try:
            told.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(told)


if __name__ == "__main__":
    main()
