"""What all routes share: the published folders, what is kept of answers, and who works."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from fastapi import Request
from starlette.responses import Response

from minetrace.faces.api.ready import address_of
from minetrace.faces.api.refusals import BadQueryError, UnknownNameError
from minetrace.faces.api.replies import KEPT_BYTES, Crew, Reply
from minetrace.faces.api.shelf import Shelf
from minetrace.flow.published import Published
from minetrace.flow.run_tiles import RunTiles
from minetrace.publish.pmtiles_reader import Tiles
from minetrace.publish.site_table import SiteTable
from minetrace.publish.tiles import write_tiles


@dataclass
class State:
    """Of one service; made once, before it listens.

    Attributes:
        runs: published folders by id.
        vectors: tiles of each panel.
        rasters: tiles of each run's pictures.
        shelf: answers that are kept.
        readers: threads that look things up.
        painters: threads that draw tiles and cut polygons.
        scorers: the one thread that runs a model.
    """

    runs: dict[str, Published]
    vectors: dict[str, Tiles]
    rasters: dict[str, RunTiles]
    shelf: Shelf[Reply] = field(default_factory=lambda: Shelf(KEPT_BYTES, Reply.size))
    readers: Crew = field(default_factory=lambda: Crew(2, 400))
    painters: Crew = field(default_factory=lambda: Crew(2, 100))
    scorers: Crew = field(default_factory=lambda: Crew(1, 3))
    scratch: tempfile.TemporaryDirectory[str] | None = None

    @classmethod
    def of(cls, runs: dict[str, Published]) -> State:
        """Open what the folders hold; a panel without an archive of tiles gets one of its own."""
        scratch = tempfile.TemporaryDirectory(prefix="minetrace-serve-")
        vectors = {name: _tiles(run, Path(scratch.name)) for name, run in runs.items()}
        rasters = {name: RunTiles(run.views) for name, run in runs.items()}
        return cls(runs, vectors, rasters, scratch=scratch)

    def run(self, name: str) -> Published:
        """A folder by its id.

        Raises:
            UnknownNameError: none has it.
        """
        if name not in self.runs:
            raise UnknownNameError(f"no run or panel is called {name[:80]!r}")
        return self.runs[name]

    async def kept(
        self, request: Request, make: Callable[[], Reply], crew: Crew, key: Hashable = None
    ) -> Response:
        """The reply to a request, worked out by a crew if it is not kept.

        Args:
            key: what the request asks, where its address does not say all.
        """
        key = key or address_of(request.scope)
        reply = self.shelf.get(key)
        if reply is None:
            reply = await crew.do(make)
            self.shelf.put(key, reply)
        return reply.to(request)

    def given(self, request: Request, reply: Reply) -> Response:
        """The reply to a request that took no time to work out; it is kept, too."""
        self.shelf.put(address_of(request.scope), reply)
        return reply.to(request)

    def close(self) -> None:
        """Let files and threads go."""
        for tiles in self.vectors.values():
            tiles.close()
        for crew in (self.readers, self.painters, self.scorers):
            crew.close()
        if self.scratch is not None:
            self.scratch.cleanup()


def state_of(request: Request) -> State:
    """The state of the service that a request came to."""
    return cast(State, request.app.state.service)


def refuse_unknown_words(request: Request, known: set[str]) -> None:
    """Check that a query has no parameter that would be passed over in silence.

    Raises:
        BadQueryError: it has.
    """
    if unknown := sorted(set(request.query_params) - known):
        raise BadQueryError(
            f"no parameter is called {unknown[0][:80]!r}; there are {', '.join(sorted(known))}"
        )


def home(request: Request) -> str:
    """The address of the service, as the asker called it, without a slash at the end."""
    return str(request.base_url).rstrip("/")


def _tiles(run: Published, scratch: Path) -> Tiles:
    made = run.files.get("map/panel.pmtiles")
    if made is None:
        made = scratch / f"{run.id}.pmtiles"
        write_tiles(made, SiteTable.of(run.panel, [period.label for period in run.periods]))
    return Tiles(made)
