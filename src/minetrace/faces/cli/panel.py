"""``minetrace panel``: anybody's outlines to sites with an identity."""

from __future__ import annotations

from pathlib import Path

import typer

RULES = "Rules, each by itself"


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
    name_column: str | None = typer.Option(None, help="A column of names that the sites keep."),
    reach_m: float | None = typer.Option(
        None,
        help="Keep what an outline of the period before or after confirms, at most so far.",
        rich_help_panel=RULES,
    ),
    ends: str | None = typer.Option(
        None,
        help="The first and last period: judge (by one neighbour), keep or drop.",
        rich_help_panel=RULES,
    ),
    t_main: float | None = typer.Option(
        None, help="Least score of any outline: 0.43.", rich_help_panel=RULES
    ),
    t_isolated: float | None = typer.Option(
        None, help="Least score of one that stands alone: 0.75.", rich_help_panel=RULES
    ),
    distance_km: float | None = typer.Option(
        None, help="Alone: farther from its k-th neighbour: 3.", rich_help_panel=RULES
    ),
    k: int | None = typer.Option(None, help="Which neighbour: 5.", rich_help_panel=RULES),
    zone: list[str] = typer.Option(
        [],
        help="FILE=THRESHOLD: least score of what touches its polygons; repeat it.",
        rich_help_panel=RULES,
    ),
    elsewhere: float | None = typer.Option(
        None, help="Least score outside all zones.", rich_help_panel=RULES
    ),
    by_year: bool = typer.Option(
        False, "--by-year", help="Lay the periods of a year together.", rich_help_panel=RULES
    ),
    cumulative: bool = typer.Option(
        False, "--cumulative", help="A period shows all ground so far.", rich_help_panel=RULES
    ),
    differences: float | None = typer.Option(
        None,
        metavar="HA",
        help="A period shows what it adds, in parts of so many hectares: 11.",
        rich_help_panel=RULES,
    ),
    base: str = typer.Option(
        "previous", help="Of differences: previous, or full-year.", rich_help_panel=RULES
    ),
    previous: Path | None = typer.Option(None, help="A panel of which sites keep their names."),
    countries: str = typer.Option(
        "natural-earth", help="Names each site's country: natural-earth, none, or FILE:COLUMN."
    ),
    divide: str | None = typer.Option(
        None, help="Cut giant outlines: distance:KM or watershed:KM.  [default: none is cut]"
    ),
    tropical: bool = typer.Option(
        False,
        "--tropical",
        help="Also write tropical.gpkg and a file for each year, in the tropical panel's columns.",
    ),
    title: str | None = typer.Option(None, help="Of the map.  [default: the folder's name]"),
    table_only: bool = typer.Option(False, "--table-only", help="No GeoPackage, no map."),
) -> None:
    """Follow outlines through time, whoever drew them: GeoPackage, GeoJSON, GeoParquet, Shapefile.

    Example:  minetrace panel mines_2020.geojson mines_2021.gpkg --extent mined --out p

    Example:  minetrace panel all.gpkg --period-column year --extent mined --out p

    Example:  minetrace panel 2023=detections.geojson --t-main 0.55 --t-isolated 0.8 --out p
    """
    from minetrace.flow.entering import Choice
    from minetrace.flow.panel_folder import PanelRequest, as_counts, make_panel
    from minetrace.flow.panel_rules import Release, rules_of
    from minetrace.publish.words import INTERVAL, count

    choice = Choice(extent, period_column, hectares_column, threshold, scale, dissolve, mend,
                    name_column)  # fmt: skip
    alone = {"t_main": t_main, "t_isolated": t_isolated, "distance_km": distance_km, "k": k}
    keep = rules_of({"reach_m": reach_m, "ends": ends}, alone, zone, elsewhere)
    release = Release(by_year, cumulative, differences, base)
    made = make_panel(
        PanelRequest(files, choice, keep, release, as_counts(counts), previous, divide=divide,
                     countries=countries, title=title, tropical=tropical,
                     everything=not table_only),
        out,
    )  # fmt: skip
    for note in made.notes:
        typer.echo(note, err=True)
    rows = made.summary
    if rows["looked_share"].isna().all():
        rows = rows.drop(columns="looked_share")
    typer.echo(rows.to_string(index=False, float_format="{:,.1f}".format))
    typer.echo(f"{count(made.panel['site_id'].nunique(), 'site')}, hectares {INTERVAL}: {out}")
