"""What is asked for on the command line: a study file, and flags that go over what it says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from minetrace.flow.study import Study

STUDY: Any = typer.Argument(None, help="A study file; flags go over what it says.")
REGION: Any = typer.Option(None, help="Polygons of the region: GeoJSON, GeoPackage …")
YEARS: Any = typer.Option(None, help="Such as 2019-2024, or 2024.")
SOURCE: Any = typer.Option(
    None, help="A folder of imagery, a catalog's address, or a name ('minetrace sources')."
)
MODEL: Any = typer.Option(
    None, help="A name ('minetrace models list'), folder or zip.  [default: spectral]"
)
DELINEATE: Any = typer.Option(
    None, "--delineate/--no-delineate", help="Outline the mined ground inside detections."
)
OUT: Any = typer.Option(None, help="The run folder, or s3://BUCKET/NAME.  [default: runs/NAME]")


def study_of(
    file: Path | None, *, region: Path | None, years: str | None, source: str | None,
    model: str | None, delineate: bool | None, out: str | None, **more: Any,
) -> Study:  # fmt: skip
    """The study that a command asks for.

    Args:
        out: its last part is the study's name where no file gives one.
        more: further flags, as `minetrace.flow.study.Study.from_flags` takes them.

    Raises:
        UserError: something given cannot be used.
    """
    from minetrace.flow.study import Study
    from minetrace.flow.study_sources import source_named

    flags = {key: value for key, value in more.items() if value is not None}
    if region:
        flags["region"] = {"file": str(region.absolute())}
    if years:
        flags["periods"] = [years]
    if source:
        flags["sources"] = [source_named(source)]
    if model:
        named = not Path(model).exists() and Path(model).name == model
        flags["model"] = {"name": model} if named else {"path": str(Path(model).absolute())}
    if delineate is not None:
        flags["delineate"] = delineate
    return Study.from_flags(file, flags, name=Path(out).name if out else None)
