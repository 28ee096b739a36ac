"""SAM 2 as the delineator of detections: a box and a point from each site, its outline back.

The network is that of transformers, from a folder that ``save_pretrained`` wrote or that a
model hub serves (``config.json`` and ``model.safetensors``); nothing is fetched. Needs torch and
transformers once it is asked.

Source: Ravi et al. (2024), SAM 2.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from minetrace.core.grid import Rect
from minetrace.core.model import ModelCard, Scaling
from minetrace.core.raster import REFLECTANCE_SCALE, Raster
from minetrace.errors import MissingFileError, ModelError
from minetrace.models.libraries import library, library_errors, need
from minetrace.models.naming import slug
from minetrace.store.files import sha256

if TYPE_CHECKING:
    from torch import Tensor

Prompts = Literal["box", "point", "both"]
BANDS = ("red", "green", "blue")
CONFIG, WEIGHTS = "config.json", "model.safetensors"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of the pictures it was trained on
LEAST_PX = 32  # side of the smallest frame; below, there is nothing around a site to see
ROOM = 2.0  # side of a frame over that of its site
MOST_PX = 4096  # side of the largest frame, 1.7 GB of pictures while it is looked at


class Site(Protocol):
    """What is said of a detection: where it is, and where it is surest."""

    @property
    def box(self) -> Rect:
        """The pixels around it."""
        ...

    @property
    def point(self) -> tuple[int, int]:
        """(row, col) of a pixel of it."""
        ...


@dataclass(frozen=True)
class Sam2:
    """A network on disk and, in each process that uses it, in memory.

    Attributes:
        path: its folder.
        card: what it wants and which file it is.
        image_px: side of its input, pixels.
        prompts: what it is told: the box around a site, its surest point, or both.
        white: reflectance that is shown white.
    """

    path: Path
    card: ModelCard
    image_px: int
    prompts: Prompts = "both"
    white: float = 0.3
    _held: list[Any] = field(default_factory=list, compare=False, repr=False)

    @classmethod
    def open(cls, path: Path, *, prompts: Prompts = "both", white: float = 0.3) -> Sam2:
        """A folder; the network itself is loaded when it is first asked.

        Raises:
            MissingFileError: the folder or one of its files is not there.
            ModelError: it holds something else.
            MissingExtraError: torch or transformers is not installed.
        """
        need("foundation", "torch", "transformers")
        for name in (CONFIG, WEIGHTS):
            if not (path / name).is_file():
                raise MissingFileError(
                    f"{path}: holds no {name}; give the folder of a SAM 2 of transformers, such as "
                    "a copy of facebook/sam2.1-hiera-tiny"
                )
        side = _image_px(path)
        card = ModelCard(
            name=f"sam2-{slug(path.resolve().name)}", bands=BANDS, window=side, stride=side,
            output="pixels", extent="mined", sha256=sha256(path / WEIGHTS),
            scaling=dict.fromkeys(BANDS, Scaling(1 / white, 0.0, (0.0, white))),
            description=f"SAM 2, told of each detection by {_WORDS[prompts]}.",
            metrics={"prompts": prompts, "white": white},
        )  # fmt: skip
        return cls(path, card, side, prompts, white)

    def frame(self, site: Site) -> Rect:
        """A square around a site, as large as the input over or times a power of two.

        Raises:
            ModelError: it would be larger than ``MOST_PX``.
        """
        wanted = max(LEAST_PX, ROOM * max(site.box.shape))
        side = self.image_px
        while side // 2 >= wanted and side % 2 == 0:
            side //= 2
        while side < wanted:
            side *= 2
        if side > max(MOST_PX, self.image_px):
            raise ModelError(
                f"{self.path}: a site of {site.box.height} x {site.box.width} pixels wants a "
                f"picture of {side} pixels a side, and {MOST_PX} is the most; cut it into parts"
            )
        row = site.box.row + site.box.height // 2 - side // 2
        col = site.box.col + site.box.width // 2 - side // 2
        return Rect(row, col, side, side)

    def __call__(self, picture: Raster, frame: Rect, site: Site) -> NDArray[np.bool_]:
        """Mined ground on a picture of the frame: (height, width).

        Raises:
            MissingExtraError: transformers cannot be loaded.
            ModelError: the folder holds no such network.
        """
        import torch

        net, threads = self._network(), torch.get_num_threads()
        torch.set_num_threads(1)  # equal sites answer alike on any machine's number of cores
        try:
            with torch.no_grad():
                said = self.logits(net, picture, frame, site)
        finally:
            torch.set_num_threads(threads)
        return np.asarray((said > 0).numpy())

    def logits(self, net: Any, picture: Raster, frame: Rect, site: Site) -> Tensor:
        """What a network says of every pixel of a frame: (height, width), above 0 for mined."""
        import torch
        from torch.nn import functional as F

        image = torch.from_numpy(self._shown(picture))[None]
        smaller = frame.width > self.image_px
        image = F.interpolate(
            image, size=(self.image_px, self.image_px), mode="area" if smaller else "bilinear",
            align_corners=None if smaller else False,
        )  # fmt: skip
        said = net(pixel_values=image, multimask_output=False, **self._prompt(frame, site))
        coarse = said.pred_masks[0, 0][None].float()
        fine: Tensor = F.interpolate(coarse, size=frame.shape, mode="bilinear", align_corners=False)
        return fine[0, 0]

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_held": []}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)

    def _shown(self, picture: Raster) -> NDArray[np.float32]:
        """The picture as it was trained on: (3, height, width); holes are of the mean colour."""
        chosen = picture.select(BANDS)
        light = np.clip(chosen.pixels * (REFLECTANCE_SCALE / self.white), 0, 1)
        mean, std = (np.array(x)[:, None, None] for x in (MEAN, STD))
        return np.where(chosen.valid, (light - mean) / std, 0).astype(np.float32)

    def _prompt(self, frame: Rect, site: Site) -> dict[str, Any]:
        import torch

        scale = self.image_px / frame.width
        box = site.box
        corners = [box.col - frame.col, box.row - frame.row,
                   box.col_stop - frame.col, box.row_stop - frame.row]  # fmt: skip
        point = [site.point[1] - frame.col + 0.5, site.point[0] - frame.row + 0.5]
        said: dict[str, Any] = {}
        if self.prompts != "point":
            said["input_boxes"] = torch.tensor([[corners]], dtype=torch.float32) * scale
        if self.prompts != "box":
            said["input_points"] = torch.tensor([[[point]]], dtype=torch.float32) * scale
            said["input_labels"] = torch.ones((1, 1, 1), dtype=torch.int32)
        return said

    def _network(self) -> Any:
        if not self._held:
            if sha256(self.path / WEIGHTS) != self.card.sha256:
                raise ModelError(f"{self.path}: was exchanged while it was in use; run again")
            self._held.append(load(self.path))
        return self._held[0]


_WORDS = {"box": "the box around it", "point": "its surest point",
          "both": "the box around it and its surest point"}  # fmt: skip


def load(path: Path) -> Any:
    """The network of a folder, ready to judge.

    Raises:
        MissingExtraError: torch or transformers is not installed.
        ModelError: the folder holds no such network.
    """
    transformers = library("transformers", "transformers", "foundation")
    tensors = library("safetensors", "safetensors", "foundation")
    transformers.logging.disable_progress_bar()
    try:
        with library_errors("transformers", "foundation"):
            net, notes = transformers.Sam2Model.from_pretrained(
                path, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
    except (OSError, ValueError, RuntimeError, KeyError, tensors.SafetensorError) as error:
        said = " ".join(str(error).split())[:200]
        raise ModelError(f"{path}: cannot be loaded as a SAM 2 ({said})") from error
    if notes["missing_keys"]:
        some = ", ".join(sorted(notes["missing_keys"])[:4])
        raise ModelError(f"{path}: lacks {len(notes['missing_keys'])} weights of a SAM 2: {some}")
    return net.eval()


def _image_px(path: Path) -> int:
    try:
        held = json.loads((path / CONFIG).read_text(encoding="utf-8"))
        sides = held["prompt_encoder_config"].get("image_size", 1024)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{path}: {CONFIG} is not that of a SAM 2 ({error}); give the folder of one"
        ) from error
    return int(sides[0] if isinstance(sides, list) else sides)
