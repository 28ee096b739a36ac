"""``minetrace embed``: what a foundation model says of chips, or of a run's pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import typer


def command(
    what: Path = typer.Argument(..., help="A run folder, chips, or a file that says of them."),
    backbone: str = typer.Option(..., help="timm/NAME, terratorch/NAME or prithvi/300m."),
    bands: str = typer.Option(..., help="In the order of its input, such as B04,B03,B02."),
    checkpoint: Path | None = typer.Option(None, help="A file with its weights."),
    pretrained: bool = typer.Option(False, help="Let its library fetch weights."),
    window: int = typer.Option(224, min=8, help="Side of its input, pixels."),
    scaling: str = typer.Option(
        "standard", help="standard, dn3000, clipped, reflectance or prithvi."
    ),
    tokens: Literal["patch", "class"] = typer.Option("patch", help="A vector a patch or a window."),
    out: Path | None = typer.Option(None, help="The folder.  [default: WHAT-embeddings]"),
) -> None:
    """Compute embeddings: COGs with a band a dimension, or a row of Parquet a vector.

    Windows lie on the lattice, so a vector does not depend on how a run was cut. What is there
    already is kept.

    Example:  minetrace embed runs/my-region --backbone prithvi/300m --scaling prithvi
    --bands B02,B03,B04,B8A,B11,B12 --checkpoint Prithvi_EO_V2_300M.pt
    """
    from minetrace.flow.data_sets import open_set
    from minetrace.flow.embed import Describing, embed_chips, embed_run
    from minetrace.flow.study_chips import SetStudy
    from minetrace.models.naming import band_called

    names = tuple(band_called(word.strip()) for word in bands.split(","))
    how = Describing(backbone, names, window, checkpoint, pretrained, scaling, tokens)
    folder = out or what.with_name(f"{what.stem}-embeddings")
    if (what / "composites").is_dir():
        files = embed_run(what, how, folder)
        typer.echo(f"{folder} written: {len(files)} rasters, a band a dimension")
        return
    path, count = embed_chips(open_set(SetStudy.read(what)), how, folder)
    typer.echo(f"{path} written: {count:,} vectors")
