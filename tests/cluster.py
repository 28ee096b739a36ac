"""A Dask scheduler and workers in processes of their own, as a cluster has them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def dask_cluster(workers: int = 2) -> Iterator[str]:
    """The scheduler's address; workers see the environment as it is when this begins."""
    distributed = pytest.importorskip("distributed", reason="pip install 'minetrace[dask]'")
    with distributed.LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, host="127.0.0.1",
        dashboard_address=":0", silence_logs=60,
    ) as cluster:  # fmt: skip
        yield cluster.scheduler_address
