"""What is asked of a training: chips, a network, and how it learns; frozen and closed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from minetrace.errors import StudyError
from minetrace.flow.settings import as_yaml, complaint, read_settings
from minetrace.flow.study_chips import SetStudy
from minetrace.flow.study_sources import Closed, FilePath
from minetrace.models.architectures import Network, Tokens
from minetrace.models.distortion import NONE, Distortion
from minetrace.models.operating_point import Rule
from minetrace.models.training import Pace, Precision, Training, check_terms

_T = Training()
_D = Distortion()
_N = Network()


class NetworkStudy(Closed):
    """The network."""

    design: str = Field(
        _N.design, description="unet, patchnet, patch-cnn, smp/NAME, segformer/b0, timm/NAME, "
        "prithvi/300m, probe"
    )  # fmt: skip
    width: int = Field(_N.width, ge=0, description="channels of our designs; 0 for their own")
    depth: int = Field(_N.depth, ge=1, description="steps down of the U-Net")
    fold: int = Field(_N.fold, ge=1, description="pixels along a side that it sees as one")
    encoder: str = Field(_N.encoder, description="of an smp design, such as resnet50 or mit_b0")
    pretrained: str = Field(_N.pretrained, description="such as imagenet; fetched by the library")
    backbone: str = Field(_N.backbone, description="of a probe: timm/NAME, terratorch/NAME, "
                          "prithvi/300m; default: the bands are embeddings")  # fmt: skip
    tokens: Tokens = Field(_N.tokens, description="of a probe's backbone: patch, class or both")
    hidden: int = Field(_N.hidden, ge=0, description="inner layer of a probe; 0: logistic")
    checkpoint: FilePath | None = Field(None, description="weights of a Prithvi or a backbone")
    tuned_blocks: int = Field(
        _N.tuned_blocks, ge=-1, description="last blocks of a Prithvi that learn; 0 none, -1 all"
    )
    members: int = Field(
        1, ge=1, description="networks, whose logits are averaged; their spread becomes a band"
    )
    bagged: bool = Field(True, description="each of several on chips drawn anew")

    @model_validator(mode="after")
    def _known(self) -> NetworkStudy:
        self.network()
        return self

    def network(self) -> Network:
        """The noun that the models' room takes."""
        several = ("members", "bagged")
        said = {key: value for key, value in dict(self).items() if key not in several}
        return Network(**{**said, "checkpoint": str(self.checkpoint or "")})

    def said(self) -> dict[str, Any]:
        """What a model's card says of it: a file by its name alone."""
        name = self.checkpoint.name if self.checkpoint else ""
        return {**self.model_dump(), "checkpoint": name}


class LossStudy(Closed):
    """What is minimised."""

    terms: dict[str, float] = Field(
        {"cross_entropy": 1.0, "dice": 1.0},
        description="weights of cross_entropy, dice, focal and log_cosh_dice",
    )
    class_weight: tuple[float, ...] = Field((), description="of several classes, by index")
    positive_weight: float = Field(1.0, gt=0, description="of one class against the rest")
    focus: float = Field(2.0, ge=0, description="exponent of the focal loss")
    smoothing: float = Field(0.0, ge=0, lt=1, description="how far labels are drawn to one half")

    @model_validator(mode="after")
    def _known(self) -> LossStudy:
        check_terms(self.terms)
        return self


class AugmentStudy(Closed):
    """How crops are changed; amounts in deviations of a band, or shares of the full scale."""

    off: bool = Field(False, description="change nothing")
    turns: bool = Field(_D.turns, description="flips and quarter turns")
    turned_freely: float = Field(_D.turned_freely, ge=0, le=1, description="share, by any angle")
    zoom: float = Field(_D.zoom, ge=1, description="largest change of size of those")
    shift_px: int = Field(_D.shift_px, ge=0, description="largest shift")
    contrast: float = Field(_D.contrast, ge=0, description="of all bands, logarithmic")
    brightness: float = Field(_D.brightness, ge=0, description="of all bands")
    band_contrast: float = Field(_D.band_contrast, ge=0, description="of each band alone")
    band_brightness: float = Field(_D.band_brightness, ge=0, description="of each band alone")
    noise: float = Field(_D.noise, ge=0, description="of single pixels, at most")
    band_dropout: float = Field(_D.band_dropout, ge=0, le=1, description="share without one band")
    cloud: float = Field(_D.cloud, ge=0, le=1, description="share under thin or broken cloud")
    haze: float = Field(_D.haze, ge=0, le=1, description="share under even haze")
    saturation: float = Field(_D.saturation, ge=0, description="of colour, logarithmic")
    gamma: float = Field(_D.gamma, ge=0, description="of the exponent of reflectance, logarithmic")
    air: float = Field(_D.air, ge=0, le=1, description="share with more or less air above")
    hole: float = Field(_D.hole, ge=0, le=1, description="share with a side cut off")

    def distortion(self) -> Distortion:
        """The noun that the models' room takes."""
        how = Distortion(**{key: value for key, value in dict(self).items() if key != "off"})
        return NONE if self.off else how


class FitStudy(Closed):
    """How it learns."""

    window: int = Field(_T.window, ge=8, description="side of a crop, and of the model's windows")
    batch: int = Field(_T.batch, ge=1, description="crops at a time")
    accumulate: int = Field(_T.accumulate, ge=1, description="batches a step")
    steps: int = Field(_T.steps, ge=1, description="at most")
    every: int = Field(_T.every, ge=1, description="steps between two looks at the val part")
    patience: int = Field(_T.patience, ge=0, description="looks without progress; 0 for any")
    rate: float = Field(_T.rate, gt=0, description="highest learning rate of AdamW")
    pace: Pace = Field(_T.pace, description="cosine, plateau or constant, after the warm-up")
    warm_up: float = Field(_T.warm_up, ge=0, le=1, description="share of the steps")
    decay: float = Field(_T.decay, ge=0, description="weight decay")
    clip: float = Field(_T.clip, ge=0, description="longest gradient; 0 for any")
    memory: float = Field(_T.memory, ge=0, lt=1, description="of the running mean of the weights")
    balance: float = Field(_T.balance, ge=0, le=1, description="share drawn around labels")
    source_power: float = Field(
        _T.source_power, ge=0, le=1, description="how a source's share grows with its chips; 0: not"
    )
    precision: Precision = Field(_T.precision, description="fp32, bf16 or fp16")
    compiled: bool = Field(_T.compiled, description="let torch compile the network")
    keep: Literal["best", "last"] = Field(_T.keep, description="look at the val part, or step")
    seed: int = Field(_T.seed, description="of the weights and every draw")

    def training(self) -> Training:
        """The noun that the models' room takes."""
        return Training(**dict(self))


class FinishStudy(Closed):
    """What happens after the training."""

    calibration: Literal["temperature", "platt", "isotonic", "none"] = Field(
        "temperature", description="fitted on the val part"
    )
    threshold: Rule = Field("f1", description="f1, f0.5, or the share of false alarms to allow")
    stride: int | None = Field(
        None, ge=1, description="of the model; default: 3/4 of the window, 1/2 of a patch model's"
    )


class StartStudy(Closed):
    """Another training, whose weights this one begins with."""

    path: FilePath = Field(description="its folder")
    renormalise: bool = Field(False, description="take the band statistics of the new chips")


class TrainStudy(Closed):
    """A training."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="of the model")
    description: str = Field("", description="one line for the model's card")
    licence: str = Field("", description="of the weights; default: none is said")
    data: SetStudy = Field(description="the chips, and their parts: train, val and test")
    bands: tuple[str, ...] = Field((), description="that the network takes; default: all")
    network: NetworkStudy = NetworkStudy()
    start: StartStudy | None = Field(None, description="default: random weights")
    loss: LossStudy = LossStudy()
    augment: AugmentStudy = AugmentStudy()
    fit: FitStudy = FitStudy()
    finish: FinishStudy = FinishStudy()

    @classmethod
    def of(
        cls, settings: Mapping[str, Any], *, origin: str = "study", base: Path | None = None
    ) -> TrainStudy:
        """Check settings.

        Raises:
            StudyError: a key is unknown, missing, or of the wrong kind.
        """
        try:
            return cls.model_validate(dict(settings), context={"base": base})
        except ValidationError as error:
            raise StudyError(f"{origin}: {complaint(error, cls)}") from error

    @classmethod
    def read(cls, path: Path | str) -> TrainStudy:
        """Read a study of a training.

        Raises:
            MissingFileError: it is not there.
            StudyError: it is none.
        """
        path = Path(path)
        settings = read_settings(path, remedy="docs/how-to/train.md shows one")
        return cls.of(settings, origin=str(path), base=path.resolve().parent)

    def dump(self) -> str:
        """The study as YAML, as resolved."""
        return as_yaml(self)
