"""A small served run that the tests of the service share."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from minetrace.faces.api.safety import Guard, Safety, guard
from minetrace.faces.api.service import make_service
from minetrace.flow.steps import run as walk
from minetrace.flow.study import Study
from minetrace.testing.world import World, world_study


@dataclass(frozen=True)
class Service:
    """A service and a client without a wire."""

    app: Any
    root: Path

    def ask(self, method: str, path: str, *, safety: Safety | None = None, **more: Any) -> Any:
        """One request through the guard."""
        return ask(guard(self.app, safety or Safety()), method, path, **more)

    def get(self, path: str, **more: Any) -> Any:
        return self.ask("GET", path, **more)

    def post(self, path: str, **more: Any) -> Any:
        return self.ask("POST", path, **more)


def ask(app: Guard, method: str, path: str, **more: Any) -> httpx.Response:
    """One request to a guarded application."""

    async def go() -> httpx.Response:
        wire = httpx.ASGITransport(app=app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=wire, base_url="http://localhost:8000") as client:
            return await client.request(method, path, **more)

    return asyncio.run(go())


@pytest.fixture(scope="session")
def run_folder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("served") / "Oro Manso"
    study = {**world_study(world, name="served"), "periods": [2020, 2021, 2022]}
    walk(Study.of(study), out)
    return out


@pytest.fixture(scope="session")
def service(run_folder: Path) -> Iterator[Service]:
    app = make_service([run_folder])
    yield Service(app, run_folder)
    app.state.service.close()
