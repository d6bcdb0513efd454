"""What is tried a second time, what is never sent twice, and how long a connection to a service is used."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from flaky import FlakyService
from real_gateway import Gateway, problem, running

from shared.testing.servers import RedisServer

KEEPALIVE_SECONDS = 2


@pytest.fixture(scope="module")
def gateway(redis_server: RedisServer) -> Iterator[Gateway]:
    """Without a course-service: each case brings its own, at the one address that there is."""
    settings = {
        "GATEWAY_READ_TIMEOUT_SECONDS": "1",
        "GATEWAY_KEEPALIVE_SECONDS": str(KEEPALIVE_SECONDS),
        "RATE_LIMIT_DEFAULT_PER_MINUTE": "1000000",
    }
    with running(redis_server.url, settings, services=("user", "notification")) as gateway:
        yield gateway


def send(gateway: Gateway, method: str) -> int:
    headers = gateway.bearer(role="instructor", sub="7003")
    return gateway.client.request(method, "/api/courses", headers=headers).status_code


@pytest.mark.parametrize(("method", "received"), [("GET", ["GET", "GET"]), ("HEAD", ["GET", "GET"])])
def test_a_request_that_changes_nothing_is_sent_again_after_a_reset(
    gateway: Gateway, method: str, received: list[str]
) -> None:
    with FlakyService(gateway.ports["course"], reset_requests=1) as service:
        assert send(gateway, method) == 200
    assert service.received == received


def test_a_post_that_may_have_arrived_is_not_sent_again(gateway: Gateway) -> None:
    with FlakyService(gateway.ports["course"], reset_requests=1) as service:
        headers = gateway.bearer(role="instructor", sub="7003")
        problem(gateway.client.post("/api/courses", json={}, headers=headers), 502)
    assert service.received == ["POST"]


def test_a_connection_that_breaks_before_anything_is_read_is_made_again(gateway: Gateway) -> None:
    with FlakyService(gateway.ports["course"], reset_connections=1) as service:
        assert send(gateway, "GET") == 200
    assert (service.connections, service.received) == (2, ["GET"])


def test_a_post_reaches_a_service_at_most_once_whenever_a_connection_breaks(gateway: Gateway) -> None:
    with FlakyService(gateway.ports["course"], reset_connections=1) as service:
        status = send(gateway, "POST")
    assert (status, service.received) in ((200, ["POST"]), (502, []))


def test_there_is_one_second_try_and_no_more(gateway: Gateway) -> None:
    with FlakyService(gateway.ports["course"], reset_requests=10) as service:
        problem(gateway.client.get("/api/courses"), 502)
    assert service.received == ["GET", "GET"]


def test_a_service_that_takes_too_long_is_not_asked_again(gateway: Gateway) -> None:
    with FlakyService(gateway.ports["course"], is_silent=True) as service:
        problem(gateway.client.get("/api/courses"), 504)
    assert service.received == ["GET"]


def test_a_connection_is_used_again_but_not_for_ever(gateway: Gateway) -> None:
    with FlakyService(gateway.ports["course"], keeps_connections=True) as service:
        began = time.monotonic()
        requests = 0
        while time.monotonic() - began < 0.5 * KEEPALIVE_SECONDS:
            assert send(gateway, "GET") == 200
            requests += 1
        assert requests > 1
        assert service.connections == 1
        while service.connections == 1:
            assert send(gateway, "GET") == 200
            assert time.monotonic() - began < KEEPALIVE_SECONDS + 15
        assert time.monotonic() - began > KEEPALIVE_SECONDS - 0.5
