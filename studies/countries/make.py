"""Make the layer of countries that minetrace ships, from two npm packages.

    npm pack world-atlas@2.0.2 && npm pack i18n-iso-countries@7.14.0
    python studies/countries/make.py world-atlas-2.0.2.tgz i18n-iso-countries-7.14.0.tgz

The borders are Natural Earth's 1:10m, simplified as one coverage, so that neighbours keep their
border in common; the codes are ISO 3166-1 alpha-3.
"""

from __future__ import annotations

import json
import sys
import tarfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

HOME = Path(__file__).resolve().parents[2] / "src/minetrace/panel/countries"
TOLERANCE_DEG = 0.025
DIGITS = 3
ISLET_DEG2 = 2e-3  # about 25 square kilometres at the equator
BY_NAME = {"Somaliland": "SOM", "N. Cyprus": "CYP", "Kosovo": "XKX", "Indian Ocean Ter.": "AUS",
           "USNB Guantanamo Bay": "CUB", "Baikonur": "KAZ"}  # fmt: skip
"""Areas without a code of their own: under that of their ISO country; Kosovo's is user-assigned."""


def member(archive: Path, name: str) -> bytes:
    with tarfile.open(archive) as tar:
        file = tar.extractfile(f"package/{name}")
        if file is None:
            raise SystemExit(f"{archive}: holds no {name}")
        return file.read()


def surfaces(shapes: np.ndarray) -> np.ndarray:
    """Valid polygons and multipolygons, without lines and points."""
    valid = shapely.make_valid(shapes, method="structure", keep_collapsed=False)
    for i in np.flatnonzero(shapely.get_type_id(valid) == 7):
        parts = shapely.get_parts(valid[i])
        valid[i] = shapely.union_all(parts[np.isin(shapely.get_type_id(parts), (3, 6))])
    return valid


def simplified(shapes: np.ndarray) -> np.ndarray:
    """All countries at once, so that neighbours keep their border; islets are left out."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    size = shapely.area(parts)
    largest = np.zeros(len(shapes))
    np.maximum.at(largest, owner, size)
    kept = (size >= ISLET_DEG2) | (size == largest[owner])
    parts, owner = shapely.coverage_simplify(parts[kept], TOLERANCE_DEG), owner[kept]
    return np.array([shapely.multipolygons(parts[owner == i]) for i in range(len(shapes))])


def main(atlas: Path, codes: Path) -> None:
    topology = Path("countries-10m.json")
    topology.write_bytes(member(atlas, topology.name))
    table = gpd.read_file(topology, layer="countries").set_crs("EPSG:4326", allow_override=True)
    topology.unlink()
    alpha = {numeric: a3 for _, a3, numeric, *_ in json.loads(member(codes, "codes.json"))}
    number = table["id"].map(lambda value: f"{int(value):03d}" if pd.notna(value) else None)
    table["iso_a3"] = number.map(alpha).fillna(table["name"].map(BY_NAME))
    left = table[table["iso_a3"].isna()]["name"].tolist()
    print("left out, without a code:", left)
    table = table[table["iso_a3"].notna() & (table["iso_a3"] != "ATA")]
    own = table["id"].notna()
    named = dict(zip(table["iso_a3"][own], table["name"][own], strict=True))
    valid = surfaces(table.geometry.to_numpy())
    united = gpd.GeoDataFrame({"iso_a3": table["iso_a3"]}, geometry=valid, crs=4326)
    united = united.dissolve("iso_a3").reset_index()
    simple = simplified(surfaces(united.geometry.to_numpy()))
    snapped = shapely.transform(simple, lambda xy: np.round(xy, DIGITS))
    ground = surfaces(snapped)
    names = united["iso_a3"].map({"XKX": "Kosovo", **named}).fillna(united["iso_a3"])
    layer = gpd.GeoDataFrame({"iso_a3": united["iso_a3"], "name": names}, geometry=ground, crs=4326)
    layer = layer[~layer.geometry.is_empty].sort_values("iso_a3", ignore_index=True)
    path = HOME / "natural_earth.parquet"
    layer.to_parquet(path, index=False, compression="zstd", compression_level=19)
    points = shapely.get_num_coordinates(layer.geometry.to_numpy()).sum()
    print(f"{len(layer)} countries, {points:,} vertices, {path.stat().st_size / 1e3:,.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
