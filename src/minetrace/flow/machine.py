"""What this machine has to give: cores and memory, as far as this process may use them."""

from __future__ import annotations

import os
from pathlib import Path

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_bytes() -> int:
    """Memory that this process may use: the machine's, or less inside a container."""
    pages = os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    found = [pages * os.sysconf("SC_PAGE_SIZE")] if pages > 0 else []
    for place in map(Path, _LIMITS):
        said = place.read_text().strip() if place.is_file() else ""
        if said.isdigit():
            found.append(int(said))
    return min(found, default=0)


def tasks_that_fit(task_gb: float, memory: int | None = None) -> int:
    """How many tasks may be under way at once in so many bytes (this machine's); at least one."""
    here = memory_bytes() if memory is None else memory
    return max(1, int(here / (task_gb * 1e9))) if here else 1
