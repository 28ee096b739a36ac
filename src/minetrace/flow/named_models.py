"""Models by name: those that come with minetrace, and those that a list of the user's names."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError

from minetrace.core.bands import nearest
from minetrace.errors import ModelError
from minetrace.flow.settings import complaint, read_settings
from minetrace.flow.study_parts import Closed
from minetrace.models import registry
from minetrace.models.registry import Entry
from minetrace.predict.model_file import read_model
from minetrace.store.fetched import fetch_once
from minetrace.store.files import sha256
from minetrace.store.http import holds_secret

SPECTRAL = "spectral"
VARIABLE = "MINETRACE_MODELS"
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)


def _plain(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        raise ValueError("give lower-case letters, digits, hyphens and points")
    return name


def _hash(said: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", said):
        raise ValueError("give the 64 hexadecimal digits that 'minetrace models export' prints")
    return said.lower()


def _open(source: str) -> str:
    if "://" in source and not _ADDRESS.match(source):
        raise ValueError("an address begins with http:// or https://; of a file here give its path")
    if _ADDRESS.match(source) and holds_secret(source):
        raise ValueError(
            "lists are handed on, so their addresses hold no password, key or token; put the "
            "file where it can be had without, or give its path"
        )
    return source


class NamedModel(Closed):
    """One model of a list."""

    name: Annotated[str, AfterValidator(_plain)] = Field(
        max_length=100, description="what a study calls it"
    )
    source: Annotated[str, AfterValidator(_open)] = Field(
        description="URL of a zip, or a folder or zip, from the list's folder on"
    )
    sha256: Annotated[str, AfterValidator(_hash)] = Field(
        description="of a zip, of the file; of a folder, as in its card"
    )
    licence: str = Field(description="SPDX identifier of the weights")
    version: str = Field(description="of the weights")
    purpose: str = Field(description="one line on what it is for")
    not_for: str = Field(description="one line on what it must not be believed on")
    default: bool = Field(False, description="the first to try")


class ModelList(Closed):
    """A file that names models."""

    models: tuple[NamedModel, ...]


def entries() -> tuple[Entry, ...]:
    """Every model that has a name: the defaults first, the user's before those shipped.

    Raises:
        MissingFileError: ``MINETRACE_MODELS`` names no file.
        StudyError: the file is no YAML.
        ModelError: it is no list of models, or gives a name twice.
    """
    own = _own()
    names = [SPECTRAL, *(entry.name for entry in (*registry.entries(), *own))]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise ModelError(
            f"{os.environ[VARIABLE]}: {twice!r} is the name of another model; choose another name"
        )
    return tuple(sorted((*own, *registry.entries()), key=lambda entry: not entry.default))


def model_names() -> tuple[str, ...]:
    """Every name that may stand for a model."""
    return (SPECTRAL, *(entry.name for entry in entries()))


def place_of(name: str) -> Path:
    """The folder or zip of a name, fetched if it lies at an address, and held against its hash.

    Raises:
        ModelError: nothing has that name, or what is there is another model.
        MissingFileError: there is none.
        ReadFailedError: it cannot be fetched this time.
    """
    refuse_unknown(name)
    entry = next((entry for entry in entries() if entry.name == name), None)
    if entry is None:
        raise ModelError(f"{name} is built in and has no file; give a model folder or zip")
    if _ADDRESS.match(entry.source):
        return fetch_once(entry.source, entry.sha256, f"{name}.zip")
    path = registry.SHIPPED / entry.source  # an absolute path stands for itself
    found = read_model(path)[1].sha256 if path.is_dir() or not path.exists() else sha256(path)
    if found != entry.sha256:
        raise ModelError(
            f"{path}: not the model that {name} names (sha256 {found[:12]}..., listed "
            f"{entry.sha256[:12]}...); get it again, or name its new version in the list"
        )
    return path


def refuse_unknown(name: str) -> None:
    """Check that something has a name.

    Raises:
        ModelError: nothing has.
    """
    known = model_names()
    if name not in known:
        hint = nearest(name, known)
        raise ModelError(
            f"no model is called {name!r}; "
            + (f"did you mean {hint!r}? The" if hint else "the")
            + f" names are {', '.join(known)}; give one of them, the path of a model "
            f"folder or zip, or a list that has it in {VARIABLE}"
        )


def _own() -> tuple[Entry, ...]:
    said = os.environ.get(VARIABLE, "")
    if not said:
        return ()
    path = Path(os.path.expanduser(said))  # which stays as it is where nobody has that name
    settings = read_settings(
        path, remedy=f"{VARIABLE} has to name a file that lists models, or be unset"
    )
    try:
        listed = ModelList.model_validate(settings)
    except ValidationError as error:
        raise ModelError(f"{path}: {complaint(error, ModelList)}") from error
    return tuple(Entry(**(one.model_dump() | {"source": _from(path, one.source)}))
                 for one in listed.models)  # fmt: skip


def _from(file: Path, source: str) -> str:
    if _ADDRESS.match(source):
        return source
    return str(file.resolve().parent / os.path.expanduser(source))
