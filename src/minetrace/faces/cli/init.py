"""``minetrace init``: a study to edit."""

from __future__ import annotations

from pathlib import Path

import typer

TEMPLATE = """\
# A minetrace study. Edit region, periods and sources, then: minetrace run {path}
# Every key and its meaning: minetrace init --schema. Paths start from this file's folder;
# environment variables such as ${{MINETRACE_DATA}} may stand in them.

name: {name}

region:
  file: region.geojson          # any vector format; or  bbox: [west, south, east, north]

periods: [2019..2024]         # or 2019-q3, or {{label: dry-19, start: 2019-06-01, end: 2019-10-01}}

sources:
  - kind: files
    path: imagery/              # a folder of GeoTIFFs, a list of files, or a pattern
    # Bands are found by their descriptions (B04, red, SR_B4). If there are none, say which:
    # bands: {{blue: 1, green: 2, red: 3, nir: 4}}
    # If the files do not say how numbers become reflectance (number * scale + offset):
    # scale: 0.0001
    # offset: 0.0
    # A band described SCL or QA_PIXEL masks clouds by itself. If it has another name:
    # mask: {{kind: scl, band: scene_classes, dilate_m: 20}}
    # date: {{pattern: "%Y%m%d"}}  # where in the file name the date stands, if it is not found

# grid: {{resolution_m: 10}}     # default: the imagery's own, in each place's UTM zone
# composite: {{method: median, min_looks: 1}}
# vectors: {{min_ha: 0.3, sieve_px: 6}}
model: {{name: spectral}}        # or  path: my-model/  (model.onnx + model.json)
"""

SLURM = """
# Who does the work: jobs of SLURM (pip install 'minetrace[dask]'). The run folder lies where all
# nodes see it. Give the command on a node that may stay for hours; it asks for the jobs itself.
engine:
  kind: slurm
  # task_limit_s: 10800         # a task that takes longer is stopped and tried again
  # task_gb: 2.0                # memory of a task
  slurm:
    jobs: 4
    cores: 4                    # one worker process a core
    memory: 16GB                # of a job: cores times task_gb, and some for the rest
    walltime: "04:00:00"        # a job that ends is asked for again; what it did is kept
    # queue: NAME               # the partition
    # account: NAME             # who is charged
    # interface: ib0            # network of the nodes
    # directives: ["--constraint=NAME"]
    # prologue: ["module load NAME"]
"""


def command(
    path: Path = typer.Argument(Path("study.yaml"), help="The study file to write."),
    schema: bool = typer.Option(False, "--schema", help="Print the JSON schema instead."),
    slurm: bool = typer.Option(False, "--slurm", help="With the jobs to ask SLURM for."),
    force: bool = typer.Option(False, "--force", help="Replace a file that is there."),
) -> None:
    """Write a study to edit, or print its schema.

    Example:  minetrace init study.yaml

    Example:  minetrace init --slurm study.yaml
    """
    from minetrace.errors import StudyError
    from minetrace.store.files import write_text

    if schema:
        import json

        from minetrace.flow.study import Study

        typer.echo(json.dumps(Study.model_json_schema(), indent=2))
        return
    if path.exists() and not force:
        raise StudyError(f"{path}: is there already; choose another name, or --force to replace it")
    name = path.stem if path.stem != "study" else path.resolve().parent.name
    safe = "".join(c if c.isalnum() or c in "._-" else "-" for c in name).strip("._-") or "study"
    write_text(path, TEMPLATE.format(path=path, name=safe) + (SLURM if slurm else ""))
    typer.echo(f"{path} written. Edit region, periods and sources, then: minetrace run {path}")
