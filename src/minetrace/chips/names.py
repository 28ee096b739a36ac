"""What the name of a file says: whether it is an image or its mask, of which place, when.

Published sets name their files alike but never the same: ``IMG_GH_1125_2016.tif`` and
``MASK_GH_1125_2016.tif``, ``100_image.tif`` and ``100_mask.tif``, ``img_dir/train/a.png`` and
``ann_dir/train/a.png``; and their lists may leave a word out (``MASK_1125_2016.tif``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

Role = Literal["image", "mask"]
IMAGE_WORDS = frozenset({"img", "image", "images", "imgs", "rgb", "sat"})
MASK_WORDS = frozenset(
    {"mask", "masks", "ann", "annotation", "annotations", "label", "labels", "gt", "lbl"}
)
FILLERS = frozenset({"dir"})
SPLIT_OF = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
_YEAR = re.compile(r"(?:19|20)\d\d")


@dataclass(frozen=True)
class FileName:
    """A file's name, understood.

    Attributes:
        role: None if no word says it.
        key: what an image and its mask share.
        split: that its folder says, or empty.
        place: what chips of one place in other years share.
        period: the year in its name, or empty.
    """

    role: Role | None
    key: str
    split: str
    place: str
    period: str


def understand(path: PurePath) -> FileName:
    """Take a path, from the set's root, apart."""
    folders = [w for part in path.parent.parts for w in _words(part)]
    words = _words(path.stem)
    role = _role(words) or _role(folders)
    split = next((SPLIT_OF[w] for w in folders if w in SPLIT_OF), "")
    spoken = IMAGE_WORDS | MASK_WORDS | FILLERS | SPLIT_OF.keys()
    own = [w for w in words if w not in IMAGE_WORDS | MASK_WORDS]
    where = [w for w in folders if w not in spoken]
    period, rest = _period(own, where)
    place = "_".join([*(w for w in where if w != period), *rest])
    return FileName(role, "_".join([split, *where, "|", *own]), split, place, period)


def _period(own: list[str], folders: list[str]) -> tuple[str, list[str]]:
    """The year that a name ends with, or else its folder's; and the name's words without it.

    A number alone is the number of a place, even if it could be a year.
    """
    years = [i for i, word in enumerate(own) if _YEAR.fullmatch(word)]
    if years and len(own) > 1:
        return own[years[-1]], [*own[: years[-1]], *own[years[-1] + 1 :]]
    return next((w for w in reversed(folders) if _YEAR.fullmatch(w)), ""), own


def list_key(name: str) -> str:
    """What a list's name of a chip shares with the chip: its words that hold a digit, in order."""
    words = [w for w in _words(PurePath(name).stem) if w not in IMAGE_WORDS | MASK_WORDS]
    return "_".join([w for w in words if any(c.isdigit() for c in w)] or words)


def _words(text: str) -> list[str]:
    return [w for w in re.split(r"[^0-9A-Za-z]+", text.lower()) if w]


def _role(words: list[str]) -> Role | None:
    if any(w in MASK_WORDS for w in words):
        return "mask"
    return "image" if any(w in IMAGE_WORDS for w in words) else None
