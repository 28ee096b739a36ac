"""The scorer by colour: what it finds and what it holds back, on made-up and on real ground."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from rasterio.features import rasterize

from minetrace.core.grid import Grid, Rect
from minetrace.core.metrics import precision, recall
from minetrace.core.raster import NODATA, Raster
from minetrace.errors import BandError
from minetrace.predict.scan import scan
from minetrace.predict.spectral import Spectral, mined, nearby
from minetrace.testing.reflectance import BANDS, MATERIALS, endmembers
from minetrace.testing.world import World

MINED = ("gravel", "mud", "pit_rock", "tailings", "ore")
HELD_BACK = ("forest", "shade", "secondary", "succession", "palm", "marsh", "crop", "blackwater")


def flat(material: str, wetness: float) -> np.ndarray:
    """A field of one material: (bands, 1, 40, 40)."""
    colour = endmembers(BANDS, wetness)[:, MATERIALS.index(material)]
    return np.broadcast_to(colour[:, None, None, None], (len(BANDS), 1, 40, 40)).copy()


def score(pixels: np.ndarray, bands: tuple[str, ...] = BANDS) -> np.ndarray:
    chosen = {b: pixels[BANDS.index(b)].astype(np.float32) for b in bands}
    return np.asarray(mined(chosen)[0])


@pytest.mark.parametrize("wetness", [0.0, 1.0])
@pytest.mark.parametrize("bands", [BANDS, BANDS[:4], ("blue", "red", "nir", "swir16", "swir22")])
def test_materials(wetness: float, bands: tuple[str, ...]) -> None:
    for material in MINED:
        assert score(flat(material, wetness), bands).min() >= 0.5, material
    for material in HELD_BACK:
        assert score(flat(material, wetness), bands).max() < 0.5, material


def test_a_pond_counts_beside_mined_ground_only() -> None:
    ground = flat("forest", 0.5)
    pond = flat("milky_pond", 0.5)
    ground[..., 16:24, 16:24] = pond[..., 16:24, 16:24]
    assert score(ground)[20, 20] < 0.5
    mine = flat("mud", 0.5)
    ground[..., 8:32, 8:32] = mine[..., 8:32, 8:32]
    ground[..., 16:24, 16:24] = pond[..., 16:24, 16:24]
    assert score(ground)[20, 20] >= 0.5
    assert score(flat("river", 0.5)).max() < 0.5


def test_any_bands_with_red_and_another_visible_one() -> None:
    assert Spectral.over(("red", "green", "blue")).card.bands == ("blue", "green", "red")
    assert "nir08" not in Spectral.over((*BANDS, "nir08")).card.bands
    assert "nir08" in Spectral.over(("blue", "green", "red", "nir08")).card.bands
    card = Spectral.over(BANDS).card
    assert (card.extent, card.calibrated, card.output) == ("mined", False, "pixels")
    with pytest.raises(BandError, match="needs red"):
        Spectral.over(("nir", "swir16"))


def test_nearby_is_the_mean_of_a_square() -> None:
    values = np.random.default_rng(0).random((1, 30, 25), dtype=np.float32)
    found = nearby(values, 4)[0]
    for row, col in ((15, 12), (0, 0), (29, 3), (2, 24)):
        square = values[0, max(0, row - 4) : row + 5, max(0, col - 4) : col + 5]
        assert found[row, col] == pytest.approx(square.mean(), abs=1e-5)


def test_a_score_looks_no_farther_than_the_card_says() -> None:
    rng = np.random.default_rng(1)
    grid, scorer = Grid("EPSG:32719", 10.0), Spectral.over(BANDS)
    whole, rect = Rect(0, 0, 560, 560), Rect(240, 250, 60, 40)
    pixels = np.stack([flat(m, 0.5)[:, 0, 0, 0] for m in ("mud", "forest", "milky_pond")])
    picked = (pixels[rng.integers(0, 3, (70, 70))].repeat(8, 0).repeat(8, 1) * 1e4).astype(np.int16)
    kept = rect.expand(scorer.card.halo_px)

    def reading(seen: Rect):
        def read(asked: Rect) -> Raster:
            out = np.full((6, *asked.shape), NODATA, np.int16)
            part = asked & seen
            if not part.empty:
                out[:, *part.within(asked)] = np.moveaxis(picked[part.within(whole)], -1, 0)
            return Raster(BANDS, out, out[0] != NODATA, grid.geobox(asked))

        return read

    (_, full), (_, cut) = (next(scan(reading(r), scorer, grid, [rect])) for r in (whole, kept))
    assert (full.values == cut.values).all()
    assert np.ptp(full.values) > 5000


def test_on_the_mudflow_of_brumadinho(shared_data: Path) -> None:
    """The mud of 25 January 2019 is found after, and was not there before."""
    shares = {}
    for day in ("20190114", "20190130"):
        path = shared_data / "brumadinho" / f"LC08_L2SP_218074_{day}.tif"
        with rasterio.open(path) as source:
            pixels = (source.read() * 2.75e-5 - 0.2).astype(np.float32)
            flow = gpd.read_file(shared_data / "brumadinho" / "brumadinho_damage_extent.shp")
            shapes = flow.to_crs(source.crs).geometry
            mud = rasterize(shapes, source.shape, transform=source.transform).astype(bool)
        names = ("blue", "green", "red", "nir08", "swir16", "swir22")
        found = mined(dict(zip(names, pixels[:, None], strict=True)))[0] >= 0.5
        shares[day] = float(found[mud].mean())
        assert found.mean() < 0.06
    assert shares["20190130"] > 0.7
    assert shares["20190114"] < 0.12


def test_on_the_made_up_country(world: World) -> None:
    """Recall is high; precision is not, since river sand has the colour of a mine."""
    tp = fp = fn = 0
    with rasterio.open(world.truth_raster) as truth:
        for number, year in enumerate(world.years):
            looks = []
            for path in sorted(world.scenes.glob(f"*_{year}*.tif")):
                with rasterio.open(path) as source:
                    pixels, clear = source.read()[:6], np.isin(source.read(7), (4, 5, 6, 7))
                looks.append(np.where(clear, pixels * 1e-4, np.nan))
            stack = np.stack(looks)
            seen = np.isfinite(stack[:, 0]).any(axis=0)
            stack[:, :, ~seen] = 0
            median = np.nanmedian(stack, axis=0).astype(np.float32)
            found = (mined(dict(zip(BANDS, median[:, None], strict=True)))[0] >= 0.5) & seen
            mines = np.isin(truth.read(number + 1), (1, 2, 3, 4, 5)) & seen
            tp, fp = tp + int((found & mines).sum()), fp + int((found & ~mines).sum())
            fn += int((mines & ~found).sum())
    assert recall(tp, fn) > 0.7
    assert precision(tp, fp) > 0.25
