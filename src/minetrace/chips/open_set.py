"""Opening a set of chips, whatever it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from minetrace.chips.arrays import PICKLE, open_arrays
from minetrace.chips.lists import open_lists, with_lists
from minetrace.chips.manifest import MANIFEST, read_manifest
from minetrace.chips.options import Layout, SetOptions
from minetrace.chips.pairs import SMALL_MINES, open_pairs
from minetrace.core.data_set import DataSet
from minetrace.errors import DataSetError, MissingFileError

PICKLES = frozenset({".pkl", ".pickle", ".pth", ".pt", ".joblib"})


def open_data_set(
    path: Path | str, options: SetOptions | None = None, *, lists: Sequence[Path] = ()
) -> DataSet:
    """Open a set of chips.

    Args:
        path: a folder that ``minetrace chips`` made; a folder of images and masks as pairs
            (SmallMinesDS, ``img_dir/ann_dir`` and others); a ``.npz`` file; a Zarr group; or a
            list (CSV) alone.
        options: what the set does not say itself.
        lists: CSV files that say which chip is in which split.

    Raises:
        MissingFileError: it is not there.
        DataSetError: it is no set of chips, or a pickle.
        BandError: nobody names the bands.
        RadiometryError: optical bands hold no reflectance, and nobody says what they hold.
    """
    path, options = Path(path), options or SetOptions()
    if not path.exists():
        raise MissingFileError(f"{path}: no such set of chips; give its folder or file")
    layout = _layout(path) if options.layout == "auto" else options.layout
    options = replace(options, layout=layout)
    data = _open(path, layout, options, lists)
    return with_lists(data, lists) if lists and layout != "lists" else data


def _open(path: Path, layout: Layout, options: SetOptions, lists: Sequence[Path]) -> DataSet:
    if layout == "lists":
        return open_lists([path, *lists])
    if layout == "manifest":
        return read_manifest(path)
    if layout in ("npz", "zarr"):
        return open_arrays(path, options)
    if layout == "smallminesds":
        options = _small_mines(options)
    return open_pairs(path, options)


def _layout(path: Path) -> Layout:
    if path.suffix.lower() in PICKLES:
        raise DataSetError(f"{path}: is a pickle. {PICKLE}")
    if path.is_file():
        known: dict[str, Layout] = {".npz": "npz", ".csv": "lists", ".geojson": "manifest"}
        if path.suffix.lower() not in known:
            raise DataSetError(f"{path}: is no set of chips; give a folder, a .npz or a .csv list")
        return known[path.suffix.lower()]
    if (path / MANIFEST).is_file():
        return "manifest"
    if (path / "zarr.json").is_file() or (path / ".zgroup").is_file():
        return "zarr"
    if any(path.glob("*/IMAGE/IMG_*.tif")):
        return "smallminesds"
    pickled = next((p for p in path.rglob("*") if p.suffix.lower() in PICKLES), None)
    if pickled is not None and not any(p.suffix.lower() in (".tif", ".png")
                                       for p in path.rglob("*")):  # fmt: skip
        raise DataSetError(f"{pickled}: is a pickle. {PICKLE}")
    return "pairs"


def _small_mines(options: SetOptions) -> SetOptions:
    """What its publishers say, and over it what the user says."""
    said = {k: v for k, v in vars(options).items() if v != vars(SetOptions())[k]}
    return replace(SMALL_MINES, **{**said, "layout": "smallminesds"})
