"""Walk through the page of a study: give its commands in their order, in a fresh folder.

    python studies/walk.py studies/tropical-panel OUT

A page shows what a reader types in blocks that are marked ``console``, a command after each ``$``.
The study's own files are copied into the folder first, and the walk ends at the first command that
fails. Blocks of other kinds are for reading: they need what is not here, such as a network. At the end
stand the seconds of each command, by the clock and of processors.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

HOME = Path(__file__).resolve().parent
_BLOCK = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)


def commands(study: Path) -> list[str]:
    """The commands of a study's page, in order."""
    text = (study / "README.md").read_text(encoding="utf-8")
    lines = [line for block in _BLOCK.findall(text) for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def lay_out(study: Path, out: Path) -> None:
    """Copy what a study brings into a folder that is not there yet, or is empty."""
    if out.exists() and any(out.iterdir()):
        raise SystemExit(f"{out}: is not empty; give a new folder, or remove this one")
    shutil.copytree(study, out, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))


def surroundings() -> dict[str, str]:
    """The environment of the commands: this Python's own come first, and a process has one core."""
    here = str(Path(sys.executable).parent)
    told = {"OMP_NUM_THREADS": "1", **os.environ, "HF_HUB_OFFLINE": "1",
            "PATH": here + os.pathsep + os.environ.get("PATH", "")}  # fmt: skip
    loads = subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True,
                           text=True, check=False)  # fmt: skip
    if "operator torchvision::" in loads.stderr:
        print("torchvision is of another build than torch here, and is helped to load: see "
              "studies/torchvision")  # fmt: skip
        told["PYTHONPATH"] = os.pathsep.join(
            filter(None, (str(HOME / "torchvision"), os.environ.get("PYTHONPATH")))
        )
    return told


def processors_s() -> float:
    """Seconds that the processes of the commands have kept processors busy."""
    used = os.times()
    return used.children_user + used.children_system


def main(study: Path, out: Path) -> None:
    lay_out(study, out)
    world = surroundings()
    took = []
    for command in commands(study):
        print(f"\n$ {command}", flush=True)
        start, used = time.monotonic(), processors_s()
        done = subprocess.run(["bash", "-c", command], cwd=out, env=world, check=False)
        took.append((time.monotonic() - start, processors_s() - used, command))
        if done.returncode:
            raise SystemExit(f"{study.name}: exit code {done.returncode} of: {command}")
    wall, busy = (sum(one[at] for one in took) for at in (0, 1))
    print(f"\n{study.name}: {wall:.0f} s, {busy:.0f} s of processors, in {out}")
    for seconds, of_processors, command in took:
        print(f"{seconds:7.1f} s {of_processors:7.1f} s  {command}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
