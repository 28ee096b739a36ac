"""Walk through the page of a study: give its commands in their order, in a fresh folder.

    python studies/walk.py studies/tropical-panel OUT

A page shows what a reader types in blocks that are marked ``console``, a command after each ``$``.
The study's own files are copied into the folder first, and the walk ends at the first command that
fails. Blocks of other kinds are for reading: they need what is not here, such as a network.
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
    """The environment of the commands: this Python's own come first."""
    here = str(Path(sys.executable).parent)
    told = {**os.environ, "PATH": here + os.pathsep + os.environ.get("PATH", ""),
            "HF_HUB_OFFLINE": "1"}  # fmt: skip
    loads = subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True,
                           text=True, check=False)  # fmt: skip
    if "operator torchvision::" in loads.stderr:
        print("torchvision is of another build than torch here, and is helped to load: see "
              "studies/torchvision")  # fmt: skip
        told["PYTHONPATH"] = os.pathsep.join(
            filter(None, (str(HOME / "torchvision"), os.environ.get("PYTHONPATH")))
        )
    return told


def main(study: Path, out: Path) -> None:
    lay_out(study, out)
    world = surroundings()
    began, took = time.monotonic(), []
    for command in commands(study):
        print(f"\n$ {command}", flush=True)
        start = time.monotonic()
        done = subprocess.run(["bash", "-c", command], cwd=out, env=world, check=False)
        took.append((time.monotonic() - start, command))
        if done.returncode:
            raise SystemExit(f"{study.name}: exit code {done.returncode} of: {command}")
    print(f"\n{study.name}: {time.monotonic() - began:.0f} s in {out}")
    for seconds, command in took:
        print(f"{seconds:7.1f} s  {command}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
