"""Clients that ask again and again over connections that they keep, while something happens to the gateway."""

from __future__ import annotations

import http.client
import secrets
import ssl
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

_PATH: Final = "/api/me"
_TIMEOUT_SECONDS: Final = 20


class Clients:
    """Threads that ask over keep-alive connections; what fails is in `failures`.

    A server that closes an idle connection can't know that a request is on its way there. HTTP has the client send it
    again then, if it changes nothing (RFC 9112, 9.3.1): browsers and the proxies in front of a gateway do, and so do
    these, once, on a new connection, and only if a connection that was used before ended without a byte of an answer.
    Each sending has an id of its own: those in `sent_again` must not be in the gateway's log, or it dropped a request.
    """

    def __init__(
        self, port: int, headers: dict[str, str], context: ssl.SSLContext | None = None, *, threads: int = 4
    ) -> None:
        self.failures: list[str] = []
        self.sent_again: list[str] = []
        self.last_id = ""
        self.answers = self.connections = 0
        self._port, self._headers, self._context = port, headers, context
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(2 * _TIMEOUT_SECONDS)

    def wait_for(self, *, more: int) -> None:
        """Wait until so many more answers have come."""
        wanted, deadline = self.answers + more, time.monotonic() + 60
        while self.answers < wanted:
            assert not self.failures, self.failures
            assert time.monotonic() < deadline, f"{more} answers did not come within a minute"
            time.sleep(0.01)

    def check(self, read_log: Callable[[], str]) -> None:
        """Check, once they have ended, that each request was answered, and that what was sent again was never begun."""
        assert self.failures == []
        deadline = time.monotonic() + 15
        while self.last_id not in read_log():  # the log is written once a second
            assert time.monotonic() < deadline, "the last request is not in the log"
            time.sleep(0.1)
        log = read_log()
        assert [name for name in self.sent_again if name in log] == []

    def _run(self) -> None:
        connection = self._connect()
        is_used = False
        while not self._ended.is_set():
            name = secrets.token_hex(8)
            try:
                try:
                    self._ask(connection, name)
                except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                    if not is_used:
                        raise
                    connection.close()
                    self.sent_again.append(name)
                    connection = self._connect()
                    self._ask(connection, secrets.token_hex(8))
                is_used = True
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a failure to report
                self.failures.append(repr(error))
                connection.close()
                connection, is_used = self._connect(), False
        connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        self.connections += 1
        if self._context is None:
            return http.client.HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT_SECONDS)
        return http.client.HTTPSConnection("localhost", self._port, timeout=_TIMEOUT_SECONDS, context=self._context)

    def _ask(self, connection: http.client.HTTPConnection, name: str) -> None:
        connection.request("GET", _PATH, headers=self._headers | {"X-Request-ID": name})
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        self.answers += 1
        self.last_id = name
