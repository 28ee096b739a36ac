"""``minetrace panel``: anybody's outlines to sites with an identity."""

from __future__ import annotations

from pathlib import Path

import typer


def command(
    files: list[str] = typer.Argument(
        ...,
        help="Outlines or probability rasters: FILE with its period in the name, or PERIOD=FILE.",
    ),
    out: Path = typer.Option(..., help="The folder to write."),
    extent: str | None = typer.Option(
        None, help="What the outlines mean, where the files do not say it: mined or footprint."
    ),
    period_column: str | None = typer.Option(None, help="The column that holds the period."),
    hectares_column: str | None = typer.Option(
        None, help="A column of mined hectares inside each outline.  [default: they are measured]"
    ),
    counts: str | None = typer.Option(
        None, help="present: a period shows all that is mined; new: what was newly mined in it."
    ),
    threshold: float | None = typer.Option(None, help="Leave out what scores less."),
    scale: float | None = typer.Option(None, help="What makes a raster's values shares: 0.01."),
    dissolve: bool | None = typer.Option(
        None, help="Patches become outlines where they meet.  [default: if they are patches]"
    ),
    mend: bool = typer.Option(False, "--mend", help="Mend outlines that cross themselves."),
    previous: Path | None = typer.Option(None, help="A panel of which sites keep their names."),
    countries: str = typer.Option(
        "natural-earth", help="Names each site's country: natural-earth, none, or FILE:COLUMN."
    ),
    divide: str | None = typer.Option(
        None, help="Cut giant outlines: distance:KM or watershed:KM.  [default: none is cut]"
    ),
    tropical: bool = typer.Option(
        False, "--tropical", help="Also write tropical.gpkg, in the tropical panel's columns."
    ),
    title: str | None = typer.Option(None, help="Of the map.  [default: the folder's name]"),
    table_only: bool = typer.Option(False, "--table-only", help="No GeoPackage, no map."),
) -> None:
    """Follow outlines through time, whoever drew them: GeoPackage, GeoJSON, GeoParquet, Shapefile.

    Example:  minetrace panel mines_2020.geojson mines_2021.gpkg --extent mined --out p

    Example:  minetrace panel all.gpkg --period-column year --extent mined --out p

    Example:  minetrace panel 2023=detections.geojson --threshold 0.8 --out p
    """
    from minetrace.flow.entering import Choice
    from minetrace.flow.panel_folder import PanelRequest, as_counts, make_panel
    from minetrace.publish.words import INTERVAL, count

    choice = Choice(extent, period_column, hectares_column, threshold, scale, dissolve, mend)
    made = make_panel(
        PanelRequest(files, choice, as_counts(counts), previous, divide=divide, countries=countries,
                     title=title, tropical=tropical, everything=not table_only),
        out,
    )  # fmt: skip
    for note in made.notes:
        typer.echo(note, err=True)
    typer.echo(made.summary.to_string(index=False, float_format="{:,.1f}".format))
    typer.echo(f"{count(made.panel['site_id'].nunique(), 'site')}, hectares {INTERVAL}: {out}")
