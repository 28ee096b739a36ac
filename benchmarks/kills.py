"""Kill a run of the demo's country again and again, and compare what it ends with to a calm run.

    python benchmarks/kills.py [--kills 30] [--size 1024]

Each kill is a SIGKILL to the whole process group at a random moment; then the same command is
given again. At the end every decoded pixel and every row must equal those of an undisturbed run,
and nothing temporary may be left.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from minetrace.flow.study import Study
from minetrace.testing.results import assert_equal, leftovers
from minetrace.testing.world import make_world, world_study


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--size", type=int, default=1024)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        world = make_world(root / "world", size_px=given.size)
        settings = {**world_study(world, name="kills"), "grid": {"tile": 256}}
        (root / "study.yaml").write_text(Study.of(settings).dump())
        began = time.monotonic()
        subprocess.run(command(root, "calm"), check=True, stdout=subprocess.DEVNULL)
        calm_s = time.monotonic() - began
        kills = attempts = finished = 0
        moments = random.Random(1)
        while kills < given.kills:
            attempts += 1
            with subprocess.Popen(
                command(root, "killed"), start_new_session=True, stdout=subprocess.DEVNULL
            ) as process:
                try:
                    process.wait(moments.uniform(0.8, 0.5 * calm_s + 1))
                    finished += 1
                    # finished before the kill: throw away some of it and go on
                    for path in moments.sample(sorted((root / "killed").rglob("*.json")), 40):
                        path.unlink(missing_ok=True)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    kills += 1
            print(f"kill {kills} of {given.kills}", end="\r", flush=True)
        subprocess.run(command(root, "killed"), check=True, stdout=subprocess.DEVNULL)
        assert_equal(root / "calm", root / "killed")
        left = leftovers(root / "killed")
        print(f"calm run {calm_s:.1f} s; {kills} kills, {attempts} attempts, {finished} finished; "
              f"results equal; temporary files left: {len(left)}")  # fmt: skip
        assert not left


def command(root: Path, name: str) -> list[str]:
    return [sys.executable, "-m", "minetrace", "run", str(root / "study.yaml"),
            "--out", str(root / name), "--workers", "2", "--json"]  # fmt: skip


if __name__ == "__main__":
    main()
