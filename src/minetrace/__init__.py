"""Maps of mining through time from satellite imagery.

The same verbs as the command line:

    import minetrace as mt

    run = mt.run("study.yaml")          # goes on where it stopped
    run.hectares()                      # per period, and what kind of hectares they are
    run.panel()                         # one row per site and period
    run.composite("2021"), run.scores("2021")
    run.explore()                       # the map, in a notebook

Names are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minetrace.core.period import Period
    from minetrace.errors import FailedError, MinetraceError, UserError
    from minetrace.faces.library.evaluations import evaluate
    from minetrace.faces.library.models import Model, load_model
    from minetrace.faces.library.panels import build_panel
    from minetrace.faces.library.runs import open_run, run
    from minetrace.faces.library.samples import estimate
    from minetrace.faces.library.tallies import tally
    from minetrace.faces.library.trainings import train
    from minetrace.flow.open_run import Run
    from minetrace.flow.study import Study

__version__ = "0.1.0"
__all__ = [
    "FailedError",
    "MinetraceError",
    "Model",
    "Period",
    "Run",
    "Study",
    "UserError",
    "__version__",
    "build_panel",
    "estimate",
    "evaluate",
    "load_model",
    "open_run",
    "run",
    "tally",
    "train",
]

# Libraries that report who uses them, unless told before they load; what is said already stands.
for _silence in ("ORT_DISABLE_TELEMETRY", "NO_ALBUMENTATIONS_UPDATE"):
    os.environ.setdefault(_silence, "1")

_HOMES = {
    "FailedError": "errors",
    "MinetraceError": "errors",
    "Model": "faces.library.models",
    "Period": "core.period",
    "Run": "flow.open_run",
    "Study": "flow.study",
    "UserError": "errors",
    "build_panel": "faces.library.panels",
    "estimate": "faces.library.samples",
    "evaluate": "faces.library.evaluations",
    "load_model": "faces.library.models",
    "open_run": "faces.library.runs",
    "run": "faces.library.runs",
    "tally": "faces.library.tallies",
    "train": "faces.library.trainings",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'minetrace' has no attribute {name!r}")
    value = getattr(import_module(f"minetrace.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
