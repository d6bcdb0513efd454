"""A service that breaks connections, as none of ours would on purpose."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from types import TracebackType
from typing import Self

_RESET = struct.pack("ii", 1, 0)
"""Linger for no time at all: closing sends a reset."""


class FlakyService:
    """Resets what it is told to, then answers 200. `received` counts the requests that it has read, by method."""

    def __init__(
        self,
        port: int,
        *,
        reset_connections: int = 0,
        reset_requests: int = 0,
        is_silent: bool = False,
        keeps_connections: bool = False,
    ) -> None:
        self.received: list[str] = []
        self.connections = 0
        self._reset_connections, self._reset_requests = reset_connections, reset_requests
        self._is_silent, self._keeps_connections = is_silent, keeps_connections
        self._listener = socket.create_server(("127.0.0.1", port))
        self._ended = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                if self.connections <= self._reset_connections:
                    _reset(connection)
                else:
                    threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while head := _head(connection):
                self.received.append(head.split(b" ", 1)[0].decode())
                if len(self.received) <= self._reset_requests:
                    _reset(connection)
                    return
                if self._is_silent:
                    self._ended.wait(60)
                    return
                kept = b"keep-alive" if self._keeps_connections else b"close"
                connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: " + kept + b"\r\nContent-Length: 2\r\n\r\nok")
                if not self._keeps_connections:
                    return


def _head(connection: socket.socket) -> bytes:
    read = b""
    while b"\r\n\r\n" not in read:
        part = connection.recv(65536)
        if not part:
            return b""
        read += part
    return read


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    connection.close()
