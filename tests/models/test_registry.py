"""The list of named models is true of what is shipped."""

from __future__ import annotations

import pytest

from minetrace.models.registry import SHIPPED, Entry, entries
from minetrace.predict.model_file import read_model

EVERY = pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.name)


def test_names_are_unique_and_one_is_the_default() -> None:
    names = [entry.name for entry in entries()]
    assert len(set(names)) == len(names)
    assert [entry.default for entry in entries()].count(True) == 1
    assert entries()[0].default


@EVERY
def test_an_entry_is_true_of_its_file(entry: Entry) -> None:
    _, card = read_model(SHIPPED / entry.source)
    assert (card.name, card.sha256, card.licence) == (entry.name, entry.sha256, entry.licence)


@EVERY
def test_an_entry_says_what_it_is_for_and_not_for(entry: Entry) -> None:
    assert entry.purpose
    assert entry.not_for
