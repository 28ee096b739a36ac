"""Pictures: laid together from tiles, placed on the Earth, in colours that do not wander."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import rasterio.warp
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile

from minetrace.core.grid import Grid, Rect
from minetrace.core.raster import NODATA, Raster
from minetrace.publish.colours import natural_stretch, recipe_for
from minetrace.publish.picture import NATURAL
from minetrace.publish.pictures import (
    BEND_PX,
    Read,
    Sight,
    lent_shares,
    mosaic,
    neighbourhoods,
    picture,
    pictures,
    placed,
)

GRID = Grid("EPSG:32719", 10.0)
FRAME = Rect(-860_000, 40_000, 90, 120)
RGB = ("red", "green", "blue")


def world(seed: int = 1, frame: Rect = FRAME, bands: tuple[str, ...] = RGB) -> Read:
    """Noise over a frame, a corner of it never seen; reads any rectangle."""
    rng = np.random.default_rng(seed)
    whole = rng.integers(100, 3000, (len(bands), *frame.shape)).astype(np.int16)
    whole[:, rng.random(frame.shape) < 0.2] = NODATA
    whole[:, :30, :40] = NODATA

    def read(rect: Rect) -> Raster:
        pixels = np.full((len(bands), *rect.shape), NODATA, dtype=np.int16)
        part = rect & frame
        if not part.empty:
            pixels[:, *part.within(rect)] = whole[:, *part.within(frame)]
        return Raster(bands, pixels, pixels[0] != NODATA, GRID.geobox(rect))

    return read


def decoded(data: bytes) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with MemoryFile(data) as memory, memory.open() as image:
            return np.asarray(image.read())


@settings(max_examples=25, deadline=None)
@given(st.integers(7, 64), st.integers(1, 9), st.randoms())
def test_a_mosaic_does_not_depend_on_how_it_was_cut(size: int, factor: int, rnd) -> None:  # type: ignore[no-untyped-def]
    read = world()
    whole = mosaic(read, [FRAME], GRID, factor)
    cut = list(FRAME.blocks(size))
    rnd.shuffle(cut)
    pieces = mosaic(read, [block & FRAME for block in cut], GRID, factor)
    assert whole is not None
    assert pieces is not None
    assert pieces.rect == whole.rect
    np.testing.assert_array_equal(pieces.pixels, whole.pixels)
    np.testing.assert_array_equal(pieces.valid, whole.valid)
    assert pieces.looked_share == whole.looked_share


def test_a_cell_is_the_mean_of_what_was_seen() -> None:
    canvas = mosaic(world(), [FRAME], GRID, 10)
    assert canvas is not None
    raster = world()(FRAME)
    block = (slice(40, 50), slice(60, 70))
    spot = (FRAME.row // 10 + 4 - canvas.rect.row, FRAME.col // 10 + 6 - canvas.rect.col)
    seen = raster.valid[block]
    expected = [band[block][seen].astype(float).mean() for band in raster.pixels]
    np.testing.assert_allclose(canvas.pixels[:, *spot], expected, atol=0.51)
    assert not canvas.valid[0, 0]  # the corner that nobody saw
    assert canvas.looked_share == pytest.approx(raster.valid.mean())


def test_places_apart_get_a_picture_each_and_touching_ones_share() -> None:
    near = [Rect(0, 0, 10, 10), Rect(0, 10, 10, 10), Rect(10, 20, 10, 10)]
    far = [Rect(500, 500, 10, 10)]
    assert neighbourhoods([*far, *reversed(near)]) == [near, far]
    chain = [Rect(0, 10 * i, 10, 10) for i in range(50)]
    assert neighbourhoods(chain[::2] + chain[1::2]) == [chain]


def test_pictures_share_a_scale_and_are_none_where_nothing_was_seen() -> None:
    other = Rect(FRAME.row, FRAME.col + 5000, 90, 120)
    reads = {FRAME.col: world(1), other.col: world(2, other)}
    sights = [
        Sight("2020", GRID, [FRAME, other], lambda rect: reads[rect.col](rect)),
        Sight("2021", GRID, [Rect(0, 0, 50, 50)], world()),
    ]
    drawn = pictures(sights, max_px=60)
    assert list(drawn) == ["2020"]
    assert len(drawn["2020"]) == 2
    for one in drawn["2020"]:
        image = decoded(one.data)
        assert max(image.shape[1:]) <= 60
        assert (image[3, :5, :5] == 0).all()
        assert one.mime == "image/webp"


def test_ground_that_a_period_did_not_see_is_lent_by_its_neighbours_grey_and_marked() -> None:
    nothing = world(bands=RGB, frame=Rect(0, 0, 90, 120))  # elsewhere
    reads = {"2019": world(1), "2020": nothing, "2021": nothing, "2022": nothing, "2023": world(2)}
    sights = [Sight(label, GRID, [FRAME], read) for label, read in reads.items()]
    plain, filled = pictures(sights), pictures(sights, lend=True)
    assert list(plain) == ["2019", "2023"]
    assert lent_shares(plain) == {}
    assert list(filled) == ["2019", "2020", "2022", "2023"]  # not beyond the next period
    assert lent_shares(filled) == {"2020": 1.0, "2022": 1.0}
    assert [one.looked_share for one in filled["2020"]] == [0]
    for label in ("2019", "2023"):
        assert filled[label][0].data == plain[label][0].data
    seen, lent = decoded(plain["2019"][0].data), decoded(filled["2020"][0].data)
    assert np.array_equal(seen[3], lent[3])
    shown = lent[3] > 0
    assert (np.ptp(lent[:3].astype(int), axis=0)[shown] == 0).all()
    assert (np.ptp(seen[:3].astype(int), axis=0)[shown] > 0).any()
    assert lent[0][shown].mean() < seen[:3, shown].mean()


def test_a_hole_in_a_period_is_lent_from_the_one_before_first() -> None:
    sights = [Sight(str(year), GRID, [FRAME], world(year)) for year in (2019, 2020, 2021)]
    drawn = pictures(sights, lend=True)
    share = lent_shares(drawn)["2020"]
    assert 0.1 < share < 0.3
    image = decoded(drawn["2020"][0].data)
    assert (image[3, :30, :40] == 0).all()  # nobody ever saw the corner
    coarse = Grid("EPSG:32719", 5000.0)
    wide = Rect(-1_720, 20, 90, 120)
    noise = np.random.default_rng(0).integers(100, 3000, (3, 90, 120)).astype(np.int16)
    empty = np.full_like(noise, NODATA)
    looks = {"a": noise, "b": empty}
    far = [
        Sight(label, coarse, [wide], lambda _, held=held: Raster(
            RGB, held, held[0] != NODATA, coarse.geobox(wide)))
        for label, held in looks.items()
    ]  # fmt: skip
    assert placed(coarse, wide)[1] > BEND_PX  # so it is warped
    assert lent_shares(pictures(far, lend=True)) == {"b": 1.0}


def test_corners_place_a_small_picture_and_a_wide_one_is_warped() -> None:
    corners, bend = placed(GRID, Rect(-860_000, 40_000, 2000, 2000))
    assert bend < BEND_PX
    back = Transformer.from_crs("EPSG:4326", GRID.crs, always_xy=True)
    x, y = back.transform(*np.transpose(corners))
    np.testing.assert_allclose(x, [400_000, 420_000, 420_000, 400_000], atol=1e-3)
    np.testing.assert_allclose(y, [8_600_000, 8_600_000, 8_580_000, 8_580_000], atol=1e-3)
    assert placed(GRID, Rect(-860_000, 40_000, 20_000, 20_000))[1] > 10 * bend


def test_a_picture_on_the_date_line_goes_on_beyond_it() -> None:
    grid = Grid("EPSG:32760", 1000.0)
    for rect, bent in ((Rect(-8120, 810, 20, 20), False), (Rect(-8320, 610, 400, 400), True)):
        pixels = np.full((3, *rect.shape), 300, dtype=np.int16)
        raster = Raster(RGB, pixels, np.ones(rect.shape, dtype=bool), grid.geobox(rect))
        canvas = mosaic(lambda _, held=raster: held, [rect], grid, 1)
        assert canvas is not None
        assert (placed(grid, rect)[1] > BEND_PX) is bent
        drawn = picture("2020", canvas, NATURAL)
        west, east = drawn.corners[0][0], drawn.corners[1][0]
        assert west < east < west + 5
        assert -180 < (west + east) / 2 < 180
        assert abs(west) > 180 or abs(east) > 180
        assert decoded(drawn.data).shape[1] < 500


def test_a_warped_picture_puts_a_mark_where_it_belongs() -> None:
    coarse = Grid("EPSG:32719", 1000.0)
    rect = Rect(-8700, 200, 400, 400)
    pixels = np.full((3, *rect.shape), 300, dtype=np.int16)
    pixels[:, 298:303, 98:103] = 2900
    raster = Raster(RGB, pixels, np.ones(rect.shape, dtype=bool), coarse.geobox(rect))
    canvas = mosaic(lambda _: raster, [rect], coarse, 1)
    assert canvas is not None
    assert placed(coarse, rect)[1] > BEND_PX
    drawn = picture("2020", canvas, NATURAL)
    image = decoded(drawn.data).astype(float)
    rows, cols = np.nonzero(image[0] > 200)
    (west, north), _, (east, south), _ = drawn.corners
    left, right = (rasterio.warp.transform("EPSG:4326", "EPSG:3857", [lon], [lat])
                   for lon, lat in ((west, north), (east, south)))  # fmt: skip
    x = left[0][0] + (cols.mean() + 0.5) / image.shape[2] * (right[0][0] - left[0][0])
    y = left[1][0] + (rows.mean() + 0.5) / image.shape[1] * (right[1][0] - left[1][0])
    (east_m,), (north_m,) = rasterio.warp.transform("EPSG:3857", coarse.crs, [x], [y])
    assert east_m == pytest.approx(coarse.x(rect.col + 100.5), abs=1000)
    assert north_m == pytest.approx(coarse.y(rect.row + 300.5), abs=1000)


@pytest.mark.parametrize(
    ("bands", "words"),
    [
        (("blue", "green", "red", "nir"), "true colour"),
        (("blue", "red", "nir08", "swir16"), "green estimated"),
        (("nir", "red", "swir16"), "false colour"),
        (("rededge071", "nir08", "swir16"), "false colour"),
    ],
)
def test_the_most_natural_recipe_is_taken(bands: tuple[str, ...], words: str) -> None:
    recipe = recipe_for(bands)
    assert recipe is not None
    assert words in recipe.name
    assert recipe.mix(world(bands=bands)(FRAME)).shape == (3, *FRAME.shape)


def test_bands_that_make_no_picture_make_none() -> None:
    assert recipe_for(("vv", "vh")) is None
    assert pictures([Sight("2020", GRID, [FRAME], world(bands=("vv", "vh")))]) == {}


def test_haze_is_taken_off_and_clear_ground_is_left_alone() -> None:
    rng = np.random.default_rng(0)
    surface = rng.gamma(2.0, 200.0, (3, 5000)) + np.array([[150], [250], [80]])
    assert natural_stretch([surface]) == NATURAL
    assert natural_stretch([]) == NATURAL
    desert = surface + np.array([[1800], [1300], [900]])
    assert natural_stretch([desert]) == NATURAL
    hazy = natural_stretch([surface + np.array([[150], [300], [600]])])
    taken = np.array(hazy.low) - np.array(NATURAL.low)
    assert taken[2] > taken[1] > taken[0] > 0
    assert hazy.high == NATURAL.high
