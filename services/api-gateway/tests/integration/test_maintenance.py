"""During maintenance what is there can be read; nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from real_gateway import Gateway, problem, running

from shared.testing.servers import RedisServer


@pytest.fixture(scope="module")
def gateway(redis_server: RedisServer) -> Iterator[Gateway]:
    settings = {"MAINTENANCE": "reads", "MAINTENANCE_RETRY_AFTER_SECONDS": "120", "CORS_ORIGINS": "https://app.example"}
    with running(redis_server.url, settings) as gateway:
        yield gateway


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/me"), ("HEAD", "/api/me"), ("GET", "/api/courses")])
def test_reading_goes_on(gateway: Gateway, method: str, path: str) -> None:
    assert gateway.client.request(method, path, headers=gateway.bearer()).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/api/me"), ("POST", "/api/courses"), ("POST", "/api/auth/login")]
)
def test_everything_else_is_put_off(gateway: Gateway, method: str, path: str) -> None:
    answer = gateway.client.request(method, path, headers=gateway.bearer(role="instructor"))
    assert problem(answer, 503)["type"] == "urn:smartcourse:problem:maintenance"
    assert answer.headers["retry-after"] == "120"


def test_what_could_not_succeed_anyway_is_refused_as_always(gateway: Gateway) -> None:
    problem(gateway.client.post("/api/nothing"), 404)
    problem(gateway.client.delete("/api/courses"), 405)


def test_pages_of_listed_origins_can_read_why(gateway: Gateway) -> None:
    headers = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    assert gateway.client.options("/api/courses", headers=headers).status_code == 204
    refused = gateway.client.post("/api/courses", headers={"Origin": "https://app.example"})
    assert refused.headers["access-control-allow-origin"] == "https://app.example"


def test_the_platform_is_well_and_says_what_goes_on(gateway: Gateway) -> None:
    health = gateway.client.get("/health")
    assert (health.status_code, health.json()["status"], health.json()["maintenance"]) == (200, "up", True)
