"""Libraries that only some networks need, loaded when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from minetrace.errors import MissingExtraError


def library(module: str, package: str, extra: str) -> ModuleType:
    """A library.

    Args:
        module: to import.
        package: its name on the package index.
        extra: of ours that brings it.

    Raises:
        MissingExtraError: it is not installed, or cannot be loaded.
    """
    with library_errors(package, extra):
        return import_module(module)


def need(extra: str, *modules: str) -> None:
    """See, without loading them, that libraries are installed.

    Raises:
        MissingExtraError: one is not.
    """
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise MissingExtraError(
            f"this needs {', '.join(missing)}: pip install 'minetrace[{extra}]'"
        )  # fmt: skip


@contextmanager
def library_errors(package: str, extra: str) -> Iterator[None]:
    """Errors of loading a library, or a part of it that it loads late, as ours."""
    try:
        yield
    except ImportError as error:
        if "torchvision" in _causes(error):
            raise MissingExtraError(_unfit(package, error)) from error
        raise MissingExtraError(
            f"this network needs {package}: pip install 'minetrace[{extra}]'"
        ) from error
    except RuntimeError as error:  # a torchvision that was built for another torch
        if "torchvision" not in str(error):
            raise
        raise MissingExtraError(_unfit(package, error)) from error


def _causes(error: BaseException | None) -> str:
    said = ""
    while error is not None:
        said += str(error)
        error = error.__cause__ or error.__context__
    return said


def _unfit(package: str, error: Exception) -> str:
    return (
        f"{package} is installed and cannot be loaded ({_first(error)}); torch and torchvision "
        "have to be of one build: pip install --force-reinstall torch torchvision (for CPU with "
        "--index-url https://download.pytorch.org/whl/cpu), or, where nothing else needs it: "
        "pip uninstall torchvision"
    )


def _first(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
