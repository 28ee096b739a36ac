"""Which of the items that a catalog has are used, and which make one scene. Reads no file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

from minetrace.errors import NoImageryError
from minetrace.sources.source import Scene
from minetrace.sources.stac_items import Item
from minetrace.sources.stac_options import Quest, StacOptions
from minetrace.store.http import redacted


def chosen_items(
    items: Sequence[Item], options: StacOptions, quest: Quest
) -> tuple[list[Item], tuple[str, ...]]:
    """Items that a user has not ruled out, by name or by what the catalog says of their cloud.

    Returns:
        them, and in words what was left out.

    Raises:
        NoImageryError: there are none, or none is left.
    """
    if not items:
        raise _nothing_there(options, quest)
    asked = [item for item in items if not _excluded(item, options.exclude)]
    if not asked:
        raise NoImageryError(
            f"sources.exclude: leaves out all {len(items)} items that were found; name fewer"
        )
    most = options.max_scene_cloud
    kept = [i for i in asked if most is None or i.cloud_cover is None or i.cloud_cover <= most]
    if not kept:
        raise NoImageryError(
            f"every item has more than {most:.0%} cloud over its whole scene: raise "
            "sources.max_scene_cloud, or leave it out and use max_cloud, over the region alone"
        )
    notes = []
    if len(asked) < len(items):
        notes.append(f"{len(items) - len(asked)} of {len(items)} items are excluded")
    if len(kept) < len(asked):
        notes.append(
            f"{len(asked) - len(kept)} of {len(asked)} items have more than {most:.0%} cloud "
            "over their whole scene and are left out"
        )
    return kept, tuple(notes)


def _excluded(item: Item, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(item.id, pattern) for pattern in patterns)


def by_overpass(items: Sequence[Item]) -> dict[Scene, tuple[Item, ...]]:
    """Items of one solar day, platform and orbit together, named after the first."""
    groups: dict[tuple[Any, ...], list[Item]] = {}
    for item in sorted(items, key=lambda i: i.id):
        groups.setdefault((item.day, item.platform, item.orbit), []).append(item)
    scenes = {
        Scene(line[0].id + (f"+{len(line) - 1}" if len(line) > 1 else ""), line[0].day): line
        for line in groups.values()
    }
    ordered = sorted(scenes.items(), key=lambda pair: (pair[0].day, pair[0].id))
    return {scene: tuple(line) for scene, line in ordered}


def _nothing_there(options: StacOptions, quest: Quest) -> NoImageryError:
    first, last = min(a for a, _ in quest.spans), max(b for _, b in quest.spans)
    west, south, east, north = quest.region.bounds
    return NoImageryError(
        f"{redacted(options.url)}: nothing of {options.collection or 'it'} over the region "
        f"({west:.3f} to {east:.3f} E, {south:.3f} to {north:.3f} N) from {first} to "
        f"{last - timedelta(days=1)}; change the years, the region or the collection"
    )
