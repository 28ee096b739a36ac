"""``minetrace fetch``: the pixels of a study, once, onto a disk."""

from __future__ import annotations

from pathlib import Path

import typer


def command(
    study: Path | None = typer.Argument(None, help="A study file."),
    out: Path | None = typer.Option(None, help="The store.  [default: stores/NAME]"),
    reach_m: float = typer.Option(
        2000.0, min=0, help="Parts of the region closer than this are fetched as one, metres."
    ),
    batch: bool = typer.Option(
        False, "--batch", help="Earth Engine exports to sources.export.bucket, at its leisure."
    ),
    chips: bool = typer.Option(
        False, "--chips", help="Only what 'minetrace chips' cuts around the study's labels."
    ),
    form: str = typer.Option("cog", "--format", help="Of the files: cog, or zarr (extra: zarr)."),
    check: Path | None = typer.Option(None, help="Hold a store against its checksums instead."),
    pack: Path | None = typer.Option(None, help="Put the store into this .zip or .tar to move it."),
    quiet: bool = typer.Option(False, help="No progress, only the summary."),
    as_json: bool = typer.Option(False, "--json", help="Print the summary as JSON."),
) -> None:
    """Bring the pixels of a study into a store, from which every later step runs offline.

    What lies close together is fetched as one. A fetch that was stopped goes on. The store holds
    COGs or Zarr v3 cubes, a manifest with checksums, and study.yaml, the study that reads from it.

    Example:  minetrace fetch study.yaml --out stores/gold --pack gold.zip

    Example:  minetrace fetch --check stores/gold
    """
    import json

    from minetrace.errors import StudyError
    from minetrace.flow.fetch import fetch
    from minetrace.flow.study import Study
    from minetrace.store.pixel_store import findings, read_manifest
    from minetrace.store.pixel_store import pack as packed

    def tell(done: int, count: int, size: int) -> None:
        if not quiet and not as_json and (done == count or done % 20 == 0):
            typer.echo(f"{done} of {count} pieces, {size / 1e6:.1f} MB", err=True)

    if study is None and check is None:
        raise StudyError("give a study file to fetch, or a store with --check")
    store = check
    facts: dict[str, object] = {"store": str(check)}
    if study is not None:
        asked = Study.read(study)
        store = out or check or Path("stores") / asked.name
        done = fetch(asked, store, reach_m=reach_m, batch=batch, chips=chips, form=form, tell=tell)
        facts = done.facts()
    place = store or Path()
    wrong = findings(place) if check else []
    facts |= {"pieces": len(read_manifest(place)[1])}
    if check:
        facts["wrong"] = [f"{one.path} {one.words}" for one in wrong]
    if pack:
        facts["packed"], facts["packed_bytes"] = str(pack), packed(place, pack)
    if as_json:
        typer.echo(json.dumps(facts, indent=1))
    else:
        for key, value in facts.items():
            typer.echo(f"{key}: {value}")
        if study is not None:
            verb = "chips" if chips else "run"
            typer.echo(f"from here on, offline:  minetrace {verb} {place / 'study.yaml'}")
    if wrong:
        raise typer.Exit(1)
