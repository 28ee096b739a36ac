"""A run to work with: its tables, its rasters, its map."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minetrace.core.period import Period
from minetrace.errors import PeriodError, RunError
from minetrace.flow.study import Study
from minetrace.store.files import read_json
from minetrace.store.run_folder import RunFolder

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd
    import xarray as xr

    from minetrace.flow.status import Status
    from minetrace.store.mirror import Mirror


@dataclass(frozen=True)
class Run:
    """What a run folder holds, read when it is asked for.

    Attributes:
        root: the folder; scratch if the run lives at an address.
        mirror: where it lives then.
    """

    root: Path
    mirror: Mirror | None = None

    @classmethod
    def open(cls, path: Path | str) -> Run:
        """A run folder or an address of one, whether its run is complete or not.

        Raises:
            MissingFileError: there is no such folder.
            RunError: it holds no run.
        """
        folder = RunFolder.existing(path)
        folder.pull()
        return cls(folder.root, folder.mirror)

    @property
    def study(self) -> Study:
        """The study as resolved."""
        return Study.read(self._folder.study)

    @property
    def periods(self) -> tuple[str, ...]:
        """Labels of the periods, in time order."""
        return tuple(period.label for period in self._timeline)

    @property
    def map(self) -> Path:
        """The page to open in a browser."""
        return self._folder.map / "index.html"

    def status(self) -> Status:
        """How far the run is, and what failed."""
        from minetrace.flow.status import status

        return status(self.mirror.url if self.mirror else self.root)

    def report(self) -> dict[str, Any]:
        """Versions, timings and bytes read of every attempt: ``run.json``."""
        return dict(read_json(self._existing("run.json")))

    def panel(self) -> gpd.GeoDataFrame:
        """One row per site and period, EPSG:4326; see `minetrace.build_panel` for the columns.

        Raises:
            RunError: the run has not come so far.
        """
        from minetrace.store.outlines import read_table

        return read_table(self._existing("panel.parquet"))

    def hectares(self) -> pd.DataFrame:
        """One row per period: sites, hectares and their kind, share of the region looked at.

        The column is ``area_ha`` where outlines are mined ground and ``footprint_ha`` where they
        are footprints of detections. ``interval`` says what stands behind the figure.

        Raises:
            RunError: the run has not come so far.
        """
        from minetrace.publish.tables import read_hectares

        return read_hectares(self._existing("hectares.csv"))

    def composite(self, period: str | int | Period, *, crs: str | None = None) -> xr.Dataset:
        """The picture of a period, read where it is looked at.

        Args:
            period: a label such as ``"2021"``, a year, or a `Period`.
            crs: which UTM zone, for a region in several; see `zones`.

        Returns:
            A variable per band (float32 reflectance; kelvin for thermal bands), ``clear_looks``
            (count) and ``median_day`` (days since the period's start), NaN where not seen;
            dimensions ``y`` and ``x``. ``.odc`` knows where it is; ``.chunk()`` makes it Dask's.

        Raises:
            PeriodError: not a period of the run.
            RunError: nothing is stored, or the region lies in several zones and none is named.
        """
        return self._layer("composites", period, crs)

    def scores(self, period: str | int | Period, *, crs: str | None = None) -> xr.Dataset:
        """How sure the model is in a period, read where it is looked at.

        Arguments and errors as for `composite`.

        Returns:
            A variable per class of a pixel model; ``mean`` and ``max`` over the windows of a patch
            model, whose cells are strides, not pixels. From 0 to 1, NaN where not looked.
        """
        return self._layer("scores", period, crs)

    def decoded(self, period: str | int | Period, *, crs: str | None = None) -> xr.Dataset:
        """What all periods together say of one, read where it is looked at.

        Arguments and errors as for `composite`.

        Returns:
            ``active``, the probability of being mined in the period, ``first`` and ``last``, that
            it is the first or last in which the pixel was mined (from 0 to 1), and ``state`` of
            the single best course: 0 not yet, 1 active, 2 abandoned, 3 lookalike. NaN where nobody
            ever looked; a period without a look has what the others say of it.

        Raises:
            RunError: also where the study does not decode.
        """
        if self.study.decode is None:
            raise RunError(f"{self.root}: its study does not decode; add 'decode: {{}}' and run it")
        return self._layer("decoded", period, crs)

    def zones(self, period: str | int | Period) -> tuple[str, ...]:
        """CRSs that the rasters of a period are in: one, unless the region spans UTM zones."""
        from minetrace.store.layers import zones

        self._folder.pull(tiles=f"composites/{self._label(period)}/")
        found = zones(self._folder, "composites", self._label(period))
        return tuple(_as_crs(zone) for zone in found)

    def plot(self, out: Path | str | None = None, **choice: Any) -> tuple[Path, ...]:
        """Draw the figures that go into a paper, as ``minetrace plot`` does.

        Args:
            out: where they go; the run's ``figures`` folder if left out.
            choice: ``figures``, ``period``, ``sites``, ``site_ids``, ``by``, ``seed``, ``chips``,
                ``formats``, ``dpi``, ``width_mm``; see `minetrace.flow.figures.Choice`.

        Returns:
            The files written.

        Raises:
            MissingExtraError: matplotlib is not installed.
            StudyError: a choice that is none.
        """
        from minetrace.flow.figures import Choice, plot

        return plot(self.root, Choice(**choice), out=None if out is None else Path(out))

    def explore(self, *, height: int = 640) -> Any:
        """The run's map, to be shown as the last line of a notebook cell.

        Raises:
            RunError: the run has no map yet.
        """
        from minetrace.publish.notebook import NotebookMap

        self._existing("map/index.html")
        return NotebookMap(self._folder.map, height)

    @property
    def _folder(self) -> RunFolder:
        return RunFolder(self.root, self.mirror)

    @property
    def _timeline(self) -> tuple[Period, ...]:
        return self.study.timeline

    def _label(self, period: str | int | Period) -> str:
        label = period.label if isinstance(period, Period) else str(period)
        if label not in self.periods:
            raise PeriodError(
                f"{label!r} is not a period of {self.root}; its periods: {', '.join(self.periods)}"
            )
        return label

    def _existing(self, name: str) -> Path:
        path = self.root / name
        if not path.is_file():
            raise RunError(
                f"{self.root}: has no {name} yet; the run is not complete: "
                "minetrace.run(study) or 'minetrace run' goes on"
            )
        return path

    def _layer(self, kind: str, period: str | int | Period, crs: str | None) -> xr.Dataset:
        from minetrace.store import layers

        label = self._label(period)
        self._folder.pull(tiles=f"{kind}/{label}/")
        known = layers.zones(self._folder, kind, label)
        if not known:
            raise RunError(f"{self.root}: no {kind} of {label} are stored; run the study first")
        names = {_as_crs(zone): zone for zone in known}
        if crs is None and len(names) > 1:
            raise RunError(
                f"{self.root}: the region lies in several zones, {', '.join(names)}; "
                "choose one with crs="
            )
        chosen = crs or next(iter(names))
        if chosen not in names:
            raise RunError(f"{self.root}: nothing is stored in {chosen}, only {', '.join(names)}")
        return layers.layer(self._folder, kind, label, names[chosen])

    def __str__(self) -> str:
        return f"run {self.study.name} in {self._folder.shown}: {', '.join(self.periods)}"


def _as_crs(zone: str) -> str:
    return f"EPSG:{zone}" if zone.isdigit() else zone
