"""Hectares by territory of a published panel."""

from __future__ import annotations

from typing import Any

import pandas as pd

from minetrace.flow.published import Published
from minetrace.flow.tallies import TallyRequest, count


def tally_of(published: Published) -> list[dict[str, Any]]:
    """The rows of the tally that was published with the panel, or else of one by country.

    Raises:
        UnreconciledError: the parts do not add up to the whole; nothing is told.
    """
    told = published.files.get("tallies.csv")
    if told is not None:
        table = pd.read_csv(  # NA is Namibia, and no gap
            told, dtype={"period": str, "territory": str}, keep_default_na=False, na_values=[""]
        )
    else:
        table, _ = count(TallyRequest((published.root,)))
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]
