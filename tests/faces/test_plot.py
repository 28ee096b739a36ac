"""``minetrace plot`` on runs of the made-up country: whole, and with parts of them missing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from minetrace.errors import (
    MissingFileError,
    PeriodError,
    ReadFailedError,
    RunError,
    StudyError,
)
from minetrace.flow.figures import FIGURES, Choice, choose_sites, plot, width_from
from minetrace.flow.report import Silent
from minetrace.flow.run_views import RunViews
from minetrace.flow.steps import run
from minetrace.flow.study import Study
from minetrace.store.outlines import read_table, write_table
from minetrace.testing.world import World, world_study

pytest.importorskip("matplotlib")
QUICK = Choice(formats=("png",), dpi=60, sites=3)


class Ears(Silent):
    """Remembers what it was warned of."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def warn(self, text: str) -> None:
        self.heard.append(text)


@pytest.fixture(scope="module")
def made(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("plot") / "run"
    study = {**world_study(world, name="Oro"), "periods": [2020, 2021, 2022], "grid": {"tile": 128}}
    run(Study.of(study), out)
    return out


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "run"))


def names(files: tuple[Path, ...]) -> set[str]:
    return {file.name for file in files}


def test_the_command_draws_everything_and_lists_it(made: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "minetrace", "plot", str(made), "--out", "figures", "--dpi",
             "60", "--sites", "2"]  # fmt: skip
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    stems = {"map-2021", "series", "multiples", "thumbnails", "timelines"}  # 2022 is blind
    wanted = {f"{stem}.{kind}" for stem in stems for kind in ("png", "svg")}
    assert {Path(line).name for line in done.stdout.split()} == wanted
    assert {file.name for file in (tmp_path / "figures").iterdir()} == wanted
    text = (tmp_path / "figures" / "map-2021.svg").read_text()
    for said in ("Oro, 2021", "mapped, no interval", "not looked at", "made-up country", "first "):
        assert said in text


def test_a_rerun_gives_equal_bytes(made: Path, tmp_path: Path) -> None:
    choice = Choice(figures=("multiples",), dpi=50)
    turns = [plot(made, choice, out=tmp_path / turn) for turn in ("one", "other")]
    assert len(turns[0]) == 2
    for one, other in zip(*turns, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_polygons_alone_get_what_can_be_drawn(copied: Path) -> None:
    for path in copied.iterdir():
        if path.name != "panel.parquet":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    ears = Ears()
    files = plot(copied, QUICK, reporter=ears)
    assert names(files) == {"map-2021.png", "series.png", "multiples.png", "timelines.png"}
    assert ears.heard == ["no thumbnails: the run has no composites that make a picture"]
    with pytest.raises(RunError, match="nothing that was asked for can be drawn"):
        plot(copied, Choice(figures=("thumbnails",)))


def test_a_run_travels_without_its_imagery(copied: Path, tmp_path: Path) -> None:
    study = copied / "study.yaml"
    study.write_text(study.read_text().replace(str(tmp_path.parent), "/nowhere"))
    assert plot(copied, Choice(figures=("map",), formats=("png",), dpi=60))


def test_no_site_at_all(copied: Path) -> None:
    path = copied / "panel.parquet"
    write_table(path, read_table(path).iloc[:0])
    ears = Ears()
    asked = Choice(("map", "series", "thumbnails", "timelines"), formats=("png",), dpi=50)
    assert names(plot(copied, asked, reporter=ears)) == {"map-2021.png", "series.png"}
    assert len(ears.heard) == 2


def test_what_was_not_looked_at_is_hatched(made: Path) -> None:
    views = RunViews.open(made)
    blind, clear = (views.view(p, views.frame, width_mm=80, dpi=60) for p in ("2022", "2021"))
    assert blind.unlooked is not None
    assert clear.unlooked is not None
    assert blind.region is not None
    assert blind.unlooked.area > 0.8 * blind.region.area
    assert clear.unlooked.area < 0.3 * blind.region.area
    assert not len(blind.outlines)


def test_pictures_are_no_finer_than_print(made: Path) -> None:
    views = RunViews.open(made)
    view = views.view("2021", views.frame, width_mm=25.4, dpi=50)
    assert view.backdrop is not None
    assert max(view.backdrop.pixels.shape[:2]) <= 60
    fine = views.view("2021", views.frame, width_mm=180, dpi=300)
    assert fine.backdrop is not None
    left, _, right, _ = fine.backdrop.bounds
    assert (right - left) / fine.backdrop.pixels.shape[1] == pytest.approx(10)  # its own pixels


def test_outlines_lie_on_the_picture(made: Path) -> None:
    """Mines are brighter than the forest around them, so a misplaced picture would show."""
    import numpy as np
    import shapely

    views = RunViews.open(made)
    view = views.view("2021", views.frame, width_mm=180, dpi=300)
    assert view.backdrop is not None
    pixels = view.backdrop.pixels
    left, bottom, right, top = view.backdrop.bounds
    rows, cols = pixels.shape[:2]
    x = left + (np.arange(cols) + 0.5) * (right - left) / cols
    y = top - (np.arange(rows) + 0.5) * (top - bottom) / rows
    xx, yy = np.meshgrid(x, y)
    seen = pixels[..., 3] > 0
    inside = shapely.contains_xy(shapely.union_all(view.outlines), xx, yy)
    around = shapely.contains_xy(shapely.union_all(view.outlines).buffer(60), xx, yy) & ~inside
    red = pixels[..., 0].astype(float)
    assert red[inside & seen].mean() > 1.2 * red[around & seen].mean()


def test_sites_come_in_the_order_asked_for(made: Path) -> None:
    views = RunViews.open(made)
    rows = views.outlined
    largest = rows.loc[rows["area_ha"].idxmax(), "site_id"]
    surest = rows.loc[rows["score_mean"].idxmax(), "score_mean"]
    assert choose_sites(views, Choice(by="area"))[0] == largest
    first = choose_sites(views, Choice(by="score"))[0]
    assert rows[rows["site_id"] == first]["score_mean"].max() == surest
    draws = [choose_sites(views, Choice(by="random", seed=s, sites=4)) for s in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]
    assert choose_sites(views, Choice(site_ids=(largest, largest))) == [largest]


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"figures": ("maps",)}, "--figure maps: there is none; choose from map, series"),
        ({"formats": ("gif",)}, "--format gif"),
        ({"by": "size"}, "--by size"),
        ({"chips": "all"}, "--chips all"),
        ({"width_mm": 5.0}, "--width-mm 5"),
        ({"dpi": 5000}, "--dpi 5000"),
        ({"sites": 0}, "--sites 0"),
    ],
)
def test_a_mistake_names_the_flag_and_the_remedy(choice: dict[str, object], words: str) -> None:
    with pytest.raises(StudyError, match=words):
        Choice(**choice)  # type: ignore[arg-type]


def test_widths_have_names() -> None:
    assert [width_from(w) for w in ("single", "double", "120")] == [85.0, 180.0, 120.0]
    with pytest.raises(StudyError, match="single, double or millimetres"):
        width_from("wide")


def test_folders_periods_and_sites_that_are_not_there(made: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such run folder"):
        plot(tmp_path / "none")
    with pytest.raises(RunError, match=r"no panel\.parquet"):
        plot(tmp_path)
    with pytest.raises(PeriodError, match="2019: not a period of this run, which has 2020"):
        plot(made, Choice(period="2019"))
    with pytest.raises(StudyError, match="--site nobody"):
        plot(made, Choice(site_ids=("nobody",)))


def test_a_composite_cut_short_is_named(copied: Path) -> None:
    path = next((copied / "composites" / "2021").glob("*.tif"))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ReadFailedError, match=path.name):
        plot(copied, Choice(figures=("map",), formats=("png",), dpi=60))


def test_without_matplotlib_the_command_says_what_to_install(made: Path) -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        f"sys.argv = ['minetrace', 'plot', {str(made)!r}]\n"
        "from minetrace.faces.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'minetrace[plot]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_figure_has_a_page_in_the_docs() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "figures.md"
    text = page.read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in text for name in FIGURES)
