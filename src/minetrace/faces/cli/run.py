"""``minetrace run``: the whole way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer


def command(
    study: Path | None = typer.Argument(None, help="A study file; flags go over what it says."),
    region: Path | None = typer.Option(None, help="Polygons of the region: GeoJSON, GeoPackage …"),
    years: str | None = typer.Option(None, help="Such as 2019-2024, or 2024."),
    source: str | None = typer.Option(
        None, help="A folder of imagery, a catalog's address, or a name ('minetrace sources')."
    ),
    model: str | None = typer.Option(
        None, help="A name ('minetrace models list'), folder or zip.  [default: spectral]"
    ),
    device: str | None = typer.Option(
        None, help="What the model runs on: cpu, cuda, or auto.  [default: cpu]"
    ),
    delineate: bool | None = typer.Option(
        None, "--delineate/--no-delineate", help="Outline the mined ground inside detections."
    ),
    out: str | None = typer.Option(
        None, help="The run folder, or s3://BUCKET/NAME.  [default: runs/NAME]"
    ),
    workers: int = typer.Option(0, min=0, help="Processes; 0 for one per core. No result changes."),
    engine: str | None = typer.Option(
        None, help="Who does the work: local, dask or slurm (extra: dask).  [default: local]"
    ),
    scheduler: str | None = typer.Option(
        None, help="A Dask scheduler's address, such as tcp://10.0.0.1:8786; implies dask."
    ),
    task_limit: float | None = typer.Option(
        None, help="Seconds after which a task is stopped and tried again.  [default: 3 hours]"
    ),
    allow_missing: bool = typer.Option(False, help="Publish even if tiles failed."),
    quiet: bool = typer.Option(False, help="No progress, only the summary."),
    as_json: bool = typer.Option(False, "--json", help="Print the summary as JSON."),
) -> None:
    """Make the map of a study, or go on with it.

    A run that was stopped goes on where it was; nothing that is done is done again.

    Example:  minetrace run study.yaml

    Example:  minetrace run --region roi.geojson --years 2019-2024 --source scenes/ --out out/

    Example:  minetrace run --region roi.geojson --years 2018-2025 --source earth-search
    --model artisanal-gold-rgb --delineate

    Example:  minetrace run study.yaml --scheduler tcp://10.0.0.1:8786
    """
    from minetrace.faces.cli.progress import Bars, show
    from minetrace.flow.machine import cores
    from minetrace.flow.report import Silent
    from minetrace.flow.steps import run
    from minetrace.flow.study import Study
    from minetrace.flow.study_sources import source_named

    flags: dict[str, Any] = {}
    if region:
        flags["region"] = {"file": str(region.absolute())}
    if years:
        flags["periods"] = [years]
    if source:
        flags["sources"] = [source_named(source)]
    if model:
        named = not Path(model).exists() and Path(model).name == model
        flags["model"] = {"name": model} if named else {"path": str(Path(model).absolute())}
    if device:
        flags["device"] = device
    if delineate is not None:
        flags["delineate"] = delineate
    kind = engine or ("dask" if scheduler else None)
    said = {"kind": kind, "scheduler": scheduler, "task_limit_s": task_limit}
    if any(value is not None for value in said.values()):
        flags["engine"] = {key: value for key, value in said.items() if value is not None}
    asked = Study.from_flags(study, flags, name=Path(out).name if out else None)
    reporter = Silent() if quiet or as_json else Bars()
    summary = run(
        asked, out or Path("runs") / asked.name, workers=workers or cores(), reporter=reporter,
        allow_missing=allow_missing,
    )  # fmt: skip
    show(summary, as_json=as_json)
