"""``minetrace chips``: training data around labels."""

from __future__ import annotations

from pathlib import Path

import typer


def command(
    study: Path = typer.Argument(..., help="A study file with the keys labels and chips."),
    out: Path | None = typer.Option(None, help="The set's folder.  [default: chips/NAME]"),
    workers: int = typer.Option(0, min=0, help="Processes; 0 for one per core. No chip changes."),
    quiet: bool = typer.Option(False, help="No progress, only the summary."),
    as_json: bool = typer.Option(False, "--json", help="Print the summary as JSON."),
) -> None:
    """Cut chips around labels: pictures with masks, background, a manifest and a contact sheet.

    A mask says 0, the class, or 255 where nobody knows. A command that was stopped goes on where
    it was, and the set has a version: the same labels and imagery make the same one.

    Example:  minetrace chips study.yaml --out chips/gold
    """
    import json

    from minetrace.errors import StudyError
    from minetrace.faces.cli.card import facts
    from minetrace.faces.cli.progress import Bars
    from minetrace.flow.chips import make_chips
    from minetrace.flow.machine import cores
    from minetrace.flow.report import Silent
    from minetrace.flow.study import Study

    asked = Study.read(study)
    if not asked.labels or asked.chips is None:
        missing = "chips" if asked.labels else "labels"
        raise StudyError(f"{study}: has no key {missing}; add labels: [{{path: mines.gpkg}}] and "
                         "chips: {size: 128}")  # fmt: skip
    folder = out or Path("chips") / asked.name
    made = make_chips(
        asked, asked.labels, asked.chips, folder, workers=workers or cores(),
        reporter=Silent() if quiet or as_json else Bars(),
    )  # fmt: skip
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), "version": made.data.version,
                               "chips": dict(made.kinds), "splits": dict(made.data.splits),
                               "left_out": made.empty, "audit": made.audit.verdict}))  # fmt: skip
        return
    typer.echo(f"{folder}: {len(made.data)} chips, version {made.data.version}")
    counts = [f"{n} {kind}" for kind, n in made.kinds.items()]
    splits = [f"{n} {name or 'in none'}" for name, n in made.data.splits.items()]
    facts([
        ("chips", f"{', '.join(counts)}; {made.empty} left out, too little of them was seen"),
        ("splits", ", ".join(splits)), ("audit", made.audit.verdict), ("look", str(made.sheet)),
    ])  # fmt: skip
