"""The files of a product, whether they lie in a folder, a zip or a tarball. Nothing is unpacked."""

from __future__ import annotations

import gzip
import os
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from minetrace.errors import RasterError
from minetrace.sources.image import RasterFile

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")

Part = tuple[str, int, int]  # name, bytes and time of change (ns) of a file on disk


@dataclass(frozen=True)
class Archive:
    """Files under one roof, by name.

    Attributes:
        path: a folder, a zip or a tarball.
        names: of its files, from the roof down, with ``/`` between folders; sorted.
        spans: of a tarball, where each file's bytes begin, unpacked, and how many there are.
    """

    path: Path
    names: tuple[str, ...]
    spans: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def is_folder(self) -> bool:
        """True if the files lie open."""
        return not is_archive(self.path)

    def read(self, name: str) -> bytes:
        """A small file's bytes.

        Raises:
            RasterError: it is not there, or the archive is damaged.
        """
        try:
            if self.is_folder:
                return (self.path / name).read_bytes()
            if self.path.suffix.lower() == ".zip":
                with zipfile.ZipFile(self.path) as packed:
                    return packed.read(name)
            begin, size = self.spans[name]
            with _unpacked(self.path) as stream:
                stream.seek(begin)
                return bytes(stream.read(size))
        except (OSError, EOFError, KeyError, zlib.error, zipfile.BadZipFile) as error:
            raise _damaged(self.path, error) from error

    def raster(self, name: str) -> RasterFile:
        """One of the files, for GDAL to open where it is."""
        path = self.path.absolute()
        if self.is_folder:
            return RasterFile.at(path / name)
        label = f"{name} of {self.path.name}"
        if path.suffix.lower() == ".zip":
            return RasterFile(f"/vsizip/{{{path}}}/{name}", path, label)
        # by its bytes, since GDAL's own reader of tarballs does not know every kind of long name
        begin, size = self.spans[name]
        stream = path if _is_plain(path) else f"/vsigzip/{path}"
        return RasterFile(f"/vsisubfile/{begin}_{size},{stream}", path, label)

    def part(self, name: str) -> Part:
        """The file on disk that a file is or is in."""
        path = self.path / name if self.is_folder else self.path
        stat = path.stat()
        return path.name, stat.st_size, stat.st_mtime_ns


def is_archive(path: Path) -> bool:
    """True if a name is that of a zip or a tarball."""
    return path.name.lower().endswith(ARCHIVES) and not path.is_dir()


def list_files(path: Path, *, deep: bool = True) -> Archive:
    """Look into a folder, a zip or a tarball.

    Args:
        path: what to look into.
        deep: also into the folders of a folder.

    Raises:
        RasterError: the archive is damaged.
    """
    try:
        if not is_archive(path):
            names = _in_folder(path, deep)
        elif path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as packed:
                names = [one.filename for one in packed.infolist() if not one.is_dir()]
        else:
            with tarfile.open(path) as tarball:
                spans = {
                    one.name.removeprefix("./"): (one.offset_data, one.size)
                    for one in tarball
                    if one.isfile() and not _is_hidden(one.name)
                }
            return Archive(path, tuple(sorted(spans)), spans)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError) as error:
        raise _damaged(path, error) from error
    return Archive(path, tuple(sorted(name for name in names if not _is_hidden(name))))


def _is_hidden(name: str) -> bool:
    """True for what another system leaves beside files, such as ``._`` copies."""
    return name.rpartition("/")[2].startswith(".")


def _in_folder(path: Path, deep: bool) -> list[str]:
    if not deep:
        return [one.name for one in path.iterdir() if one.is_file()]
    return [
        (Path(folder) / name).relative_to(path).as_posix()
        for folder, _, files in os.walk(path)
        for name in files
    ]


def _is_plain(tarball: Path) -> bool:
    return tarball.suffix.lower() == ".tar"


def _unpacked(tarball: Path) -> IO[bytes]:
    """The bytes of a tarball, whether it is compressed or not."""
    return tarball.open("rb") if _is_plain(tarball) else gzip.open(tarball)  # type: ignore[return-value]


def _damaged(path: Path, error: Exception) -> RasterError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return RasterError(
        f"{path}: cannot be opened, perhaps it is cut short ({reason}); "
        "fetch it again, or take it out of the source"
    )
