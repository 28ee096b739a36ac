"""One training by several processes: each takes its share of every step's batches.

The gradients are averaged before every step, so the weights stay equal in all of them, and what
is learnt is what one process would learn with as many times ``accumulate``. A GPU each, or on a
CPU as many processes as asked. Needs torch.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import torch
from torch import distributed, nn

from minetrace.errors import MinetraceError, ModelError

Work = Callable[["Crew", str], None]
"""What a process besides the first one does, told its place and its device."""


@dataclass(frozen=True)
class Crew:
    """The processes of a training, and which one this is.

    Attributes:
        rank: of this process; the first writes and reports.
        count: how many there are.
    """

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the first."""
        return self.rank == 0

    def joined(self, net: nn.Module) -> nn.Module:
        """The network with gradients that are averaged over all processes."""
        return nn.parallel.DistributedDataParallel(net) if self.count > 1 else net

    def mean(self, value: float, device: str) -> float:
        """Of the values of all processes."""
        if self.count == 1:
            return value
        held = torch.tensor(value, dtype=torch.float64, device=device)
        distributed.all_reduce(held)
        return float(held) / self.count

    def told(self, thing: Any) -> Any:
        """What the first process says, in all of them; it may be anything that pickles."""
        if self.count == 1:
            return thing
        held = [thing]
        distributed.broadcast_object_list(held)
        return held[0]


ALONE = Crew()


@contextmanager
def crew_of(count: int, device: str, work: Work) -> Iterator[tuple[Crew, str]]:
    """This process as the first of several; the others do ``work`` and end with it.

    Args:
        count: of processes, 1 for this one alone.
        device: ``cpu``, or ``cuda`` for a GPU each.
        work: can be pickled.

    Yields:
        This process's place and its device.

    Raises:
        ModelError: there are fewer GPUs than processes, or another process failed.
    """
    if count == 1:
        yield ALONE, device
        return
    if device != "cpu" and torch.cuda.device_count() < count:
        raise ModelError(
            f"{count} processes need {count} GPUs, here are {torch.cuda.device_count()}; ask for "
            "fewer, or for --device cpu"
        )
    spawn = get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        meeting, said = Path(folder) / "meeting", spawn.Queue()
        others = [
            spawn.Process(target=_other, daemon=True,
                          args=(Crew(rank, count), meeting, device, work, said,
                                torch.get_num_threads()))
            for rank in range(1, count)
        ]  # fmt: skip
        for process in others:
            process.start()
        try:
            _meet(Crew(0, count), meeting, device)
            yield Crew(0, count), _own(device, 0)
        except RuntimeError as error:  # torch's, when another process is gone
            if isinstance(error, MinetraceError):
                raise
            why = said.get() if not said.empty() else " ".join(str(error).split())[:200]
            raise ModelError(f"a process of the training failed: {why}") from error
        finally:
            _part(others)


def _part(others: list[SpawnProcess]) -> None:
    """Wait for processes that are at their end, and end those that are not."""
    for process in others:
        process.join(5)
        process.terminate()
        process.join()
    if distributed.is_initialized():
        distributed.destroy_process_group()


def _own(device: str, rank: int) -> str:
    return device if device == "cpu" else f"cuda:{rank}"


def _meet(crew: Crew, meeting: Path, device: str) -> None:
    if device != "cpu":
        torch.cuda.set_device(crew.rank)
    distributed.init_process_group(
        "gloo" if device == "cpu" else "nccl", init_method=meeting.as_uri(), rank=crew.rank,
        world_size=crew.count,
    )  # fmt: skip


def _other(crew: Crew, meeting: Path, device: str, work: Work, said: Any, threads: int) -> None:
    torch.set_num_threads(threads)
    try:
        _meet(crew, meeting, device)
        work(crew, _own(device, crew.rank))
        distributed.destroy_process_group()
    except (MinetraceError, RuntimeError, OSError) as error:
        said.put(" ".join(str(error).split())[:300])
        raise SystemExit(1) from error
