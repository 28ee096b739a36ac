"""What every scorer must hold to: inherit the class and say how to make one."""

from __future__ import annotations

import pickle

import numpy as np
from numpy.typing import NDArray

from minetrace.core.model import Scorer


class ScorerContract:
    """Inherit as ``class TestMine(ScorerContract)`` and give ``make_scorer``."""

    def make_scorer(self) -> Scorer:
        """A scorer to test."""
        raise NotImplementedError

    def calls(self, scorer: Scorer, count: int = 3) -> NDArray[np.float32]:
        """Seeded input of the shape that the card asks for."""
        side, bands = scorer.card.call_px, len(scorer.card.bands)
        rng = np.random.default_rng(5)
        return rng.uniform(0.0, 0.6, (count, bands, side, side)).astype(np.float32)

    def test_it_answers_in_the_shape_that_its_card_says(self) -> None:
        """Probabilities per pixel, or per window of a call."""
        scorer = self.make_scorer()
        card = scorer.card
        side = card.call_px if card.output == "pixels" else card.grid_side
        answer = scorer(self.calls(scorer))
        assert answer.shape == (3, len(card.classes), side, side)
        assert answer.dtype == np.float32

    def test_it_answers_with_probabilities(self) -> None:
        """Between 0 and 1, and never NaN."""
        scorer = self.make_scorer()
        answer = scorer(self.calls(scorer))
        assert np.isfinite(answer).all()
        assert ((answer >= 0) & (answer <= 1)).all()

    def test_the_place_in_a_batch_does_not_matter(self) -> None:
        """The same square gets the same answer to the bit, whatever stands beside it."""
        scorer = self.make_scorer()
        image = self.calls(scorer)
        assert np.array_equal(scorer(image)[::-1], scorer(np.ascontiguousarray(image[::-1])))

    def test_a_copy_in_another_process_answers_the_same(self) -> None:
        """It survives pickling, which is how workers get it."""
        scorer = self.make_scorer()
        copy: Scorer = pickle.loads(pickle.dumps(scorer))
        image = self.calls(scorer)
        assert np.array_equal(scorer(image), copy(image))
        assert copy.card == scorer.card
