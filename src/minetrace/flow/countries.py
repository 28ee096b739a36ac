"""The layer of countries that comes with minetrace, or the user's own."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from minetrace.errors import StudyError
from minetrace.panel.territories import Territories
from minetrace.store.outlines import read_polygons

SHIPPED = "natural-earth"


def shipped() -> Path:
    """Natural Earth's countries, simplified: ``iso_a3`` and ``name``."""
    home = resources.files("minetrace.panel") / "countries" / "natural_earth.parquet"
    return Path(str(home))


def read_countries(word: str) -> Territories | None:
    """Countries by what names them.

    Args:
        word: ``natural-earth``, ``none``, or ``FILE:COLUMN``.

    Raises:
        StudyError: it is none of them.
        UserError: the file cannot be used.
    """
    if word == "none":
        return None
    if word == SHIPPED:
        return Territories.of(read_polygons(shipped()), id="iso_a3", name="name")
    path, colon, column = word.rpartition(":")
    if not (colon and path and column):
        raise StudyError(
            f"countries: {word!r} is neither {SHIPPED} nor none nor FILE:COLUMN, such as "
            "countries.gpkg:ISO3"
        )
    return Territories.of(read_polygons(Path(path)), id=column)


def bounds_by_name() -> dict[str, tuple[float, float, float, float]]:
    """Of each country that comes along, west, south, east, north in degrees, by name."""
    table = read_polygons(shipped()).sort_values("name")
    bounds = table.geometry.bounds.round(4).itertuples(index=False)
    return {
        str(name): (float(b[0]), float(b[1]), float(b[2]), float(b[3]))
        for name, b in zip(table["name"], bounds, strict=True)
    }
