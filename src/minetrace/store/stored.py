"""Which tiles a run holds: those of the study that was run last, and no leftovers of another."""

from __future__ import annotations

from minetrace.store.files import read_json
from minetrace.store.run_folder import Key, RunFolder
from minetrace.store.sidecar import CATALOG, COLLECTION


def stored_tiles(run: RunFolder, kind: str, period: str) -> list[Key]:
    """Tiles with a sidecar, in order of their ids.

    The catalog that a run ends with says which are its own; a run that has not come so far is
    taken as it lies there.
    """
    folder = run.root / kind / period
    found = sorted(folder.glob("*.tif")) if folder.is_dir() else []
    keys = [Key(kind, period, path.stem) for path in found]
    if (run.root / CATALOG).is_file():
        own = _listed(run, kind)
        keys = [key for key in keys if f"./{period}/{key.tile}.json" in own]
    return [key for key in keys if run.sidecar(key).is_file()]


def _listed(run: RunFolder, kind: str) -> set[str]:
    collection = f"./{kind}/{COLLECTION}"
    children = {link["href"] for link in read_json(run.root / CATALOG)["links"]}
    if collection not in children or not (run.root / kind / COLLECTION).is_file():
        return set()
    return {link["href"] for link in read_json(run.root / kind / COLLECTION)["links"]}
