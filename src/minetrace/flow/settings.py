"""Files of settings: reading them, writing them, and the first complaint about one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from minetrace.core.bands import nearest
from minetrace.errors import MissingFileError, NoPermissionError, StudyError
from minetrace.store.http import redacted

Kinds = Mapping[str, Mapping[str, type[BaseModel]]]
"""By key: what each of its entries may be, by the word that pydantic puts into its place."""


class _Loader(yaml.SafeLoader):
    """YAML in which a key is a word: ``off`` is not ``false``, as its version 1.1 would have it."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:bool":
                key.tag = "tag:yaml.org,2002:str"
        return super().construct_mapping(node, deep)


def read_settings(path: Path, *, remedy: str) -> Mapping[str, Any]:
    """What a YAML file says.

    Args:
        path: of the file.
        remedy: what to do where it is not there or empty.

    Raises:
        MissingFileError: it is not there.
        NoPermissionError: it may not be read.
        StudyError: it is no YAML, or holds no keys.
    """
    try:
        if not path.is_file():
            raise MissingFileError(f"{path}: no such file; {remedy}")
        settings = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise StudyError(f"{path}: not YAML ({' '.join(str(error).split())})") from error
    except PermissionError as error:
        raise NoPermissionError(f"{path}: may not be read; ask its owner") from error
    if not isinstance(settings, Mapping):
        raise StudyError(f"{path}: is empty or has no keys at its top; {remedy}")
    return settings


def as_yaml(settings: BaseModel) -> str:
    """Settings as YAML, as resolved."""
    said = settings.model_dump(mode="json", exclude_none=True)
    return yaml.safe_dump(said, sort_keys=False, allow_unicode=True)


def complaint(error: ValidationError, root: type[BaseModel], kinds: Kinds | None = None) -> str:
    """What to correct first.

    Args:
        error: what pydantic says.
        root: the settings that were read.
        kinds: of keys whose entries are of several kinds.
    """
    problems = error.errors()
    # an unknown key says more than the complaints that follow from it
    first = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    steps = list(_steps(first["loc"], kinds or {}))
    place = ".".join(str(step) for step, kind in steps if kind is None
                     and (isinstance(step, int) or step.isidentifier()))  # fmt: skip
    if first["type"] == "extra_forbidden":
        known = _known_keys(steps[:-1], root)
        hint = nearest(str(first["loc"][-1]), known)
        meant = f"did you mean {hint!r}? " if hint else ""
        return f"unknown key {place!r}; {meant}known here: {', '.join(known)}"
    if first["type"] == "missing":
        return f"{place!r} is missing"
    text = f"{first['msg'].removeprefix('Value error, ')}{_shown(first.get('input'))}"
    return f"{place}: {text}" if place else text


def _shown(given: object) -> str:
    if isinstance(given, str) and "://" in given:
        given = redacted(given)  # it may hold a password
    return f" (given: {given!r})" if isinstance(given, str | int | float | bool) else ""


def _steps(
    loc: Sequence[int | str], kinds: Kinds
) -> list[tuple[int | str, type[BaseModel] | None]]:
    """Each part of a place, and the model it stands for if it is only a word for a kind."""
    steps: list[tuple[int | str, type[BaseModel] | None]] = []
    for number, part in enumerate(loc):
        key = loc[number - 2] if number >= 2 else ""
        steps.append((part, kinds.get(str(key), {}).get(str(part))))
    return steps


def _known_keys(
    steps: Sequence[tuple[int | str, type[BaseModel] | None]], root: type[BaseModel]
) -> list[str]:
    model = root
    for step, kind in steps:
        if kind is not None:
            model = kind
        elif isinstance(step, str) and step in model.model_fields:
            model = _model_in(model.model_fields[step].annotation) or model
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(inner) for inner in getattr(annotation, "__args__", ()))
    return next((model for model in found if model is not None), None)
