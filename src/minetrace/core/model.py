"""What a model file says of itself, and what anything that scores pixels looks like.

A model file is a folder or zip of ``model.onnx`` and ``model.json``; the JSON is a STAC item with
the machine-learning model extension (https://github.com/stac-extensions/mlm) whose
``minetrace:`` properties hold what the extension has no word for. A graph of more than 2 GB has
its weights beside it, in ``model.weights``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from minetrace.core.footprints import Extent
from minetrace.errors import ModelError

Output = Literal["pixels", "patch"]
Level = Literal["toa", "boa", "any"]
ONNX, WEIGHTS = "model.onnx", "model.weights"
MLM = "https://stac-extensions.github.io/mlm/v1.4.0/schema.json"


@dataclass(frozen=True)
class Scaling:
    """How reflectance becomes input: ``clip(reflectance, *clip) * scale + offset``."""

    scale: float = 1.0
    offset: float = 0.0
    clip: tuple[float, float] | None = None


@dataclass(frozen=True)
class ModelCard:
    """Everything that must be known to run a model and to believe it.

    Attributes:
        name: what a study calls it.
        bands: STAC common names, in input order.
        window: side of the square that the model sees at once, pixels.
        stride: distance between windows, pixels; divides ``window`` for a patch model.
        output: ``pixels`` for one probability per pixel, ``patch`` for one per window.
        extent: what its outlines mean, ``mined`` ground or the ``footprint`` of detections.
        call_px: side of the square given to the runtime in one call; above ``window`` only for a
            fully convolutional patch model, which then answers for every window inside.
        context_px: how far from a pixel its score may look; -1 stands for the whole window.
        input_shape: of one input, for a model that takes something else than images, such as
            ``(384,)`` for embeddings; it can be kept and checked, but not run over imagery.
        accepts: bands that may stand in for another, as ``{"nir": ("nir08",)}``.
        scaling: per band; bands without an entry are given as reflectance.
        fill: reflectance per band that holes take, in the order of ``bands``.
        min_valid_share: share of a window that must be valid for it to count.
        level: radiometry that it was made for: top of atmosphere, surface, or any.
        resolution_m: ground size of a pixel, None for any; ``tolerance`` is the allowed ratio.
        threshold: probability from which on a detection is a detection.
        calibrated: True if the probability may be read as one.
        data: sources and licences of the training data.
        metrics: figures as measured, with what they were measured on.
        weights_sha256: hash of ``model.weights``, which lies beside a graph too large to hold its
            weights itself; empty where it does.
        sha256: hash of ``model.onnx`` with ``weights_sha256`` after it, so that it stands for both
            files; empty for a scorer without a file.
    """

    name: str
    bands: tuple[str, ...]
    window: int
    stride: int
    output: Output
    extent: Extent
    threshold: float = 0.5
    classes: tuple[str, ...] = ("mine",)
    call_px: int = 0
    context_px: int = -1
    input_shape: tuple[int, ...] = ()
    accepts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    scaling: Mapping[str, Scaling] = field(default_factory=dict)
    fill: tuple[float, ...] = ()
    min_valid_share: float = 0.9
    level: Level = "any"
    resolution_m: float | None = None
    tolerance: float = 1.25
    calibrated: bool = False
    licence: str = ""
    description: str = ""
    data: tuple[Mapping[str, str], ...] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    weights_sha256: str = ""
    sha256: str = ""

    def __post_init__(self) -> None:
        if self.call_px == 0:
            object.__setattr__(self, "call_px", self.window)
        if not self.fill:
            object.__setattr__(self, "fill", (0.1,) * len(self.bands))
        self._check()

    def _check(self) -> None:
        def refuse(what: str) -> None:
            raise ModelError(f"model {self.name!r}: {what}")

        if not self.bands:
            refuse("its card names no bands")
        if len(self.fill) != len(self.bands):
            refuse(f"fill has {len(self.fill)} values for {len(self.bands)} bands; give one each")
        if not 0 < self.stride <= self.window:
            refuse(f"stride {self.stride} must be between 1 and the window, {self.window}")
        if self.output == "patch" and self.window % self.stride:
            refuse(f"stride {self.stride} must divide the window, {self.window}, of a patch model")
        if self.output == "patch" and self.extent != "footprint":
            refuse("a patch model outlines windows, so its extent must be 'footprint'")
        if self.call_px < self.window or (self.call_px - self.window) % self.stride:
            refuse(f"call_px {self.call_px} must be the window plus a multiple of the stride")
        if self.output == "pixels" and self.call_px != self.window:
            refuse("a pixel model is called with one window at a time: leave call_px out")
        if not 0 < self.threshold < 1:
            refuse(f"threshold {self.threshold} must lie between 0 and 1")
        if not 0 <= self.min_valid_share <= 1:
            refuse(f"min_valid_share {self.min_valid_share} must lie between 0 and 1")

    @property
    def cell_px(self) -> int:
        """Side of a score cell in pixels: the stride of a patch model, else 1."""
        return self.stride if self.output == "patch" else 1

    @property
    def halo_px(self) -> int:
        """Pixels that must be read around a region so that its scores are complete."""
        return self.context_px if self.context_px >= 0 else self.window + self.cell_px

    @property
    def grid_side(self) -> int:
        """Windows along one side of a call: 1 unless the model is fully convolutional."""
        return (self.call_px - self.window) // self.stride + 1

    def to_json(self) -> dict[str, Any]:
        """The card as a STAC item with the MLM extension."""
        own = {
            "accepts": {k: list(v) for k, v in self.accepts.items()},
            "scaling": {
                k: {"scale": s.scale, "offset": s.offset, "clip": list(s.clip) if s.clip else None}
                for k, s in self.scaling.items()
            },
            "window": self.window, "stride": self.stride, "call_px": self.call_px,
            "context_px": self.context_px, "input_shape": list(self.input_shape),
            "output": self.output, "extent": self.extent, "threshold": self.threshold,
            "classes": list(self.classes), "fill": list(self.fill),
            "min_valid_share": self.min_valid_share, "level": self.level,
            "resolution_m": self.resolution_m, "tolerance": self.tolerance,
            "calibrated": self.calibrated, "data": [dict(d) for d in self.data],
            "metrics": dict(self.metrics), "sha256": self.sha256,
            **({"weights_sha256": self.weights_sha256} if self.weights_sha256 else {}),
        }  # fmt: skip
        shape = [-1, len(self.bands), self.call_px, self.call_px]
        properties = {
            "datetime": None,
            "start_datetime": "2015-01-01T00:00:00Z",
            "end_datetime": "2100-01-01T00:00:00Z",
            "description": self.description,
            "license": self.licence,
            "mlm:name": self.name,
            "mlm:framework": "ONNX",
            "mlm:tasks": ["segmentation" if self.output == "pixels" else "classification"],
            "mlm:input": [{
                "name": "image", "bands": list(self.bands),
                "input": {"shape": shape, "dim_order": ["batch", "bands", "height", "width"],
                          "data_type": "float32"},
            }],
            "mlm:output": [{
                "name": "probability", "tasks": ["segmentation"],
                "result": {"shape": [-1, len(self.classes), -1, -1], "data_type": "float32",
                           "dim_order": ["batch", "class", "height", "width"]},
                "classification:classes": [
                    {"value": i, "name": name} for i, name in enumerate(self.classes)],
            }],
            **{f"minetrace:{key}": value for key, value in own.items()},
        }  # fmt: skip
        return {
            "type": "Feature", "stac_version": "1.1.0", "stac_extensions": [MLM], "id": self.name,
            "geometry": None, "properties": properties, "links": [],
            "assets": {
                "model": {
                    "href": f"./{ONNX}", "type": "application/octet-stream; framework=onnx",
                    "roles": ["mlm:model"], "mlm:artifact_type": "onnx"},
                **({"weights": {
                    "href": f"./{WEIGHTS}", "type": "application/octet-stream",
                    "roles": ["mlm:weights"]}} if self.weights_sha256 else {}),
            },
        }  # fmt: skip

    @classmethod
    def from_json(cls, item: Mapping[str, Any], *, origin: str = "model.json") -> ModelCard:
        """The card that a STAC item holds.

        Raises:
            ModelError: a property is missing or of the wrong kind.
        """
        try:
            p: Mapping[str, Any] = item["properties"]
            own = {
                k.removeprefix("minetrace:"): v for k, v in p.items() if k.startswith("minetrace:")
            }
            scaling = {
                k: Scaling(s["scale"], s["offset"], tuple(s["clip"]) if s.get("clip") else None)
                for k, s in own.pop("scaling").items()
            }
            accepts = {k: tuple(v) for k, v in own.pop("accepts").items()}
            tuples: dict[str, Any] = {k: tuple(own.pop(k)) for k in ("classes", "fill", "data")}
            tuples["input_shape"] = tuple(own.pop("input_shape", ()))
            return cls(
                name=p["mlm:name"],
                bands=tuple(p["mlm:input"][0]["bands"]),
                description=p.get("description", ""),
                licence=p.get("license", ""),
                scaling=scaling,
                accepts=accepts,
                **tuples,
                **own,
            )
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise ModelError(
                f"{origin}: not a model card ({type(error).__name__}: {error}); "
                "it must be a STAC item with mlm: and minetrace: properties"
            ) from error


class Scorer(Protocol):
    """Anything that turns pixels into probabilities."""

    @property
    def card(self) -> ModelCard:
        """What it wants and what it gives."""
        ...

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Score a batch of squares.

        Args:
            image: (n, bands, call_px, call_px) float32, scaled as the card says.

        Returns:
            probabilities: (n, classes, call_px, call_px) for a pixel model,
            (n, classes, grid_side, grid_side) for a patch model.
        """
        ...
