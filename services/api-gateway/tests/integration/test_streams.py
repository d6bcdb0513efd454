"""Answers that go on: each part arrives when it is sent, and only what is declared may change the protocol."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from real_gateway import Gateway, eventually, problem, running
from upstream_parts import PART
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from shared.testing.servers import RedisServer

EVENTS, TALK = "/api/notifications/events", "/api/notifications/talk"
DRAIN_SECONDS = 2


@pytest.fixture
def gateway(every_door: Gateway) -> Gateway:
    """nginx's door: what is tested here is its work, and that of a data plane where one stands in its place."""
    return every_door.behind("nginx")


def open_gate(gateway: Gateway, name: str, *, path: str) -> None:
    """Let the answer go on that waits for `name` in the service behind `path`."""
    answer = gateway.client.get(path, params={"open": name}, headers=gateway.bearer())
    assert answer.status_code == 200


def talk(gateway: Gateway, **headers: str) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{gateway.port}{TALK}", additional_headers=headers, open_timeout=15)


def test_events_arrive_one_by_one_before_the_answer_ends(gateway: Gateway) -> None:
    name = secrets.token_hex(4)
    with gateway.client.stream("GET", EVENTS, params={"events": name}, headers=gateway.bearer()) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        assert "content-encoding" not in answer.headers
        parts = answer.iter_raw()
        assert next(parts) == b"data: one\n\n"
        time.sleep(2.5)  # longer than an ordinary route's service may be silent
        open_gate(gateway, name, path="/api/notifications")
        assert b"".join(parts) == b"data: two\n\n"


def test_a_large_download_is_not_collected_first(gateway: Gateway) -> None:
    name = secrets.token_hex(4)
    with gateway.client.stream("GET", "/api/courses", params={"download": name}) as answer:
        parts, read = answer.iter_raw(), 0
        while read < len(PART) // 2:  # the service has not sent more than the first part yet
            read += len(next(parts))
        open_gate(gateway, name, path="/api/courses")
        assert read + sum(map(len, parts)) == 2 * len(PART)


def test_a_websocket_is_opened_for_the_user_who_asked_and_carries_both_ways(gateway: Gateway) -> None:
    with talk(gateway, **gateway.bearer(sub="42")) as connection:
        greeting = str(connection.recv(timeout=10))
        assert '"user_id": 42' in greeting
        assert '"authorization"' not in greeting
        connection.send("hello")
        assert connection.recv(timeout=10) == "hello"
        time.sleep(2.5)  # as above
        connection.send(b"\x00" * 100_000)
        assert connection.recv(timeout=10) == b"\x00" * 100_000


def test_a_handshake_without_a_token_is_refused_as_a_problem(gateway: Gateway) -> None:
    with pytest.raises(InvalidStatus) as refused, talk(gateway):
        pass
    assert refused.value.response.status_code == 401
    assert refused.value.response.headers["content-type"] == "application/problem+json"
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    problem(gateway.client.get(TALK, headers=upgrade), 401)


@pytest.mark.parametrize("path", ["/api/me", "/api/courses", EVENTS])
@pytest.mark.parametrize("protocol", ["websocket", "h2c"])
def test_a_route_that_declares_no_websocket_never_hears_of_an_upgrade(
    gateway: Gateway, path: str, protocol: str
) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": protocol, "Sec-WebSocket-Key": "x", **gateway.bearer()}
    answer = gateway.client.get(path, headers=headers)
    assert answer.status_code == 200
    assert not {name for name, _ in answer.json()["headers"]} & {"upgrade", "connection", "sec-websocket-key"}


def test_a_websocket_route_is_upgraded_to_nothing_else(gateway: Gateway) -> None:
    headers = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "", **gateway.bearer()}
    answer = gateway.client.get(TALK, headers=headers)
    assert answer.status_code == 200
    assert not {name for name, _ in answer.json()["headers"]} & {"upgrade", "connection", "http2-settings"}


@pytest.fixture
def draining(redis_server: RedisServer) -> Iterator[Gateway]:
    with running(redis_server.url, {"GATEWAY_DRAIN_SECONDS": str(DRAIN_SECONDS)}) as gateway:
        yield gateway


@pytest.mark.parametrize("order", ["reload", "stop"])
def test_what_goes_on_ends_within_the_drain_time(draining: Gateway, order: str) -> None:
    with (
        talk(draining, **draining.bearer()) as connection,
        draining.client.stream("GET", EVENTS, params={"events": "never"}, headers=draining.bearer()) as events,
    ):
        connection.recv(timeout=10)
        parts = events.iter_raw()
        assert next(parts) == b"data: one\n\n"
        ended = [ending(lambda: connection.recv(), ConnectionClosed), ending(lambda: next(parts), httpx.HTTPError)]
        if order == "reload":
            draining.reload()
            eventually(draining.answers, what="an answer after the reload")
        else:
            draining.stop("nginx")
        for each in ended:
            each.join(DRAIN_SECONDS + 15)
            assert not each.is_alive()


def ending(wait: Callable[[], object], error: type[Exception]) -> threading.Thread:
    """A thread that ends when `wait` fails with `error`."""

    def watch() -> None:
        with pytest.raises(error):
            wait()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def test_a_client_that_has_gone_is_noticed(gateway: Gateway) -> None:
    """Else every page that was closed would leave a stream open at the service."""
    name = secrets.token_hex(8)
    lines = [f"GET {EVENTS}?events=gone HTTP/1.1", "Host: a", f"Authorization: Bearer {gateway.token()}"]
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, f"X-Request-ID: {name}", "", ""]).encode())
        assert b" 200 " in connection.recv(65536)
        assert name not in gateway.log("nginx")
    eventually(lambda: name in gateway.log("nginx"), what="the end of the stream in the access log")
