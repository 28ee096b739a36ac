"""What a study says of who does the work; no result depends on it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from minetrace.flow.study_sources import Closed


class SlurmStudy(Closed):
    """Jobs that SLURM starts as workers, by dask-jobqueue; names and paths are your site's."""

    jobs: int = Field(4, ge=1, description="jobs to ask for")
    cores: int = Field(4, ge=1, description="of each job; one worker process a core")
    memory: str = Field("16GB", description="of each job")
    walltime: str = Field("04:00:00", description="after which SLURM ends a job")
    queue: str | None = Field(None, description="the partition")
    account: str | None = Field(None, description="who is charged")
    interface: str | None = Field(None, description="network interface of the nodes, such as ib0")
    directives: tuple[str, ...] = Field((), description="further #SBATCH lines, without #SBATCH")
    prologue: tuple[str, ...] = Field(
        (), description="shell lines before a worker starts, such as: module load python"
    )


class EngineStudy(Closed):
    """Who does the work: processes of this machine, a Dask scheduler's workers, or SLURM jobs."""

    kind: Literal["local", "dask", "slurm"] = Field("local", description="who does the work")
    scheduler: str | None = Field(
        None, description="address of a Dask scheduler, such as tcp://10.0.0.1:8786"
    )
    slurm: SlurmStudy | None = Field(None, description="which jobs to ask SLURM for")
    task_limit_s: float | None = Field(
        None,
        gt=0,
        description="a task that takes longer is stopped and tried again; default: three hours, "
        "and none where one local worker does all. What makes a whole period has none",
    )
    task_gb: float = Field(
        2.0, gt=0, description="memory of a task: no more are under way than fit"
    )

    @model_validator(mode="after")
    def _whole(self) -> EngineStudy:
        if self.kind == "dask" and not self.scheduler:
            raise ValueError(
                "the dask engine needs the address of a scheduler: --scheduler tcp://HOST:8786, or "
                "engine.scheduler; 'dask scheduler' starts one"
            )
        if self.kind == "slurm" and self.slurm is None:
            raise ValueError(
                "the slurm engine needs an engine.slurm section; "
                "'minetrace init --slurm study.yaml' writes a study with one"
            )
        return self
