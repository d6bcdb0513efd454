"""What happens when a part is away, and that it comes back by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from real_gateway import HERE, Gateway, eventually, problem, running

from shared.testing.redis import RedisServer

GRACE_SECONDS = 4


@pytest.fixture(scope="module")
def gateway(own_redis: RedisServer) -> Iterator[Gateway]:
    settings = {
        "REVOCATION_GRACE_SECONDS": str(GRACE_SECONDS),
        "RATE_LIMIT_DEFAULT_PER_MINUTE": "60",
        "GATEWAY_PROCESSES": "6",
        "GATEWAY_READ_TIMEOUT_SECONDS": "1",
        "GATEWAY_RESOLVE_SECONDS": "0.2",
    }
    with running(own_redis.url, settings) as gateway:
        yield gateway


def is_served(gateway: Gateway, headers: dict[str, str]) -> bool:
    return gateway.client.get("/api/me", headers=headers).status_code == 200


def test_without_redis_known_tokens_pass_for_the_grace_time_only(gateway: Gateway, own_redis: RedisServer) -> None:
    known, unknown = gateway.bearer(sub="11"), gateway.bearer(sub="12")
    assert is_served(gateway, known)
    stopped = time.monotonic()
    own_redis.stop()
    try:
        eventually(
            lambda: gateway.client.get("/api/me", headers=unknown).status_code == 503, what="refusal of new tokens"
        )
        assert is_served(gateway, known)
        knowledge = gateway.client.get("/health").json()["revocations"]
        assert knowledge["status"] == "stale"
        assert 0 < knowledge["age_seconds"] < 60
        problem(gateway.client.post("/api/auth/login", json={}), 503)
        answers = [gateway.client.get("/api/me", headers=known).status_code for _ in range(15)]
        assert answers.count(200) <= 10, "its share of the limit, 60 / 6"
        assert set(answers) <= {200, 429}
        third = gateway.client.get("/api/courses")
        assert third.status_code == 200
        took = eventually(lambda: gateway.client.get("/api/courses").status_code == 503, what="the end of grace")
        assert time.monotonic() - stopped < GRACE_SECONDS + 2, took
        answer = gateway.client.get("/api/me", headers=known)
        problem(answer, 503)
        assert answer.headers["retry-after"]
        assert gateway.client.get("/health").status_code == 503
        problem(gateway.client.get("/api/nothing"), 404)
    finally:
        own_redis.start()
    time.sleep(0.5)
    assert not is_served(gateway, known), "an empty Redis doesn't know who was revoked"
    gateway.mark_stream()
    eventually(lambda: is_served(gateway, unknown), timeout_seconds=5, what="recovery")
    assert gateway.client.post("/api/auth/login", json={}).status_code == 200


@pytest.mark.parametrize("door", ["traefik", "envoy"])
def test_without_redis_a_data_plane_is_answered_as_nginx_is(
    gateway: Gateway, own_redis: RedisServer, door: str
) -> None:
    """Envoy takes any 5xx for no answer, and says 503 without a word of ours."""
    seen = gateway.behind(door)
    known, unknown = gateway.bearer(sub="31"), gateway.bearer(sub="32")
    eventually(lambda: is_served(seen, known), what="an answer before")
    own_redis.stop()
    try:
        eventually(lambda: seen.client.get("/api/me", headers=unknown).status_code == 503, what="refusal of new tokens")
        assert is_served(seen, known)
        assert seen.client.post("/api/auth/login", json={}).status_code == 503
        eventually(lambda: seen.client.get("/api/courses").status_code == 503, what="the end of grace")
        answer = seen.client.get("/api/me", headers=known)
        assert answer.status_code == 503
        if door == "traefik":
            problem(answer, 503)
            assert answer.headers["retry-after"]
    finally:
        own_redis.start()
    gateway.mark_stream()
    eventually(lambda: is_served(seen, unknown), what="recovery")


def test_a_lost_stream_is_read_whole_again_and_nothing_is_forgotten(gateway: Gateway, own_redis: RedisServer) -> None:
    first, second = gateway.bearer(sid="first"), gateway.bearer(sid="second", sub="8")
    gateway.revoke("first")
    eventually(lambda: not is_served(gateway, first), timeout_seconds=1, what="revocation")
    own_redis.restart()
    gateway.revoke("second")
    eventually(lambda: not is_served(gateway, second), timeout_seconds=3, what="revocation in the new stream")
    assert not is_served(gateway, first)
    eventually(lambda: is_served(gateway, gateway.bearer(sub="9")), what="recovery")
    gateway.mark_stream()  # as user-service does once it has filled it


def test_a_frozen_redis_does_not_hang_requests(gateway: Gateway, own_redis: RedisServer) -> None:
    known = gateway.bearer(sub="21")
    assert is_served(gateway, known)
    pid = own_redis._process.pid if own_redis._process else 0
    os.kill(pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        answer = gateway.client.get("/api/me", headers=known)
        assert answer.status_code in (200, 503)
        assert time.monotonic() - started < 1.5
    finally:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: is_served(gateway, known), what="recovery")


def test_without_a_decision_nothing_passes(gateway: Gateway) -> None:
    os.kill(gateway.pid("decision"), signal.SIGKILL)
    eventually(lambda: gateway.client.get("/api/courses").status_code == 503, what="refusal")
    document = problem(gateway.client.get("/api/courses"), 503)
    assert document["instance"] == "/api/courses"
    problem(gateway.client.get("/api/me", headers=gateway.bearer()), 503)
    problem(gateway.client.get("/health"), 503)
    gateway.stop("decision")
    gateway.start_decision()
    eventually(lambda: gateway.client.get("/api/courses").status_code == 200, what="recovery")


def test_a_service_that_is_down_is_502_and_health_says_so(gateway: Gateway) -> None:
    gateway.stop("course")
    document = problem(gateway.client.get("/api/courses"), 502)
    assert document["type"] == "urn:smartcourse:problem:service-unreachable"
    time.sleep(1.1)  # an answer about health is remembered for a second
    health = gateway.client.get("/health")
    assert (health.status_code, health.json()["services"]["course"]) == (503, "down")
    assert health.json()["services"]["user"] == "up"
    assert is_served(gateway, gateway.bearer(sub="31"))
    gateway.start_service("course")
    eventually(lambda: gateway.client.get("/api/courses").status_code == 200, what="recovery")


def test_a_service_that_takes_too_long_is_504(gateway: Gateway) -> None:
    document = problem(gateway.client.get("/api/courses", params={"slow": "1"}), 504)
    assert document["type"] == "urn:smartcourse:problem:service-timed-out"


def test_a_service_that_moves_is_found_again_and_one_that_cannot_be_looked_up_stays(
    gateway: Gateway, tmp_path: Path
) -> None:
    names = tmp_path / "names.json"
    names.write_text(json.dumps({"course.test": None}))
    gateway.stop("nginx")
    port = gateway.ports["course"]
    moved = {"NAMES": str(names), "COURSE_SERVICE_URL": f"http://course.test:{port}"}
    gateway.start_nginx(str(HERE / "moving_names.py"), **moved)

    def status() -> int:
        """Asked over a connection of its own: nginx closes idle ones when it reads its configuration again."""
        return httpx.get(f"{gateway.url}/api/courses", timeout=15).status_code

    assert status() == 502
    names.write_text(json.dumps({"course.test": "127.0.0.1"}))
    eventually(lambda: status() == 200, what="finding the service")
    names.write_text(json.dumps({"course.test": None}))
    time.sleep(0.5)
    assert status() == 200
    names.write_text(json.dumps({"course.test": "127.0.0.2"}))  # where nobody listens
    eventually(lambda: status() == 502, what="following the name")


def test_nginx_refuses_a_configuration_it_cannot_carry_out(gateway: Gateway) -> None:
    environment = gateway.environment | {"GATEWAY_LISTEN": "999.1.1.1:80"}
    command = [sys.executable, "-m", "api_gateway.nginx"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert run.returncode == 1
    assert "host not found" in run.stderr


def test_the_launcher_runs_both_and_ends_both(own_redis: RedisServer) -> None:
    gateway = Gateway(own_redis.url)
    try:
        gateway.mark_stream()
        gateway.start_service("course")
        gateway.start_launcher()
        eventually(lambda: gateway.client.get("/api/courses").status_code == 200, timeout_seconds=30, what="an answer")
        gateway.stop("launcher")
        assert not gateway.is_ready()
    finally:
        gateway.close()
