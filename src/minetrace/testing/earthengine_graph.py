"""What a computation for Earth Engine comes to, on small made-up images: a few functions, in numpy.

Enough to answer the requests that ``sources.earthengine`` makes, and no more: an unknown function
is an error, so that a computation cannot go astray unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Picture:
    """An image on the grid that was asked for.

    Attributes:
        bands: (height, width) each.
        seen: likewise, True where a band is not masked.
        day: as ISO text.
    """

    bands: Mapping[str, Floats]
    seen: Mapping[str, NDArray[np.bool_]]
    day: str = ""


Load = Callable[[str], Any]
"""From the id of an image or a collection to a ``Picture`` or a list of them."""


def evaluate(expression: Mapping[str, Any], load: Load) -> Any:
    """The result of a computation."""
    return _Machine(expression["values"], load).value(expression["values"][expression["result"]])


@dataclass(frozen=True)
class _Machine:
    bodies: Mapping[str, Any]
    load: Load
    given: Any = None

    def value(self, node: Mapping[str, Any]) -> Any:
        """What a node comes to."""
        if "constantValue" in node:
            return node["constantValue"]
        if "argumentReference" in node:
            return self.given
        if "arrayValue" in node:
            return [self.value(one) for one in node["arrayValue"]["values"]]
        if "functionDefinitionValue" in node:
            body = self.bodies[node["functionDefinitionValue"]["body"]]
            return lambda each: replace(self, given=each).value(body)
        called = node["functionInvocationValue"]
        said = {name: self.value(one) for name, one in called["arguments"].items()}
        name = called["functionName"]
        if name in ("Image.load", "ImageCollection.load"):
            return self.load(said["id"])
        return FUNCTIONS[name](**said)


def _each(picture: Picture, change: Callable[[Floats], Floats]) -> Picture:
    return replace(picture, bands={k: change(v) for k, v in picture.bands.items()})


def _paired(image1: Picture, image2: Any, join: Callable[[Any, Any], Any]) -> Picture:
    others = image2 if isinstance(image2, Sequence) else [image2] * len(image1.bands)
    joined = {k: np.asarray(join(v, other), dtype=np.float64)
              for (k, v), other in zip(image1.bands.items(), others, strict=True)}  # fmt: skip
    return replace(image1, bands=joined)


def _select(input: Picture, bandSelectors: list[str], newNames: list[str] | None = None) -> Picture:
    names = newNames or bandSelectors
    pairs = list(zip(names, bandSelectors, strict=True))
    return replace(input, bands={n: input.bands[o] for n, o in pairs},
                   seen={n: input.seen[o] for n, o in pairs})  # fmt: skip


def _update_mask(image: Picture, mask: Picture) -> Picture:
    (only, values), *_ = mask.bands.items()
    there = (values != 0) & mask.seen[only]
    return replace(image, seen={k: v & there for k, v in image.seen.items()})


def _mask(image: Picture) -> Picture:
    every = {k: np.ones_like(v) for k, v in image.seen.items()}
    return replace(image, bands={k: v.astype(float) for k, v in image.seen.items()}, seen=every)


def _reduce(image: Picture, reducer: str) -> Picture:
    if reducer != "min":
        raise ValueError(reducer)
    low = np.minimum.reduce(list(image.bands.values()))
    return Picture({"min": low}, {"min": np.ones(low.shape, dtype=bool)})


def _mosaic(collection: list[Picture]) -> Picture:
    """The last image on top, as the service has it."""
    whole = collection[0]
    for one in collection[1:]:
        whole = Picture(
            {k: np.where(one.seen[k], v, whole.bands[k]) for k, v in one.bands.items()},
            {k: v | whole.seen[k] for k, v in one.seen.items()},
        )
    return whole


def _median(collection: list[Picture], reducer: str) -> Picture:
    bands, seen = {}, {}
    for name in collection[0].bands:
        stack = np.ma.masked_array([p.bands[name] for p in collection],
                                   mask=[~p.seen[name] for p in collection])  # fmt: skip
        median: Any = np.ma.median
        middle = median(stack, axis=0)
        bands[f"{name}_{reducer}"] = np.ma.filled(middle, 0.0)
        seen[f"{name}_{reducer}"] = ~np.ma.getmaskarray(middle)
    return Picture(bands, seen)


def _rename(input: Picture, names: list[str]) -> Picture:
    return Picture(dict(zip(names, input.bands.values(), strict=True)),
                   dict(zip(names, input.seen.values(), strict=True)))  # fmt: skip


def _unmask(input: Picture, value: float, sameFootprint: bool) -> Picture:
    if sameFootprint:
        raise ValueError("outside the footprint nothing would be filled")
    every = {k: np.ones_like(v) for k, v in input.seen.items()}
    filled = {k: np.where(input.seen[k], v, value) for k, v in input.bands.items()}
    return Picture(filled, every)


def _filter(collection: list[Picture], filter: tuple[str, str]) -> list[Picture]:
    return [one for one in collection if filter[0] <= one.day < filter[1]]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Collection.filter": _filter,
    "Collection.map": lambda collection, baseAlgorithm: [baseAlgorithm(one) for one in collection],
    "Collection.merge": lambda collection1, collection2: [*collection1, *collection2],
    "DateRange": lambda start, end: (start, end),
    "Filter.dateRangeContains": lambda leftValue, rightField: leftValue,
    "Image.add": lambda image1, image2: _paired(image1, image2, np.add),
    "Image.bitwiseAnd": lambda image1, image2: _paired(
        image1, image2, lambda a, b: a.astype(int) & b
    ),
    "Image.clamp": lambda input, low, high: _each(input, lambda v: np.clip(v, low, high)),
    "Image.constant": lambda value: value,
    "Image.eq": lambda image1, image2: _paired(image1, image2, np.equal),
    "Image.gte": lambda image1, image2: _paired(image1, image2, np.greater_equal),
    "Image.mask": _mask,
    "Image.multiply": lambda image1, image2: _paired(image1, image2, np.multiply),
    "Image.reduce": _reduce,
    "Image.rename": _rename,
    "Image.resample": lambda image, mode: image,  # the made-up images have no pixels of their own
    "Image.round": lambda value: _each(value, np.rint),
    "Image.select": _select,
    "Image.toInt16": lambda value: value,
    "Image.unmask": _unmask,
    "Image.updateMask": _update_mask,
    "ImageCollection.fromImages": lambda images: images,
    "ImageCollection.mosaic": _mosaic,
    "ImageCollection.reduce": _median,
    "Reducer.median": lambda: "median",
    "Reducer.min": lambda: "min",
}
