"""The pod's own listener, on METRICS_PORT: metrics and probes, never routed from outside.

It answers from the same event loop that decides: a loop that hangs fails its probe.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

_TIMEOUT_SECONDS: Final = 5.0
_PHRASES: Final = {200: "OK", 404: "Not Found", 503: "Service Unavailable"}
Answer = tuple[int, str, bytes]


class Monitor:
    """Serves `/metrics`, `/health/live`, `/health/ready` and `/health/startup`."""

    def __init__(self, *, port: int, is_ready: Callable[[], bool]) -> None:
        """Listen on `port` of every address (0: don't)."""
        self._port, self._is_ready = port, is_ready
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to listen."""
        if self._port:
            self._server = await asyncio.start_server(self._serve, host=None, port=self._port)

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                request = await reader.readuntil(b"\r\n\r\n")
                status, content_type, body = self._answer(request.split(b" ", 2)[1].partition(b"?")[0])
                head = (
                    f"HTTP/1.1 {status} {_PHRASES[status]}\r\nContent-Type: {content_type}\r\n"
                    f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                )
                writer.write(head.encode("ascii") + body)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, IndexError):
            pass  # whoever asked has gone, or speaks no HTTP
        finally:
            writer.close()

    def _answer(self, path: bytes) -> Answer:
        if path == b"/metrics":
            return 200, CONTENT_TYPE_LATEST, generate_latest()
        if path == b"/health/live":
            return 200, "application/json", b'{"status":"up"}'
        if path in (b"/health/ready", b"/health/startup"):
            if self._is_ready():
                return 200, "application/json", b'{"status":"up"}'
            return 503, "application/json", b'{"status":"down","waiting_for":"revocations"}'
        return 404, "text/plain", b"not found\n"
