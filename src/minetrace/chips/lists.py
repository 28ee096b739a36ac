"""Published lists of which chip is in which split: a column of names, a column of splits."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minetrace.chips.names import SPLIT_OF, list_key, understand
from minetrace.core.data_set import Chip, DataSet
from minetrace.errors import DataSetError, MissingFileError

NAMES = ("patch_name", "name", "chip", "file", "filename", "image", "id", "tile", "tile_id")
SPLIT_COLUMNS = ("split", "set", "subset", "part")


@dataclass(frozen=True)
class Unread:
    """The reader of a set of which only the lists are there."""

    origin: str

    @property
    def meaning(self) -> Mapping[str, Any]:
        """Nothing, since there are no numbers."""
        return {}

    def image(self, chip: Chip) -> NDArray[np.float32]:
        """Say that there are no pixels."""
        raise MissingFileError(f"{self.origin}: lists {chip.name}, but there are no pixels here; "
                               "give the folder that holds the images")  # fmt: skip

    def mask(self, chip: Chip) -> NDArray[np.uint8]:
        """Say that there are none."""
        raise MissingFileError(f"{self.origin}: lists {chip.name}, but there are no masks here")


def read_list(path: Path) -> dict[str, str]:
    """Names and their splits, in the order of the file.

    Raises:
        MissingFileError: it is not there.
        DataSetError: it has no such columns, a name twice, or a split that is none.
    """
    found: dict[str, str] = {}
    for line, (chip, said) in enumerate(_rows(path, SPLIT_COLUMNS, "split"), 2):
        if said.lower() not in SPLIT_OF:
            raise DataSetError(f"{path}, line {line}: {said!r} is no split; train, val or test")
        _add(found, chip, SPLIT_OF[said.lower()], path, line)
    return found


def read_folds(path: Path) -> dict[str, str]:
    """Names and the part of the set that each is held out with: the columns name and fold.

    Raises:
        MissingFileError: it is not there.
        DataSetError: it has no such columns, or a name twice.
    """
    found: dict[str, str] = {}
    for line, (chip, said) in enumerate(_rows(path, ("fold",), "fold"), 2):
        _add(found, chip, said, path, line)
    return found


def _add(found: dict[str, str], chip: str, said: str, path: Path, line: int) -> None:
    if chip in found:
        raise DataSetError(f"{path}, line {line}: {chip} is listed twice; keep one line")
    found[chip] = said


def _rows(path: Path, columns_of: tuple[str, ...], what: str) -> list[tuple[str, str]]:
    """Names and what a column says of them."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = {c.strip().lower(): c for c in reader.fieldnames or ()}
            name = next((columns[c] for c in NAMES if c in columns), None)
            said = next((columns[c] for c in columns_of if c in columns), None)
            if name is None or said is None:
                raise DataSetError(
                    f"{path}: has the columns {', '.join(columns) or 'none'}; a list of {what}s "
                    f"has a name ({', '.join(NAMES[:3])} …) and a {what}"
                )
            return [(row[name].strip(), row[said].strip()) for row in reader]
    except FileNotFoundError as error:
        raise MissingFileError(f"{path}: no such list; give the path of a CSV file") from error
    except UnicodeDecodeError as error:
        raise DataSetError(f"{path}: is no text ({error}); save it as CSV in UTF-8") from error


def open_lists(paths: Sequence[Path]) -> DataSet:
    """Lists alone as a set without pixels, to be audited before the images are fetched.

    Raises:
        MissingFileError, DataSetError: as `read_list`; a name stands in two lists.
    """
    chips: list[Chip] = []
    seen: dict[str, Path] = {}
    for path in paths:
        for name, split in read_list(path).items():
            if name in seen:
                raise DataSetError(f"{path}: {name} also stands in {seen[name]}; keep one of them")
            seen[name] = path
            told = understand(PurePath(name))
            chips.append(Chip(name=PurePath(name).stem, image=name, split=split, place=told.place,
                              period=told.period, source=path.stem))  # fmt: skip
    title = " + ".join(path.stem for path in paths)
    return DataSet(title, tuple(chips), (), ("other", "mine"), Unread(title))


def with_lists(data: DataSet, paths: Sequence[Path]) -> DataSet:
    """The set with the splits of its lists, which may call its chips by other file names.

    Chips that no list names are in no split.

    Raises:
        DataSetError: a list names chips that are not there, or fits two chips.
    """
    by_key: dict[str, list[Chip]] = {}
    own = {chip.name: chip for chip in data.chips}
    for chip in data.chips:
        by_key.setdefault(list_key(chip.name), []).append(chip)
    wanted: dict[str, str] = {}
    for path in paths:
        for name, split in read_list(path).items():
            chip = own.get(name) or _one(by_key, name, path)
            wanted[chip.name] = split
    return data.where(replace(chip, split=wanted.get(chip.name, "")) for chip in data.chips)


def _one(by_key: Mapping[str, Sequence[Chip]], name: str, path: Path) -> Chip:
    found = by_key.get(list_key(name), ())
    if not found:
        raise DataSetError(
            f"{path}: lists {name}, and no chip has a name like it; is it the list of this set?"
        )
    if len(found) > 1:
        raise DataSetError(f"{path}: {name} may be {found[0].name} or {found[1].name}; "
                           "say the whole name")  # fmt: skip
    return found[0]
