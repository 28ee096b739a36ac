"""Which files a user means by a folder, a list or a pattern."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from minetrace.errors import MissingFileError

SUFFIXES = (".tif", ".tiff", ".vrt")


def imagery_files(path: Path | str | Sequence[Path | str]) -> tuple[Path, ...]:
    """The raster files that are meant, each once, ordered by path.

    Args:
        path: a folder (its GeoTIFFs and VRTs, not those of folders inside it), a file, a pattern
            such as ``scenes/**/*.tif``, or several of these.

    Raises:
        MissingFileError: one of them names nothing.
    """
    given = [path] if isinstance(path, str | Path) else list(path)
    if not given:
        raise MissingFileError("sources.path is empty: name a folder, a file or a pattern")
    found = {file for one in given for file in _files_of(Path(one))}
    return tuple(sorted(found))


def _files_of(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if path.is_dir():
        files = [one for one in path.iterdir() if _is_imagery(one)]
        if not files:
            raise MissingFileError(_nothing_in(path))
        return files
    if glob.has_magic(str(path)):
        files = [Path(one) for one in glob.glob(str(path), recursive=True)]
        files = [one for one in files if one.is_file()]
        if not files:
            raise MissingFileError(f"{path}: no file matches this pattern; check sources.path")
        return files
    raise MissingFileError(f"{path}: no such file or folder; check sources.path")


def _is_imagery(path: Path) -> bool:
    hidden = path.name.startswith(".")  # such as the ._ files of another system
    return path.suffix.lower() in SUFFIXES and not hidden and path.is_file()


def _nothing_in(folder: Path) -> str:
    deeper = next((f for f in folder.glob("*/**/*") if _is_imagery(f)), None)
    hint = f"; there are some further down: give the pattern {folder}/**/*.tif" if deeper else ""
    return f"{folder}: no GeoTIFF or VRT in this folder ({', '.join(SUFFIXES)}){hint}"
