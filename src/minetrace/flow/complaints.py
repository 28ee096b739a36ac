"""The first complaint about a file of settings, as one sentence with a remedy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from minetrace.core.bands import nearest


def complaint(error: ValidationError, root: type[BaseModel]) -> str:
    """What to correct first.

    Args:
        error: what pydantic says.
        root: the settings that were read.
    """
    problems = error.errors()
    # an unknown key says more than the complaints that follow from it
    first = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    loc = first["loc"]
    place = ".".join(str(part) for part in loc if isinstance(part, int) or part.isidentifier())
    if first["type"] == "extra_forbidden":
        known = _known_keys(loc[:-1], root)
        hint = nearest(str(loc[-1]), known)
        meant = f"did you mean {hint!r}? " if hint else ""
        return f"unknown key {place!r}; {meant}known here: {', '.join(known)}"
    if first["type"] == "missing":
        return f"{place!r} is missing"
    given = first.get("input")
    shown = f" (given: {given!r})" if isinstance(given, str | int | float | bool) else ""
    text = f"{first['msg'].removeprefix('Value error, ')}{shown}"
    return f"{place}: {text}" if place else text


def _known_keys(place: Sequence[int | str], root: type[BaseModel]) -> list[str]:
    model = root
    for step in place:
        if isinstance(step, str) and step in model.model_fields:
            model = _model_in(model.model_fields[step].annotation) or model
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(inner) for inner in getattr(annotation, "__args__", ()))
    return next((model for model in found if model is not None), None)
