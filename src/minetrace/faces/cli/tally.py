"""``minetrace tally``: hectares by territory and period."""

from __future__ import annotations

from pathlib import Path

import typer


def command(
    panel: list[str] = typer.Argument(
        ..., help="A run, a panel's folder or file; or outlines, as 'minetrace panel' takes them."
    ),
    by: str = typer.Option(
        "natural-earth", help="Polygons of territories; natural-earth: countries, to 2 km."
    ),
    id: str = typer.Option("iso_a3", help="The column that names a territory."),
    name: str | None = typer.Option(None, help="A column to show beside it."),
    classes: Path | None = typer.Option(None, help="Polygons of classes, as a second key."),
    class_column: str | None = typer.Option(None, "--class", help="The column of the class."),
    class_period: str | None = typer.Option(
        None, help="The column that says from which period a class holds; the latest counts."
    ),
    out: Path | None = typer.Option(None, help="Where to write.  [default: the panel's folder]"),
    formats: list[str] | None = typer.Option(
        None, "--format", help="csv, parquet, gpkg, json or html; repeat it.  [default: all]"
    ),
    points: Path | None = typer.Option(
        None, help="Villages, airstrips: also write how near mining is, exposure.csv."
    ),
    points_id: str = typer.Option("name", help="The column that names a place."),
    radius_km: float = typer.Option(5.0, help="Count hectares around places so far."),
    extent: str | None = typer.Option(None, help="Of outlines: mined or footprint."),
    period_column: str | None = typer.Option(None, help="Of outlines: the period's column."),
    counts: str | None = typer.Option(None, help="Of outlines: present or new."),
    mend: bool = typer.Option(False, "--mend", help="Mend outlines that cross themselves."),
) -> None:
    """Count hectares by territory and period: present, new, lost, cumulative, ever.

    Sites are split at borders, nothing is counted twice, and the sums are checked.

    Example:  minetrace tally p --by countries.gpkg --id ISO3

    Example:  minetrace tally p --by units.gpkg --id code --classes legality.gpkg --class status

    Example:  minetrace tally p --points villages.gpkg --points-id name --radius-km 10
    """
    from minetrace.flow.entering import Choice
    from minetrace.flow.panel_folder import as_counts
    from minetrace.flow.tallies import FORMATS, TallyRequest, home, write, write_exposure
    from minetrace.publish.tally_words import lines

    request = TallyRequest(
        panel, by, id, name, classes, class_column, class_period,
        Choice(extent, period_column, mend=mend), as_counts(counts),
    )  # fmt: skip
    folder = out or home(request) or Path()
    table, files = write(request, folder, formats or FORMATS)
    if points is not None:
        files.append(write_exposure(request, points, folder, id=points_id, radius_km=radius_km)[1])
    for text in [*lines(table), *map(str, files)]:
        typer.echo(text)
