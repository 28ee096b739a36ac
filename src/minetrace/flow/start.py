"""Where a training begins that does not begin anew: the weights and the statistics of another.

A few chips of a new region move a network that knows mines from elsewhere further than they could
teach one that knows nothing. Its band statistics are kept, so that a reflectance means what it
meant; or they are taken anew from the new region, whose haze and soils may have shifted them all.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from minetrace.core.model import ModelCard
from minetrace.errors import BandError, MissingFileError
from minetrace.models.survey import Survey
from minetrace.predict.model_file import read_model

STATE, MODEL = "state.pt", "model"


@dataclass(frozen=True)
class Start:
    """A training that another one begins from.

    Attributes:
        states: of its networks, in order.
        card: of its model.
        fingerprint: of the states, so that another start is another training.
    """

    states: tuple[Path, ...]
    card: ModelCard
    fingerprint: str

    def state(self, number: int) -> Path:
        """The state that a network begins with; there may be more of those than of these."""
        return self.states[number % len(self.states)]

    def bands(self, asked: tuple[str, ...]) -> tuple[str, ...]:
        """The bands of the network, in its order.

        Raises:
            BandError: others are asked for.
        """
        if asked and asked != self.card.bands:
            raise BandError(
                f"bands are {', '.join(asked)}, and {self.card.name}, to begin from, takes "
                f"{', '.join(self.card.bands)}; leave bands out, or begin anew without start"
            )
        return self.card.bands

    def kept(self, seen: Survey) -> Survey:
        """A survey with the statistics that the model was trained with."""
        if seen.full is not None:  # its scale is fixed
            return replace(seen, mean=np.array(self.card.fill))
        rules = [self.card.scaling[band] for band in seen.bands]
        std = np.array([1 / rule.scale for rule in rules])
        return replace(seen, mean=-np.array([rule.offset for rule in rules]) * std, std=std)


def read_start(path: Path) -> Start:
    """A training to begin from, by its folder or the model folder in it.

    Raises:
        MissingFileError: there is no such training, or only its model: a graph cannot be trained.
        ModelError: its model is none.
    """
    for folder in (path, path.parent):
        states = [folder / STATE, *sorted(folder.glob(f"member*/{STATE}"), key=_number)]
        there = tuple(state for state in states if state.is_file())
        if there and (folder / MODEL).is_dir():
            _, card = read_model(folder / MODEL)
            digest = hashlib.sha256(b"".join(state.read_bytes() for state in there)).hexdigest()
            return Start(there, card, digest)
    raise MissingFileError(
        f"{path}: no training to begin from; give the folder of a 'minetrace train' that has "
        f"ended, with {STATE} and {MODEL}/ in it (a model alone is a graph, which does not learn)"
    )


def _number(state: Path) -> int:
    return int("".join(filter(str.isdigit, state.parent.name)) or 0)
