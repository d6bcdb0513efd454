"""HTTP/1.1 for the decision process: llhttp (httptools) reads requests on an asyncio protocol, one object a connection.

Whoever asks is a proxy that keeps its connections and sends one request at a time on each: there is no pipelining. An
answer that memory alone can give is written before the event loop turns again; no task is made for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, cast

import httptools
import structlog

_LARGEST_REQUEST_BYTES: Final = 65_536
"""nginx accepts 32 KiB of headers from a client and adds little; a body is never sent along."""
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}
_MALFORMED: Final = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_FAILED: Final = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_logger = structlog.get_logger(__name__)


@dataclass(slots=True)
class Request:
    """One request. Header names are in lower case; values of one name that came twice are joined by commas."""

    method: bytes = b""
    target: bytes = b""
    headers: dict[bytes, bytes] = field(default_factory=dict)

    def get(self, name: bytes) -> str:
        """Return a header's value, "" where there is none."""
        return self.headers.get(name, b"").decode("latin-1")


Answer = bytes | Awaitable[bytes]
Application = Callable[[Request], Answer]
"""Answers a request with the bytes of a response, at once if it can."""


def response(status: int, head: str = "", body: bytes = b"") -> bytes:
    """Return a response's bytes; `head` holds header lines, each with its line end."""
    first = f"HTTP/1.1 {status} {_PHRASES.get(status, '')}\r\nContent-Length: {len(body)}\r\n"
    return f"{first}{head}\r\n".encode("latin-1", "replace") + body


class Connection(asyncio.Protocol):
    """One connection of a proxy's."""

    def __init__(self, application: Application, connections: set[Connection]) -> None:
        """Answer by `application`; be in `connections` while connected."""
        self._application, self._connections = application, connections
        self._parser = httptools.HttpRequestParser(self)
        self._request = Request()
        self._request_bytes = 0
        self._asked: asyncio.Future[bytes] | None = None
        self._is_ending = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        """Nobody waits for an answer any more."""
        self._connections.discard(self)
        if self._asked is not None:
            self._asked.cancel()

    def data_received(self, data: bytes) -> None:
        """Read on; answer each request that is whole."""
        self._request_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse()
        if self._request_bytes > _LARGEST_REQUEST_BYTES:
            self._refuse()

    def pause_writing(self) -> None:
        """Take no more requests from whoever reads no answers."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._transport.resume_reading()

    def end(self) -> asyncio.Future[bytes] | None:
        """Close, after the answer that is being worked out: that is returned."""
        self._is_ending = True
        if self._asked is None:
            self._transport.close()
        return self._asked

    # What the parser calls, in this order.

    def on_message_begin(self) -> None:
        self._request = Request()

    def on_url(self, url: bytes) -> None:  # may come in pieces
        self._request.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        headers, name = self._request.headers, name.lower()
        headers[name] = headers[name] + b"," + value if name in headers else value

    def on_message_complete(self) -> None:
        if self._asked is not None:
            self._refuse()
            return
        request = self._request
        request.method = self._parser.get_method()
        self._request_bytes = 0
        answer = self._application(request)
        if not self._parser.should_keep_alive():
            self._is_ending = True
        if isinstance(answer, bytes):
            self._write(answer)
        else:
            self._asked = asyncio.ensure_future(answer)
            self._asked.add_done_callback(self._give)

    def _give(self, asked: asyncio.Future[bytes]) -> None:
        self._asked = None
        if asked.cancelled():
            return
        if (error := asked.exception()) is not None:
            _logger.error("request_failed", error=type(error).__name__)
            self._transport.write(_FAILED)
            self._transport.close()
            return
        self._write(asked.result())

    def _write(self, answer: bytes) -> None:
        self._transport.write(answer)
        if self._is_ending:
            self._transport.close()

    def _refuse(self) -> None:
        if self._asked is not None:
            self._asked.cancel()
        self._transport.write(_MALFORMED)
        self._transport.close()
