"""NetCDF cubes: each moment is a scene, wherever the CRS and the north are written."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from minetrace.composites.methods import begin
from minetrace.core.grid import Grid, Rect
from minetrace.core.raster import NODATA
from minetrace.errors import BandError, RadiometryError, RasterError
from minetrace.sources.files import FileOptions, FileSource

pytest.importorskip("h5netcdf", reason="the extra netcdf is not installed")

WKT = "EPSG:32737"
GRID = Grid("EPSG:32737", 20.0)
TIMES = np.array(["2020-01-05T08:00", "2020-01-05T09:00", "2020-03-01T08:00"], "M8[ns]")


def write_cube(path: Path, **changes: Any) -> xr.Dataset:
    """Three moments of 6 x 8 pixels."""
    rng = np.random.default_rng(3)
    attrs = {"grid_mapping": "crs", "scale_factor": 1e-4, "_FillValue": np.uint16(0)}
    dims = ("t", "y", "x")

    def layer(values: np.ndarray, **more: Any) -> Any:
        return dims, values, {**attrs, "_FillValue": values.dtype.type(0), **more}

    made = xr.Dataset(
        {
            "B04": layer(rng.integers(1, 3000, (3, 6, 8)).astype(np.uint16)),
            "B8A": layer(rng.integers(1, 3000, (3, 6, 8)).astype(np.uint16)),
            "VV": layer(rng.integers(-200_000, -50_000, (3, 6, 8)).astype(np.int32)),
            "SCL": layer(rng.choice([4, 9], (3, 6, 8), p=[0.9, 0.1]).astype(np.uint8)),
            "crs": ((), 0, {"crs_wkt": WKT}),
        },
        {"t": TIMES, "y": 9_595_790.0 - 20 * np.arange(6), "x": 260_910.0 + 20 * np.arange(8)},
    )
    made = made.assign(changes.pop("assign", {})).drop_vars(changes.pop("drop", []))
    if changes.pop("northwards", False):
        made = made.isel(y=slice(None, None, -1))
    made.to_netcdf(path, engine="h5netcdf")
    return made


def rect_of() -> Rect:
    return GRID.rect((260_900.0, 9_595_680.0, 261_060.0, 9_595_800.0))


@pytest.mark.parametrize("northwards", [False, True])
def test_each_moment_is_a_scene_with_the_pixels_that_were_written(
    northwards: bool, tmp_path: Path
) -> None:
    cube = write_cube(tmp_path / "cube.nc", northwards=northwards)
    source = FileSource(FileOptions(tmp_path / "cube.nc"))
    assert source.bands == ("red", "nir08", "vv")
    assert (source.crs, source.resolution_m) == ("EPSG:32737", 20.0)
    scenes = source.scenes()
    assert [scene.day for scene in scenes] == [date(2020, 1, 5)] * 2 + [date(2020, 3, 1)]
    assert len({scene.id for scene in scenes}) == 3
    there = cube.isel(y=slice(None, None, -1)) if northwards else cube
    for number, scene in enumerate(scenes):
        look = source.read(scene, ("vv", "red"), GRID, rect_of())
        red, radar = (there[name].values[number] for name in ("B04", "VV"))
        clear = there["SCL"].values[number] == 4
        assert not (look.valid & ~clear).any()
        assert (look.pixels[1][look.valid] == red[look.valid]).all()
        assert (look.pixels[0][look.valid] == np.rint(radar / 100)[look.valid]).all()
        part = Rect(rect_of().row + 2, rect_of().col + 1, 3, 4)
        piece = source.read(scene, ("vv", "red"), GRID, part)
        assert np.array_equal(piece.pixels, look.pixels[:, 2:5, 1:5])


def test_what_a_cube_does_not_say_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "cube.nc"
    write_cube(path, drop=["crs"])
    with pytest.raises(RasterError, match="no grid-mapping variable"):
        FileSource(FileOptions(path))
    write_cube(path, assign={"x": 260_910.0 + 20 * np.arange(8) ** 1.5})
    with pytest.raises(RasterError, match="not evenly spaced"):
        FileSource(FileOptions(path))
    write_cube(path, assign={"t": np.arange(3)})
    with pytest.raises(RasterError, match="no variable over time"):
        FileSource(FileOptions(path))
    write_cube(path, assign={"B04": (("t", "y", "x"), np.ones((3, 6, 8), np.int16))})
    with pytest.raises(RadiometryError, match="nothing says what"):
        FileSource(FileOptions(path))
    write_cube(path, drop=["B04", "B8A", "VV"])
    with pytest.raises(BandError, match="is not said"):
        FileSource(FileOptions(path))
    path.write_bytes(b"CDF\x01" + bytes(200))
    with pytest.raises(RasterError, match="NetCDF-4"):
        FileSource(FileOptions(path))


def test_two_cloudy_tropical_years(shared_data: Path) -> None:
    source = FileSource(FileOptions(shared_data / "tanzania" / "S2*.nc"))
    assert len(source.scenes()) == 136
    rect = Rect(-479790, 13045, 32, 32)
    composers = {name: begin(name) for name in ("median", "medoid", "geometric-median", "mean")}
    for scene in source.scenes():
        if scene.day.year == 2020:
            look = source.read(scene, source.bands, GRID, rect)
            for composer in composers.values():
                composer.feed((scene.day - date(2020, 1, 1)).days, look)
    made = {name: c.result(source.bands, GRID.geobox(rect)) for name, c in composers.items()}
    near_infrared = source.bands.index("nir08")
    for one in made.values():
        assert one.valid.all()
        assert (one.clear_looks.min(), one.clear_looks.max()) == (25, 36)
        assert 1000 < np.median(one.pixels[near_infrared]) < 5000
    apart = made["median"].pixels.astype(int) - made["geometric-median"].pixels
    assert np.median(np.abs(apart)) < 60  # two ways to the middle of the same looks


def test_radar_over_the_same_ground(shared_data: Path) -> None:
    source = FileSource(FileOptions(shared_data / "tanzania" / "S1*.nc"))
    assert source.bands == ("vh", "vv")
    rect = Rect(-479790, 13045, 32, 32)
    mean, median = begin("mean"), begin("median")
    for scene in source.scenes():
        look = source.read(scene, ("vv",), GRID, rect)
        assert look.valid.all()
        for composer in (mean, median):
            composer.feed((scene.day - date(2019, 9, 23)).days, look)
    made, middle = (c.result(("vv",), GRID.geobox(rect)) for c in (mean, median))
    assert (made.pixels != NODATA).all()
    assert -1500 < np.median(middle.pixels) < np.median(made.pixels) < -500  # speckle is skewed


def test_bands_of_another_grid_or_other_dates_are_not_read_by_position(tmp_path: Path) -> None:
    path = tmp_path / "cube.nc"
    counts = np.ones((3, 12, 16), np.uint16)
    fine = {"yf": 9_595_795.0 - 10 * np.arange(12), "xf": 260_905.0 + 10 * np.arange(16)}
    finer = xr.DataArray(counts, fine, ("t", "yf", "xf"), attrs={"scale_factor": 1e-4})
    later = xr.DataArray(counts[:, :6, :8], {"later": TIMES + np.timedelta64(400, "D")},
                         ("later", "y", "x"), attrs={"scale_factor": 1e-4})  # fmt: skip
    for other, dims in ((finer, "t, yf, xf"), (later, "later, y, x")):
        write_cube(path, assign={"B11": other})
        with pytest.raises(RasterError, match=f"B11 is over {dims}, and B04 over t, y, x; give"):
            FileSource(FileOptions(path))
    write_cube(path, assign={"quality": finer})
    assert FileSource(FileOptions(path)).bands == ("red", "nir08", "vv")
    turned = write_cube(path).transpose("t", "x", "y", missing_dims="ignore")
    turned.to_netcdf(path, engine="h5netcdf")
    with pytest.raises(RasterError, match=r"B04 has its columns before its rows \(t, x, y\)"):
        FileSource(FileOptions(path))
