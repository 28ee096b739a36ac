"""Answers that are ready are given before a route is chosen for them.

What is served does not change while the service runs, so equal addresses have equal answers. This
stands inside the guard and outside of all routing, which would cost more than the answer itself.
"""

from __future__ import annotations

from collections.abc import Hashable

from minetrace.faces.api.replies import Reply
from minetrace.faces.api.safety import App, Receive, Scope, Send
from minetrace.faces.api.shelf import Shelf


def address_of(scope: Scope) -> Hashable:
    """What a request that has no body asks, as its asker spelled it."""
    host = next((value for name, value in scope["headers"] if name == b"host"), b"")
    path = scope.get("raw_path") or scope["path"].encode()
    return scope["method"], scope["scheme"], host, path, scope["query_string"]


class Ready:
    """An ASGI application behind a shelf of answers to addresses."""

    def __init__(self, app: App, shelf: Shelf[Reply]) -> None:
        self._app, self._shelf = app, shelf

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from the shelf, or let the application answer."""
        asks = scope["type"] == "http" and scope["method"] == "GET"
        reply = self._shelf.get(address_of(scope)) if asks else None
        if reply is None:
            await self._app(scope, receive, send)
            return
        told = {name: value.decode("latin-1") for name, value in scope["headers"]
                if name in (b"accept-encoding", b"if-none-match")}  # fmt: skip
        status, headers, body = reply.answer(
            told.get(b"accept-encoding", ""), told.get(b"if-none-match", "")
        )
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
