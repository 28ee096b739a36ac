"""Reference polygons and points: read, repaired, put together, and held against each other."""
