"""``minetrace models``: what there is to find mines with, and where more comes from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from minetrace.faces.cli.card import card_facts, facts

if TYPE_CHECKING:
    from minetrace.core.model import ModelCard

PYTORCH = (".pth", ".pt", ".ckpt")

app = typer.Typer(
    help="List, show, check, import and export models.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("list")
def list_models(as_json: bool = typer.Option(False, "--json", help="Print as JSON.")) -> None:
    """Say which models have a name, what each is for and what it is not for.

    MINETRACE_MODELS may name a YAML file that lists further ones, each on disk or at an address.

    Example:  minetrace models list
    """
    import json
    from dataclasses import asdict

    from minetrace.flow.named_models import entries

    if as_json:
        typer.echo(json.dumps([asdict(entry) for entry in entries()], indent=1))
        return
    for entry in entries():
        typer.echo(f"{entry.name}  {entry.version}")
        facts([
            ("for", entry.purpose), ("not for", entry.not_for), ("licence", entry.licence),
            ("sha256", entry.sha256), ("lies at", "" if entry.shipped else entry.source),
        ])  # fmt: skip
    typer.echo("spectral  built in, no file; what 'run' takes where no model is named")
    facts([
        ("for", "bare ground and turbid water from whatever bands there are: a first look"),
        ("not for", "evidence; it knows no mine from a ploughed field or a sandbank"),
    ])  # fmt: skip
    typer.echo("Published models come in with: minetrace models import FILE.h5 (or FILE.pth)")


@app.command("show")
def show_model(
    model: str = typer.Argument(..., help="A name, or a model folder or zip."),
    as_json: bool = typer.Option(False, "--json", help="Print the card as it is stored."),
) -> None:
    """Print a model's card: what it expects, what its answer means, where it comes from.

    Example:  minetrace models show artisanal-gold-rgb
    """
    import json

    from minetrace.flow.models import not_for
    from minetrace.predict.model_file import read_model

    place = _place(model)
    _, card = read_model(place)
    if as_json:
        typer.echo(json.dumps(card.to_json(), indent=1))
        return
    typer.echo(card.name)
    facts([("not for", not_for(card, model)), *card_facts(card)])
    page = place / "README.md"
    facts([("page", str(page) if page.is_file() else "")])


@app.command("check")
def check(model: str = typer.Argument(..., help="A name, or a model folder or zip.")) -> None:
    """Hold a model file against its card and run it on made-up input.

    Example:  minetrace models check artisanal-gold-rgb
    """
    from minetrace.predict.model_check import check_model

    place = _place(model)
    found = check_model(place)
    dense = found.dense_difference
    alone = "every window is called alone" if found.runs_over_imagery else "takes no images"
    if found.runs_over_imagery and found.card.grid_side > 1:
        alone = "sides are fixed, not compared" if dense is None else f"differ by {dense:.1e}"
    typer.echo(f"{place}: does what its card says")
    facts([
        ("sha256", f"{found.card.sha256}, as in the card"),
        ("takes", "; ".join(f"{name} {shape}" for name, shape in found.inputs.items())),
        ("gives", "; ".join(f"{name} {shape}" for name, shape in found.outputs.items())),
        ("made-up", f"probability from {found.lowest:.3g} to {found.highest:.3g} on noise"),
        ("dense", f"windows alone and in a dense call: {alone}"),
        ("imagery", "yes" if found.runs_over_imagery else "no: it cannot be run over imagery"),
    ])  # fmt: skip


@app.command("import")
def import_model(
    file: Path = typer.Argument(..., help="A Keras .h5 file, or a PyTorch .pth checkpoint."),
    out: Path | None = typer.Option(None, help="The model folder to write.  [default: the name]"),
    bands: str | None = typer.Option(None, help="In input order, such as B04,B03,B02."),
    scaling: str | None = typer.Option(
        None, help="Of Keras files: dn3000, standard, clipped or reflectance."
    ),
    mean: str | None = typer.Option(None, help="Of PyTorch files: per band, in the values fed."),
    std: str | None = typer.Option(None, help="Of PyTorch files: deviations per band."),
    values: float | None = typer.Option(
        None, help="Of PyTorch files: how many such values a reflectance of 1 is, such as 10000."
    ),
    clip: str | None = typer.Option(None, help="Of PyTorch files: reflectance cut to, as 0,0.3."),
    classes: str | None = typer.Option(None, help="Names of all but the first of several classes."),
    resolution: float | None = typer.Option(None, help="Of PyTorch files: metres a pixel."),
    window: int | None = typer.Option(None, help="Side in pixels; checked against the file."),
    stride: int | None = typer.Option(None, help="Pixels between windows; divides a patch window."),
    threshold: float | None = typer.Option(None, help="A detection from this probability on."),
    licence: str = typer.Option("", help="Of the weights of a PyTorch file, for the card."),
    config: Path | None = typer.Option(
        None, help="The publisher's text for the card.  [default: NAME_config*.txt beside it]"
    ),
    exact: bool = typer.Option(
        False, "--exact", help="Of Keras files: sum in float64, several times slower."
    ),
    force: bool = typer.Option(False, "--force", help="Replace a model that is there."),
) -> None:
    """Turn a published model into one that minetrace runs, without the framework it came from.

    Keras: bands, scaling and stride of the published Amazon Mining Watch files are known by name;
    options go over that. PyTorch: MMSegmentation's SegFormer and mining-net's U-Net, read as
    weights alone. Nothing in the file is executed.

    Example:  minetrace models import 48px_v3.7_2024-01-10.h5 --out amw-v3.7
    """
    from minetrace.models.keras import Overrides, import_keras
    from minetrace.predict.model_file import write_model

    if file.suffix in PYTORCH:
        from minetrace.models.libraries import need

        need("train", "torch", "onnx")
        from minetrace.models.pytorch import Said, import_pytorch

        imported = import_pytorch(file, says=Said(
            _words(bands), _words(classes), _numbers("mean", mean), _numbers("std", std), values,
            _pair(clip), window, stride, threshold, resolution, licence,
        ))  # fmt: skip
    else:
        says = Overrides(_words(bands), scaling, stride, window, threshold)
        imported = import_keras(file, config=config, says=says, exact=exact)
    folder = _free(out or Path(imported.card.name), force)
    card = write_model(folder, imported.onnx, imported.card)
    typer.echo(f"{folder} written")
    facts(card_facts(card))
    if not card.input_shape:
        typer.echo(f"Use it: minetrace run --model {folder}")


@app.command("tune")
def tune_model(
    model: Path = typer.Argument(..., help="The folder of a SAM 2 of transformers."),
    chips: Path = typer.Argument(..., help="Chips with masks, or a file that says of them."),
    detector: str = typer.Option(..., help="The patch model whose detections it is to outline."),
    out: Path = typer.Option(..., help="The folder to write."),
    prompts: Literal["box", "point", "both"] = typer.Option("both", help="What it is told."),
    white: float = typer.Option(0.3, help="Reflectance that it is shown white."),
    steps: int = typer.Option(500, min=1, help="Detections to learn from, one at a time."),
    rate: float = typer.Option(1e-4, help="Learning rate."),
) -> None:
    """Tune the decoder of a SAM 2 on what a detector finds in chips whose ground is known.

    It is told where the detections are, never where the labels are.

    Example:  minetrace models tune sam2.1-hiera-tiny chips/amazon --detector artisanal-gold-rgb
    --out sam2-amazon
    """
    from minetrace.errors import ModelError
    from minetrace.flow.data_sets import open_set
    from minetrace.flow.study_chips import SetStudy
    from minetrace.flow.tune_sam2 import tune_sam2
    from minetrace.models.machine import need_torch
    from minetrace.models.sam2 import Sam2
    from minetrace.predict.onnx import OnnxScorer

    need_torch()
    from minetrace.models.sam2_tuning import Tuning

    if out.exists():
        raise ModelError(f"{out}: is there already; choose another --out")
    begun = Sam2.open(model, prompts=prompts, white=white)
    done = tune_sam2(begun, open_set(SetStudy.read(chips)), OnnxScorer.open(_place(detector)),
                     out, Tuning(steps, rate))  # fmt: skip
    typer.echo(f"{out} written: learnt from {done.lessons:,} detections")
    typer.echo(f"On {done.tested:,} others, IoU before {done.before:.3f}, after {done.after:.3f}")


@app.command("export")
def export_model(
    model: str = typer.Argument(..., help="A name, or a model folder or zip."),
    out: Path | None = typer.Option(None, help="The file to write.  [default: NAME.zip]"),
    int8: Path | None = typer.Option(
        None, help="A quicker copy in int8, measured on these chips, or a file that says of them."
    ),
    most_loss: float = typer.Option(
        0.01, min=0, help="Of int8: the most that ROC AUC, AP or IoU may fall by."
    ),
    allow_loss: str = typer.Option("", help="Of int8: why it may lose more, in a sentence."),
) -> None:
    """Check a model, then pack it into one file to hand on: network, card, licence, figures.

    With --int8 a copy that counts in eight bits: quicker, and not quite the same. Chips of the
    part train are shown to it; what it loses is measured on val and test and goes into its card.

    Example:  minetrace models export runs/my-pits/model

    Example:  minetrace models export runs/my-pits/model --int8 chips/my-pits
    """
    from minetrace.predict.model_check import check_model
    from minetrace.predict.model_file import zip_model
    from minetrace.store.files import sha256

    place = _place(model)
    card = check_model(place).card
    target = out or Path(f"{card.name}{'-int8' if int8 else ''}.zip")
    if int8 is None:
        zip_model(place, target)
    else:
        card = _int8(place, int8, target, most_loss, allow_loss)
    typer.echo(f"{target} written: {card.name}, licence {card.licence or 'not said'}")
    facts([("sha256", f"{sha256(target)}, to name it in a list of models")])
    typer.echo(f"Use it: minetrace run --model {target}")


def _int8(place: Path, chips: Path, target: Path, most_loss: float, why: str) -> ModelCard:
    """Write the copy in int8 and say what it loses and gains."""
    from minetrace.flow.data_sets import open_set
    from minetrace.flow.int8 import export_int8
    from minetrace.flow.study_chips import SetStudy

    data = open_set(SetStudy.read(chips))
    card, found = export_int8(place, data, target, most_loss=most_loss, allow_loss=why)
    typer.echo(f"On {found.on}:")
    for name, value in found.fp32.figures.items():
        typer.echo(f"  {name:<18} fp32 {value:.4f}   int8 {found.int8.figures[name]:.4f}")
    facts([
        ("threshold", f"fp32 {found.fp32.threshold:g}, int8 {found.int8.threshold:g}"),
        ("changes", f"of a probability at most {found.largest_change:.4f}, "
                    f"on average {found.mean_change:.5f}"),
        ("speed", f"fp32 {found.fp32.mpx_s:.2f} Mpx/s, int8 {found.int8.mpx_s:.2f} Mpx/s on one "
                  f"thread: {found.speed_ratio:.2f} times"),
    ])  # fmt: skip
    return card


def _words(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(word.strip() for word in text.split(","))


def _numbers(option: str, text: str | None) -> tuple[float, ...] | None:
    from minetrace.errors import ModelError

    try:
        return None if text is None else tuple(float(word) for word in text.split(","))
    except ValueError as error:
        raise ModelError(f"--{option} {text}: give numbers with commas between them") from error


def _pair(text: str | None) -> tuple[float, float] | None:
    from minetrace.errors import ModelError

    found = _numbers("clip", text)
    if found is not None and (len(found) != 2 or found[0] >= found[1]):
        raise ModelError(f"--clip {text}: give the lower and the upper bound, such as 0,0.3")
    return None if found is None else (found[0], found[1])


def _free(folder: Path, force: bool) -> Path:
    """A folder that may be written: new, empty, or a model to replace if the user says so."""
    from minetrace.errors import ModelError

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        if not (folder / "model.json").is_file():
            raise ModelError(f"{folder}: is there already and no model; choose another with --out")
        if not force:
            raise ModelError(f"{folder}: is there already; choose another --out, or --force")
    return folder


def _place(model: str) -> Path:
    """The folder of a name, or a path as given."""
    from minetrace.flow.named_models import place_of

    if Path(model).exists() or Path(model).name != model:
        return Path(model)
    return place_of(model)
