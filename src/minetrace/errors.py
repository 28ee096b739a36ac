"""The one family of errors.

MinetraceError
├── UserError                        what the user gave cannot be used: exit code 2
│   ├── StudyError        (ValueError)         a study file or a flag
│   ├── RegionError       (ValueError)         a region that is no region
│   ├── PeriodError       (ValueError)         a period that is no period
│   ├── MissingFileError  (FileNotFoundError)  a path that is not there
│   ├── MissingExtraError (ImportError)        an optional part that is not installed
│   ├── RasterError       (OSError)            a raster that cannot be read or placed
│   ├── BandError         (LookupError)        a band that is not there
│   ├── RadiometryError   (ValueError)         pixel values whose meaning would be a guess
│   ├── NoImageryError    (LookupError)        nothing to look at, in any period
│   ├── ModelError        (ValueError)         a model that does not fit its card or the imagery
│   ├── OutlineError      (ValueError)         outlines that cannot be used as given
│   ├── LabelError        (ValueError)         labels that cannot be used as given
│   ├── DataSetError      (ValueError)         a set of chips that cannot be used as given
│   ├── LeakageError      (ValueError)         a split whose test is no test
│   ├── RunError          (ValueError)         a run folder that cannot be used
│   ├── RunInUseError     (BlockingIOError)    a run folder that another process works on
│   └── NoPermissionError (PermissionError)    a place that may not be read or written
└── FailedError                      the run itself failed: exit code 1
    ├── ReadFailedError   (OSError)            pixels that could not be read this time
    ├── DiskFullError     (OSError)            no room left
    ├── TilesFailedError  (RuntimeError)       tiles that failed, each with its reason on disk
    ├── DeliveryError     (ConnectionError)    alerts that could not be handed on
    ├── UnreconciledError (ArithmeticError)    parts of a tally that do not add up to the whole
    └── InterruptedRunError (RuntimeError)     stopped by the user

Each is also the built-in that a stranger would catch, and its message holds the remedy.
"""

from __future__ import annotations


class MinetraceError(Exception):
    """Base of every error that minetrace raises on purpose."""

    exit_code = 1


class UserError(MinetraceError):
    """Something that the user gave cannot be used."""

    exit_code = 2


class StudyError(UserError, ValueError):
    """A study file or a flag says something that cannot be done."""


class RegionError(UserError, ValueError):
    """A region that is empty, crosses itself or lies nowhere."""


class PeriodError(UserError, ValueError):
    """A period that is empty, overlaps another or cannot be understood."""


class MissingFileError(UserError, FileNotFoundError):
    """A path that is not there."""


class MissingExtraError(UserError, ImportError):
    """An optional part of minetrace that is not installed."""


class RasterError(UserError, OSError):
    """A raster that cannot be opened, is cut short, or has no place on Earth."""


class BandError(UserError, LookupError):
    """A band that the imagery does not have."""


class RadiometryError(UserError, ValueError):
    """Pixel values whose meaning would have to be guessed."""


class NoImageryError(UserError, LookupError):
    """No imagery over the region in any of the periods."""


class ModelError(UserError, ValueError):
    """A model that does not fit its card, or imagery that does not fit the model."""


class OutlineError(UserError, ValueError):
    """Outlines that cannot be used as given."""


class LabelError(UserError, ValueError):
    """Labels that cannot be used as given."""


class DataSetError(UserError, ValueError):
    """A set of chips that cannot be used as given."""


class LeakageError(UserError, ValueError):
    """A split that shows the test what was trained on."""


class RunError(UserError, ValueError):
    """A folder that is not a run, or a run that cannot be used so."""


class RunInUseError(UserError, BlockingIOError):
    """A run folder that another process is working on."""


class NoPermissionError(UserError, PermissionError):
    """A place that may not be read or written."""


class FailedError(MinetraceError):
    """The run itself failed; what was done is kept."""


class ReadFailedError(FailedError, OSError):
    """Pixels that could not be read this time."""


class DiskFullError(FailedError, OSError):
    """No room left where the run is written."""


class TilesFailedError(FailedError, RuntimeError):
    """Some tiles failed; each says why in its own file."""


class DeliveryError(FailedError, ConnectionError):
    """Alerts that could not be handed on; they are kept and tried again."""


class UnreconciledError(FailedError, ArithmeticError):
    """Hectares by territory that do not add up to the panel's; they are not handed out."""


class InterruptedRunError(FailedError, RuntimeError):
    """The run was stopped; the same command goes on from there."""

    exit_code = 130
