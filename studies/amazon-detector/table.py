"""Hectares of a map by year beside the truth, and how much of them is true.

python table.py run
"""

from __future__ import annotations

import sys
from pathlib import Path

from minetrace.testing.beside_truth import rows

if __name__ == "__main__":
    panel = Path(sys.argv[1]) / "panel.parquet"
    print("\n".join(rows(panel, Path("truth.gpkg"), Path("region.geojson"))))
