"""The manifest of a set that minetrace made: one GeoJSON file that a GIS opens as a map of frames.

Chips are its features; what the set as a whole says stands beside them. The file is text in one
order, so the same set is the same bytes, whatever happened while it was made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from shapely.geometry import Polygon, box, mapping

from minetrace.chips.raster_files import RasterChips
from minetrace.chips.values import Values
from minetrace.core.data_set import Chip, DataSet
from minetrace.core.raster import NODATA, stored_scale
from minetrace.core.region import project
from minetrace.errors import DataSetError, MissingFileError
from minetrace.store.files import write_text

MANIFEST = "chips.geojson"
FORMAT = 1
_KEYS = tuple(f.name for f in fields(Chip))


def write_manifest(folder: Path, data: DataSet, *, extra: Mapping[str, Any] | None = None) -> Path:
    """Write the manifest of a set, whole.

    Args:
        folder: of the set; the chips' paths start from it.
        data: the set.
        extra: what else to say of it, such as how it was made.
    """
    head = {
        "type": "FeatureCollection", "name": data.name, "minetrace": FORMAT,
        "version": data.version, "bands": data.bands, "classes": data.classes,
        "resolution_m": data.resolution_m, "level": data.level,
        "data": [dict(d) for d in data.data], **(extra or {}),
    }  # fmt: skip
    lines = ",\n".join(_line(_feature(chip)) for chip in data.chips)
    text = f'{_line(head)[:-1]},"features":[\n{lines}\n]}}\n'
    path = folder / MANIFEST
    write_text(path, text)
    return path


def _line(thing: Any) -> str:
    return json.dumps(thing, separators=(",", ":"), ensure_ascii=False)


def _feature(chip: Chip) -> dict[str, Any]:
    known = {k: v for k, v in vars(chip).items() if v not in ("", None)}
    if chip.shares is not None:
        known["shares"] = {str(k): v for k, v in chip.shares.items()}
    return {"type": "Feature", "geometry": _outline(chip), "properties": known}


def _outline(chip: Chip) -> dict[str, Any] | None:
    if chip.bounds is None or not chip.crs:
        return None
    ground: Polygon = project(box(*chip.bounds), chip.crs, "EPSG:4326")
    rounded = Polygon([(round(x, 7), round(y, 7)) for x, y in ground.exterior.coords])
    return dict(mapping(rounded))


def made_reader(folder: Path, bands: Sequence[str], classes: Sequence[str]) -> RasterChips:
    """The reader of chips that minetrace made."""
    values = Values(tuple(map(stored_scale, bands)), (0.0,) * len(bands), (NODATA,))
    return RasterChips(folder, values, len(classes))


def read_manifest(folder: Path) -> DataSet:
    """The set of a folder that minetrace made.

    Raises:
        MissingFileError: there is no manifest.
        DataSetError: it is none, or of a format that this version does not know.
    """
    path = folder / MANIFEST if folder.is_dir() else folder
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        if said["minetrace"] != FORMAT:
            raise DataSetError(f"{path}: is of format {said['minetrace']}, this minetrace reads "
                               f"{FORMAT}; make the set again")  # fmt: skip
        chips = tuple(_chip(feature["properties"]) for feature in said["features"])
        bands, classes = tuple(said["bands"]), tuple(said["classes"])
        return DataSet(
            said["name"], chips, bands, classes,
            made_reader(path.parent, bands, classes),
            said["resolution_m"], said["level"], tuple(said["data"]),
        )  # fmt: skip
    except FileNotFoundError as error:
        raise MissingFileError(f"{path}: no such manifest; 'minetrace chips' makes one") from error
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        if isinstance(error, DataSetError):
            raise
        raise DataSetError(f"{path}: is no manifest of chips ({type(error).__name__}: {error}); "
                           "make the set again") from error  # fmt: skip


def with_splits(folder: Path, data: DataSet) -> None:
    """Write a set's manifest again, its splits changed and all else that it says kept."""
    path = folder / MANIFEST
    said = json.loads(path.read_text(encoding="utf-8"))
    known = {"type", "name", "minetrace", "version", "bands", "classes", "resolution_m", "level",
             "data", "features"}  # fmt: skip
    write_manifest(folder, data, extra={k: v for k, v in said.items() if k not in known})


def _chip(properties: Mapping[str, Any]) -> Chip:
    chip = Chip(**{k: v for k, v in properties.items() if k in _KEYS})
    shares = chip.shares and {int(k): float(v) for k, v in chip.shares.items()}
    bounds = chip.bounds and tuple(map(float, chip.bounds))
    return replace(chip, shares=shares or None, bounds=bounds or None)  # type: ignore[arg-type]
