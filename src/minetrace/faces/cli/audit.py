"""``minetrace audit``: does a test see what was trained on?"""

from __future__ import annotations

from pathlib import Path

import typer


def command(
    data: list[Path] = typer.Argument(
        ..., help="A set of chips (folder, .npz, Zarr), and lists of its splits (CSV); or lists."
    ),
    bands: str | None = typer.Option(None, help="Common names in the files' order: red,green,nir."),
    scale: float | None = typer.Option(None, help="Reflectance per number, such as 0.0001."),
    exclude: list[str] | None = typer.Option(None, help="A chip to leave out; repeat it."),
    fast: bool = typer.Option(False, help="Names and places only; pixels are not read."),
    near_m: float = typer.Option(0.0, help="A test nearer to a trained chip than this leaks too."),
    out: Path | None = typer.Option(None, help="Write audit.md, audit.html, audit.json there."),
    as_json: bool = typer.Option(False, "--json", help="Print as JSON."),
) -> None:
    """Hold the splits of a set against each other: places, ground, copies, classes.

    Leaves with exit code 2 if the split leaks.

    Example:  minetrace audit chips/gold

    Example:  minetrace audit SmallMinesDS/ train_test_splits_2016.csv train_test_splits_2022.csv
    """
    import json

    from minetrace.chips.audit import audit, refuse_leaks
    from minetrace.chips.audit_page import markdown
    from minetrace.flow.data_sets import open_set, write_audit
    from minetrace.flow.study_chips import SetStudy, SplitStudy

    path, *lists = data
    split = SplitStudy(kind="lists", lists=tuple(lists)) if lists else None
    study = SetStudy(
        path=path, bands=tuple(b.strip() for b in bands.split(",")) if bands else (),
        scale={} if scale is None else {"*": scale}, exclude=tuple(exclude or ()), split=split,
    )  # fmt: skip
    opened = open_set(study)
    found = audit(opened, contents=bool(opened.bands) and not fast, near_m=near_m)
    typer.echo(json.dumps(found.to_json(), indent=1) if as_json else markdown(found), nl=as_json)
    if out is not None:
        write_audit(out, found)
    refuse_leaks(found)
