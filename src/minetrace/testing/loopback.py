"""Small real servers on this machine's own address, each port in a thread of its own."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class Loopback:
    """Ports that answer while the block lasts; a context manager to inherit.

    Args:
        ports: bound already, and not yet listening.
    """

    def __init__(self, *ports: ThreadingHTTPServer) -> None:
        self._ports = ports
        self._threads = [
            threading.Thread(target=port.serve_forever, args=(0.02,), daemon=True) for port in ports
        ]

    @property
    def url(self) -> str:
        """Address of the first port."""
        return address(self._ports[0])

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for port in self._ports:
            port.shutdown()
            port.server_close()
        for thread in self._threads:
            thread.join()


def listen(handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    """A free port of this machine."""
    return ThreadingHTTPServer(("127.0.0.1", 0), handler)


def address(port: ThreadingHTTPServer) -> str:
    """Where a port is asked."""
    return f"http://127.0.0.1:{port.server_port}"
