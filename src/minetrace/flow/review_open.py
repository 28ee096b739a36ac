"""Opening a review: which queue, which store of answers, and what was said so far."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from minetrace.errors import StudyError
from minetrace.flow.open_run import Run
from minetrace.flow.review import Desk
from minetrace.flow.review_pictures import Pictures
from minetrace.flow.review_queue import (
    Queue,
    alerts_queue,
    detections_queue,
    sample_queue,
    samples_of,
)
from minetrace.store.answers import AnswerStore, SqliteAnswers
from minetrace.store.team_answers import TeamAnswers

VARIABLE = "MINETRACE_ANSWERS"  # a URL of PostgreSQL; with its secret it stays in the environment
FILE = Path("review") / "answers.sqlite"


@dataclass(frozen=True)
class ReviewRequest:
    """What to review.

    Attributes:
        run: the run's folder.
        sample: a sample's folder; or
        alerts: a file of polygons or points; or
        detections: the run's own outlines. With none of these, the run's sample if it has one,
            else its detections.
        period: of detections or alerts.
        twice: share of the items that two people look at.
        settlers: people who may settle any dispute.
    """

    run: Path
    sample: Path | None = None
    alerts: Path | None = None
    detections: bool = False
    period: str | None = None
    twice: float = 0.0
    settlers: tuple[str, ...] = ()


def open_queue(request: ReviewRequest) -> Queue:
    """The queue that was asked for.

    Raises:
        UserError: it cannot be made.
    """
    if sum([request.sample is not None, request.alerts is not None, request.detections]) > 1:
        raise StudyError("give one of --sample, --alerts and --detections")
    if not 0 <= request.twice <= 1:
        raise StudyError(f"--twice {request.twice:g}: give a share, 0 to 1")
    run = Run.open(request.run)
    if request.alerts is not None:
        return alerts_queue(run, request.alerts, request.period)
    sample = request.sample or _own_sample(request)
    if sample is not None:
        return sample_queue(run, sample)
    return detections_queue(run, request.period)


def open_store(run: Path) -> AnswerStore:
    """The team's database if the environment names one, else a file inside the run.

    Raises:
        MissingExtraError, StudyError, FailedError: the database cannot be used.
    """
    url = os.environ.get(VARIABLE, "")
    return TeamAnswers.open(url) if url else SqliteAnswers(run / FILE)


def open_desk(request: ReviewRequest) -> Desk:
    """All that a page needs.

    Raises:
        UserError, FailedError: a part of it cannot be had.
    """
    queue = open_queue(request)
    return Desk(
        queue, open_store(request.run), Pictures.open(request.run), request.twice,
        request.settlers,
    )  # fmt: skip


def _own_sample(request: ReviewRequest) -> Path | None:
    if request.detections or request.period is not None:
        return None
    found = samples_of(request.run)
    if len(found) > 1:
        names = ", ".join(str(path) for path in found)
        raise StudyError(f"{request.run}: holds several samples ({names}); choose with --sample")
    return found[0] if found else None
