"""What a study believes of scores through time, as the temporal room takes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from minetrace.core.model import ModelCard
from minetrace.core.period import Period
from minetrace.errors import MissingFileError, ModelError, StudyError
from minetrace.flow.study_time import DecodeStudy
from minetrace.store.files import read_json
from minetrace.temporal.course import Course
from minetrace.temporal.curve import Curve
from minetrace.temporal.decode import Decoded, decode
from minetrace.temporal.evidence import Calibrated, Detections
from minetrace.temporal.learned import Learned

WAYS = ("learned", "curve", "detections")
NAMES = ("active", "first", "last", "state")
THRESHOLD = 0.5  # of the decoded probability: more likely mined than not
PIXELS_AT_ONCE = 40_000_000  # pixels times periods whose answer is held at once


@dataclass(frozen=True)
class Decoder:
    """How scores are decoded.

    Attributes:
        course: what is believed of ground before anybody looks.
        evidence: what a score says.
        band: which band of the scores is read, from 1.
    """

    course: Course
    evidence: Calibrated | Detections | Learned
    band: int

    @classmethod
    def of(cls, asked: DecodeStudy | None, card: ModelCard) -> Decoder | None:
        """The decoder that a study asks for, None if it asks for none.

        Raises:
            StudyError: a number cannot be meant, or scores are to be read in two ways.
            MissingFileError: the learned evidence is not there.
            ModelError: scores would be read as probabilities that are none.
        """
        if asked is None:
            return None
        course = Course(**asked.course.model_dump())
        own = {"residue": asked.residue, "guise": asked.guise}
        ways = [name for name in WAYS if getattr(asked, name) is not None]
        if len(ways) > 1:
            raise StudyError(f"decode: {' and '.join(ways)} are two ways to read scores; keep one")
        if asked.learned is not None:
            said = replace(read_learned(asked.learned), weight=asked.weight, residue=asked.residue)
            return cls(course, said, 1)
        if asked.detections is not None:
            rates = asked.detections.model_dump(exclude_none=True)
            known = Detections(**{"threshold": card.threshold, **rates}, **own)
            return cls(course, known, 2 if card.output == "patch" else 1)
        if not (card.calibrated or asked.curve is not None or asked.trust_uncalibrated):
            raise ModelError(
                f"decode: the scores of {card.name} are not calibrated, so they are no "
                "probabilities; give decode.learned or decode.curve (from known mines), "
                "decode.detections (its error rates), or decode.trust_uncalibrated: true"
            )
        if asked.curve is not None and "scored_prior" not in asked.model_fields_set:
            raise StudyError(
                "decode.curve needs decode.scored_prior, the share of mined ground where the curve "
                "was fitted: give the prior that fit_curve found"
            )
        curve = None if asked.curve is None else Curve(asked.curve, asked.scored_prior)
        return cls(
            course,
            Calibrated(asked.scored_prior, asked.slip, asked.weight, curve=curve, **own),
            1,
        )

    def passes(self, periods: Sequence[Period], pixels: int) -> list[Sequence[Period]]:
        """The periods in groups whose answers fit the memory together."""
        size = max(1, PIXELS_AT_ONCE // max(1, pixels))
        return [periods[k : k + size] for k in range(0, len(periods), size)]

    def __call__(
        self, scores: NDArray[np.uint16], periods: Sequence[Period], wanted: Sequence[Period]
    ) -> Decoded:
        """Decode a stack of scores, (periods, height, width)."""
        return decode(scores, periods, course=self.course, evidence=self.evidence, wanted=wanted)


def read_learned(path: Path) -> Learned:
    """Evidence from a JSON file of the fields of ``Learned``.

    Raises:
        MissingFileError: it is not there.
        StudyError: it holds something else.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file of learned evidence")
    try:
        said = dict(read_json(path))
        edges, active, lookalike = (tuple(map(float, said.pop(key))) for key in
                                    ("edges", "active", "lookalike"))  # fmt: skip
        return Learned(edges, active, lookalike, **said)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StudyError(
            f"{path}: no learned evidence ({error}); write the fields of minetrace.temporal."
            "learned.Learned as JSON"
        ) from error
