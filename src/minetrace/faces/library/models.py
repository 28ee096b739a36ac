"""``minetrace.load_model``: a model to score one raster with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from minetrace.core.model import ModelCard, Scorer
from minetrace.flow.models import open_model
from minetrace.flow.named_models import SPECTRAL, model_names, refuse_unknown

if TYPE_CHECKING:
    import xarray as xr

_EVERY_BAND = ("blue", "green", "red", "nir", "swir16", "swir22")


@dataclass(frozen=True)
class Model:
    """Something that says where mining is.

    Attributes:
        name: its name, or None.
        path: its folder or zip, or None.
        card: what it wants, what it gives, what it was made from and how good it is.
    """

    name: str | None
    path: Path | None
    card: ModelCard

    def score(self, raster: xr.Dataset | xr.DataArray | Path | str, *, tta: bool = False,
              ) -> xr.DataArray:  # fmt: skip
        """How sure the model is of every pixel, or of every cell of a patch model.

        Args:
            raster: a raster file, or reflectance as xarray: a Dataset with a variable per band, or
                a DataArray with a ``band`` dimension, called by STAC common names, with its CRS
                and NaN where nothing was seen. A run's ``composite(period)`` will do.
            tta: average over flips and quarter turns; eight times the work.

        Returns:
            float32 from 0 to 1, NaN where nobody looked; ``y`` and ``x``, and ``band`` before them
            if there are several (classes of a pixel model; ``mean`` and ``max`` over the windows
            of a patch model). What a run would store, for the same pixels on the same lattice.

        Raises:
            BandError: a band that the model wants is not there.
            ModelError: the pixels are not of the model's size.
            RasterError: the raster cannot be read, or does not say where it is.
        """
        from minetrace.flow.score import FileImage, XarrayImage, score_image

        if isinstance(raster, str | Path):
            image: FileImage | XarrayImage = FileImage(Path(raster))
        else:
            image = XarrayImage(raster)
        scorer = self.scorer(image.bands)
        return score_image(scorer, image.with_resolution(scorer.card.resolution_m), tta=tta)

    def scorer(self, bands: tuple[str, ...] = _EVERY_BAND) -> Scorer:
        """What scores batches of windows, over imagery with these bands."""
        return open_model(self.name, self.path, bands)


def load_model(model: str | Path = SPECTRAL) -> Model:
    """A model by name, or from a model folder or zip.

    Args:
        model: a name, such as ``spectral`` or ``artisanal-gold-rgb``, or a path.

    Raises:
        ModelError: nothing has that name, or the file is no model.
        MissingFileError: the path is not there.
    """
    name, path = _meant(model)
    return Model(name, path, open_model(name, path, _EVERY_BAND).card)


def _meant(model: str | Path) -> tuple[str | None, Path | None]:
    """A name or a path: a bare word is a name, unless only a file has it."""
    path = Path(model)
    if model == SPECTRAL:
        return SPECTRAL, None
    bare = isinstance(model, str) and path.name == model
    if bare and (model in model_names() or not path.exists()):
        refuse_unknown(str(model))
        return str(model), None
    return None, path
