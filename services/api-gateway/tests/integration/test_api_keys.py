"""Scripts with API keys: what they may, and what happens when one changes or those who know are away."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from real_gateway import Gateway, eventually, problem, running

from shared.api_keys import new_api_key
from shared.testing.redis import RedisServer

GRACE_SECONDS = 20
PUBLIC_LIMIT = 100


@pytest.fixture(scope="module")
def gateway(own_redis: RedisServer) -> Iterator[Gateway]:
    settings = {
        "REVOCATION_GRACE_SECONDS": str(GRACE_SECONDS),
        "RATE_LIMIT_PUBLIC_PER_MINUTE": str(PUBLIC_LIMIT),
        "TRUSTED_PROXIES": "127.0.0.0/8",
    }
    with running(own_redis.url, settings) as gateway:
        yield gateway


def call(gateway: Gateway, key: str, path: str = "/api/me", method: str = "GET", **headers: str) -> httpx.Response:
    return gateway.client.request(method, path, headers={"Authorization": f"Bearer {key}"} | headers)


def test_a_key_becomes_a_signed_identity_and_goes_no_further(gateway: Gateway) -> None:
    key = gateway.api_key("user:read", user_id=42, role="instructor")
    told = call(gateway, key).json()
    assert (told["user_id"], told["role"], told["session_id"]) == (42, "instructor", gateway.session_of(key))
    assert key.split("_", 2)[2] not in str(told)
    assert call(gateway, key).headers["ratelimit-policy"] == '"user";q=600;w=60'


def test_user_service_is_asked_once_however_many_ask_at_once(gateway: Gateway) -> None:
    key = gateway.api_key("user:read", user_id=43)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: call(gateway, key).status_code, range(40)))
    assert answers == [200] * 40
    assert gateway.lookups(key) == 1


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/api/me", "user:read"),
        ("PUT", "/api/me", "user:write"),
        ("GET", "/api/courses/3", "course:read"),
        ("POST", "/api/courses", "course:write"),
        ("GET", "/api/notifications", "notification:read"),
    ],
)
def test_an_operation_takes_its_scope_and_no_other(gateway: Gateway, method: str, path: str, scope: str) -> None:
    every = {f"{service}:{what}" for service in ("user", "course", "notification") for what in ("read", "write")}
    assert call(gateway, gateway.api_key(scope, role="admin"), path, method).status_code == 200
    answer = call(gateway, gateway.api_key(*every - {scope}, role="admin"), path, method)
    assert scope in problem(answer, 403)["detail"]
    assert f'error="insufficient_scope", scope="{scope}"' in answer.headers["www-authenticate"]


def test_a_scope_gives_no_right_that_the_role_does_not_have(gateway: Gateway) -> None:
    key = gateway.api_key("course:write", role="student")
    assert "instructor or admin" in problem(call(gateway, key, "/api/courses", "POST"), 403)["detail"]


def test_a_route_that_takes_no_keys_says_so(gateway: Gateway) -> None:
    key = gateway.api_key("user:read", "user:write", role="admin")
    assert "API keys are not accepted" in problem(call(gateway, key, "/api/auth/logout", "POST"), 403)["detail"]
    assert gateway.client.post("/api/auth/logout", headers=gateway.bearer()).status_code == 200


def test_a_key_does_not_stand_in_the_way_of_logging_in(gateway: Gateway) -> None:
    unknown, _ = new_api_key()
    assert call(gateway, unknown, "/api/auth/login", "POST").json()["role"] == "anonymous"
    assert gateway.lookups(unknown) == 0


def test_a_key_that_is_not_whole_is_refused_without_asking(gateway: Gateway) -> None:
    key = gateway.api_key("user:read")
    for wrong in (key[:-1], key + "0", key.replace("sck_", "sck_0"), "sck_", "sck_" + "a" * 5000, key.upper()):
        problem(call(gateway, wrong), 401)
    assert gateway.lookups(key) == 0


def test_a_key_that_nobody_knows_is_refused_and_asked_about_once(gateway: Gateway) -> None:
    unknown, _ = new_api_key()
    for _ in range(3):
        answer = call(gateway, unknown)
        problem(answer, 401)
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert gateway.lookups(unknown) == 1


def test_guesses_are_counted_by_address_before_user_service_is_asked(gateway: Gateway) -> None:
    guesses = [new_api_key()[0] for _ in range(PUBLIC_LIMIT + 5)]
    answers = [call(gateway, guess, **{"X-Forwarded-For": "203.0.113.50"}).status_code for guess in guesses]
    assert answers.count(429) >= 5
    assert sum(map(gateway.lookups, guesses)) == answers.count(401) <= PUBLIC_LIMIT
    known = gateway.api_key("user:read")
    assert call(gateway, known).status_code == 200, "from another address"
    assert call(gateway, known, **{"X-Forwarded-For": "203.0.113.50"}).status_code == 200, "known by now"


def test_a_key_elsewhere_than_in_its_header_is_ignored(gateway: Gateway) -> None:
    key = gateway.api_key("user:read")
    problem(gateway.client.get("/api/me", params={"access_token": key, "api_key": key}), 401)
    problem(gateway.client.get("/api/me", headers={"Cookie": f"api_key={key}", "X-API-Key": key}), 401)
    assert gateway.lookups(key) == 0


def test_a_revoked_key_is_refused_within_a_second(gateway: Gateway) -> None:
    key, other = gateway.api_key("user:read"), gateway.api_key("user:read")
    assert (call(gateway, key).status_code, call(gateway, other).status_code) == (200, 200)
    session = gateway.session_of(key)
    gateway.drop(key)
    gateway.revoke(session)
    assert eventually(lambda: call(gateway, key).status_code == 401, timeout_seconds=1, what="revocation") < 1
    assert call(gateway, other).status_code == 200


def test_a_new_role_is_that_of_the_key_within_a_second(gateway: Gateway) -> None:
    key = gateway.api_key("user:read", role="admin")
    assert call(gateway, key, "/api/users").status_code == 200
    former = gateway.session_of(key)
    gateway.hold(key, role="student", session_id=former.removesuffix("-1") + "-2")
    gateway.revoke(former)
    eventually(lambda: call(gateway, key, "/api/users").status_code == 403, timeout_seconds=1, what="demotion")
    told = call(gateway, key).json()
    assert (told["role"], told["session_id"]) == ("student", gateway.session_of(key))
    assert gateway.lookups(key) == 2


def test_a_key_is_asked_about_anew_when_what_was_told_is_no_longer_good(gateway: Gateway) -> None:
    key = gateway.api_key("user:read", good_for_seconds=1)
    assert call(gateway, key).status_code == 200
    gateway.drop(key)
    eventually(lambda: call(gateway, key).status_code == 401, timeout_seconds=10, what="expiry")
    assert gateway.lookups(key) == 2


def test_the_internal_route_is_not_reached_through_the_gateway(gateway: Gateway) -> None:
    for headers in ({}, gateway.bearer(role="admin")):
        problem(gateway.client.get(f"/internal/api-keys/{'0' * 16}?digest={'0' * 64}", headers=headers), 404)


def test_while_user_service_is_away_known_keys_pass_and_new_ones_wait(gateway: Gateway) -> None:
    known, new = gateway.api_key("course:read"), gateway.api_key("course:read")
    assert call(gateway, known, "/api/courses").status_code == 200
    gateway.stop("user")
    try:
        answer = call(gateway, new, "/api/courses")
        problem(answer, 503)
        assert answer.headers["retry-after"]
        assert call(gateway, known, "/api/courses").status_code == 200
    finally:
        gateway.start_service("user")
    eventually(lambda: call(gateway, new, "/api/courses").status_code == 200, what="recovery")


def test_a_user_service_that_hangs_does_not_hang_requests(gateway: Gateway) -> None:
    new = gateway.api_key("course:read")
    parent = gateway.pid("user")
    processes = [parent, *map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())]
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        started = time.monotonic()
        problem(call(gateway, new, "/api/courses"), 503)
        assert time.monotonic() - started < 5
        assert gateway.client.get("/api/courses").status_code == 200
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)
    eventually(lambda: call(gateway, new, "/api/courses").status_code == 200, what="recovery")


def test_without_redis_known_keys_pass_in_grace_and_new_ones_do_not(gateway: Gateway, own_redis: RedisServer) -> None:
    known, new = gateway.api_key("user:read", user_id=61), gateway.api_key("user:read", user_id=62)
    assert call(gateway, known).status_code == 200
    own_redis.stop()
    try:
        eventually(lambda: call(gateway, gateway.api_key("user:read")).status_code == 503, what="refusal of new keys")
        answer = call(gateway, new)
        problem(answer, 503)
        assert answer.headers["retry-after"]
        assert gateway.lookups(new) == 0, "what would be remembered could not be revoked"
        assert call(gateway, known).status_code == 200
    finally:
        own_redis.start()
    gateway.mark_stream()
    eventually(lambda: call(gateway, new).status_code == 200, what="recovery")


def test_no_key_is_logged(gateway: Gateway) -> None:
    key = gateway.api_key("user:read")
    call(gateway, key, f"/api/me?key={key}")
    call(gateway, key, "/api/last-of-the-keys")
    eventually(lambda: "/api/last-of-the-keys" in gateway.log("nginx"), what="the access log")
    for process in ("nginx", "decision", "user"):
        assert key.split("_", 2)[2] not in gateway.log(process)


def test_lookups_are_counted(gateway: Gateway) -> None:
    call(gateway, gateway.api_key("user:read"))
    text = httpx.get(f"http://127.0.0.1:{gateway.metrics_port}/metrics").text
    assert 'gateway_api_key_lookups_total{outcome="known"}' in text
    assert "gateway_known_api_keys" in text
