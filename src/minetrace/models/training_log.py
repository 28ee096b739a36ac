"""The course of a training for people: a CSV file, and TensorBoard where it is installed."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import astuple, fields
from pathlib import Path

from minetrace.models.training import Look
from minetrace.store.files import write_text

LOG = "log.csv"
BOARD = "tensorboard"


def write_log(folder: Path, looks: Sequence[Look]) -> None:
    """Write every look as a row of ``log.csv``; a training that goes on leaves no row twice."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([field.name for field in fields(Look)])
    for look in looks:
        table.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in astuple(look)])
    write_text(folder / LOG, text.getvalue())


def write_board(folder: Path, look: Look) -> bool:
    """Add a look to the TensorBoard files of a folder; False if TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return False
    with SummaryWriter(str(folder / BOARD), purge_step=look.step) as writer:
        for field in fields(Look):
            if field.name not in ("step", "seconds"):
                writer.add_scalar(field.name, getattr(look, field.name), look.step)
    return True
