"""What a study says of time: how scores are decoded, and which rules outlines have to pass."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from minetrace.flow.study_sources import Closed, FilePath


class CourseStudy(Closed):
    """What is believed of ground before anybody looks; times are means, in years."""

    active_share: float = Field(0.01, description="of the ground, when the first period begins")
    abandoned_share: float = Field(0.005, description="given up before, but still to be seen")
    lookalike_share: float = Field(
        0.03, description="never mined, but bare or bright now and then; 0 for none"
    )
    begin_years: float = Field(200.0, description="that untouched ground waits to be mined")
    active_years: float = Field(8.0, description="that one place is mined")
    idle_years: float = Field(40.0, description="that abandoned ground waits to be dug again")


class DetectionsStudy(Closed):
    """Scores read as yes or no, of a detector whose error rates are known."""

    threshold: float | None = Field(None, description="default: the model's own")
    sensitivity: float = Field(description="share of mined ground that is detected in one period")
    false_alarm: float = Field(description="share of other ground that is")


class DecodeStudy(Closed):
    """How scores are made consistent through time; without it they are not."""

    course: CourseStudy = CourseStudy()
    scored_prior: float = Field(
        0.5, description="share of mined ground in what the model was calibrated on"
    )
    curve: tuple[tuple[float, float], ...] | None = Field(
        None,
        description="[score, probability] pairs, fitted where mines are known and where their "
        "share was scored_prior, to be given too: for a model that is not calibrated",
    )
    learned: FilePath | None = Field(
        None, description="evidence learned where mines are known, a JSON file; see the how-to"
    )
    detections: DetectionsStudy | None = Field(None, description="read scores as yes or no instead")
    slip: float = Field(0.02, description="chance that a look misleads, whatever it says")
    weight: float = Field(
        1.0, description="of a look; below 1 if errors of one place repeat from period to period"
    )
    residue: float = Field(0.1, description="chance that abandoned ground looks active")
    guise: float = Field(0.5, description="chance that a lookalike does")
    trust_uncalibrated: bool = Field(
        False, description="read the scores of a model that is not calibrated as probabilities"
    )


class NeighbourStudy(Closed):
    """Keep what an outline of the period before or after confirms."""

    reach_m: float = Field(0.0, ge=0, description="how far away it may lie, on the ground")
    ends: Literal["judge", "keep", "drop"] = Field(
        "judge", description="the first and last period, by their one neighbour or as a whole"
    )


class IsolationStudy(Closed):
    """Ask a higher score of what stands alone."""

    t_main: float = Field(0.43, description="least score of any outline")
    t_isolated: float = Field(0.75, description="least score of one that stands alone")
    distance_km: float = Field(3.0, description="that makes it alone, to its k-th neighbour")
    k: int = Field(5, description="see there")


class ZoneStudy(Closed):
    """Ground with a threshold of its own."""

    file: FilePath = Field(description="polygons")
    threshold: float = Field(description="least score of outlines that touch it")


class RulesStudy(Closed):
    """Which outlines become sites; each rule judges all outlines as they were found."""

    neighbour: NeighbourStudy | None = Field(None, description="default: not asked")
    isolation: IsolationStudy | None = Field(None, description="default: not asked")
    zones: tuple[ZoneStudy, ...] = Field((), description="default: none")
    elsewhere: float = Field(0.0, description="least score of outlines outside all zones")
