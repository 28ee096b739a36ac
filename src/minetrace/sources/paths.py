"""Which files a user means by a folder, a list or a pattern."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from minetrace.errors import MissingFileError, RasterError
from minetrace.sources import landsat, safe
from minetrace.sources.archive import ARCHIVES, Archive, is_archive, list_files

CUBES = (".nc", ".nc4")
SUFFIXES = (".tif", ".tiff", ".vrt", *CUBES)


@dataclass(frozen=True)
class Imagery:
    """What lies under a path.

    Attributes:
        files: rasters that are scenes of their own, ordered by path.
        archives: folders, zips and tarballs with products in them, ordered by path.
    """

    files: tuple[Path, ...]
    archives: tuple[Archive, ...]


def find_imagery(path: Path | str | Sequence[Path | str]) -> Imagery:
    """The rasters and products that are meant, each once.

    Args:
        path: a folder (what is in it, not in folders inside it unless they are products), a
            raster, a product (``.SAFE``, a folder with an MTL file, a zip or tarball of either), a
            pattern such as ``scenes/**/*.tif``, or several of these.

    Raises:
        MissingFileError: one of them names nothing.
        RasterError: an archive is damaged, or holds no product.
    """
    given = [path] if isinstance(path, str | Path) else list(path)
    if not given:
        raise MissingFileError("sources.path is empty: name a folder, a file or a pattern")
    files: set[Path] = set()
    archives: dict[Path, Archive] = {}
    for one in given:
        found = _meant_by(Path(one))
        files.update(found.files)
        archives.update({archive.path: archive for archive in found.archives})
    return Imagery(tuple(sorted(files)), tuple(archives[key] for key in sorted(archives)))


def _meant_by(path: Path) -> Imagery:
    if path.is_file():
        return _file(path)
    if path.is_dir():
        found = _folder(path)
        if not found.files and not found.archives:
            raise MissingFileError(_nothing_in(path))
        return found
    if glob.has_magic(str(path)):
        matches = [Path(one) for one in sorted(glob.glob(str(path), recursive=True))]
        parts = [_file(m) for m in matches if m.is_file()]
        parts += [_product(m) for m in matches if m.is_dir() and _is_product_folder(m)]
        if not parts:
            raise MissingFileError(f"{path}: no file matches this pattern; check sources.path")
        return _together(parts)
    raise MissingFileError(f"{path}: no such file or folder; check sources.path")


def _file(path: Path) -> Imagery:
    """A raster, an archive, or the metadata of a product that lies around it."""
    if is_archive(path):
        archive = list_files(path)
        if not _has_product(archive):
            raise RasterError(
                f"{path}: holds no .SAFE product and no Landsat product with its MTL file; "
                "unpack it and name its rasters instead"
            )
        return Imagery((), (archive,))
    if safe.METADATA.search(path.name):
        return _product(path.parent)
    if landsat.METADATA.search(path.name):
        prefix = path.name[: -len("MTL.txt")]
        names = tuple(sorted(one.name for one in path.parent.glob(f"{glob.escape(prefix)}*")))
        return Imagery((), (Archive(path.parent, names),))
    return Imagery((path,), ())


def _folder(path: Path) -> Imagery:
    if path.suffix.upper() == ".SAFE" or _has_metadata(path, safe.METADATA):
        return _product(path)
    parts = []
    for one in sorted(path.iterdir()):
        if one.name.startswith("."):  # such as the ._ files of another system
            continue
        if one.is_dir() and _is_product_folder(one):
            parts.append(_product(one))
        elif is_archive(one) and _has_product(archive := list_files(one)):
            parts.append(Imagery((), (archive,)))
        elif _is_imagery(one):
            parts.append(Imagery((one,), ()))
    flat = list_files(path, deep=False)
    prefixes = tuple(f"{m[1]}_" for name in flat.names if (m := landsat.METADATA.search(name)))
    found = _together(parts)
    if not prefixes:
        return found
    loose = tuple(file for file in found.files if not file.name.startswith(prefixes))
    return Imagery(loose, (*found.archives, flat))


def _product(path: Path) -> Imagery:
    return Imagery((), (list_files(path),))


def _together(parts: Sequence[Imagery]) -> Imagery:
    return Imagery(
        tuple(file for part in parts for file in part.files),
        tuple(archive for part in parts for archive in part.archives),
    )


def _is_product_folder(path: Path) -> bool:
    return path.suffix.upper() == ".SAFE" or any(
        _has_metadata(path, pattern) for pattern in (safe.METADATA, landsat.METADATA)
    )


def _has_metadata(folder: Path, pattern: re.Pattern[str]) -> bool:
    return any(pattern.search(one.name) for one in folder.iterdir() if one.is_file())


def _has_product(archive: Archive) -> bool:
    return any(
        safe.METADATA.search(n) or landsat.METADATA.search(n) or safe.ROOT.search(n)
        for n in archive.names
    )


def _is_imagery(path: Path) -> bool:
    hidden = path.name.startswith(".")
    return path.suffix.lower() in SUFFIXES and not hidden and path.is_file()


def _nothing_in(folder: Path) -> str:
    deeper = next((f for f in folder.glob("*/**/*") if _is_imagery(f)), None)
    hint = f"; there are some further down: give the pattern {folder}/**/*.tif" if deeper else ""
    kinds = ", ".join((*SUFFIXES, ".SAFE", *ARCHIVES))
    return f"{folder}: no GeoTIFF, VRT, NetCDF or product in this folder ({kinds}, *_MTL.txt){hint}"
