"""What is the doors' own: what a data plane is answered, and what happens to it when nobody answers."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from real_gateway import DOORS, Gateway, eventually, problem, running
from upstream_parts import BODY_LIMIT

from api_gateway.data_plane.headers import REPLACED
from shared.testing.servers import RedisServer


@pytest.fixture(scope="module")
def doors(redis_server: RedisServer) -> Iterator[Gateway]:
    settings = {"TRUSTED_PROXIES": "127.0.0.0/8, 10.0.0.0/8", "RATE_LIMIT_DEFAULT_PER_MINUTE": "6000"}
    with running(redis_server.url, settings) as gateway:
        yield gateway


@pytest.fixture
def listener(doors: Gateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{doors.decision_port}", timeout=15) as client:
        yield client


def test_an_admission_has_every_header_that_a_data_plane_sets(doors: Gateway, listener: httpx.Client) -> None:
    for bearer in ({}, doors.bearer()):
        answer = listener.get(
            "/forward", headers={"X-Forwarded-Uri": "/api/courses", "X-Forwarded-For": "1.2.3.4"} | bearer
        )
        assert answer.status_code == 200
        assert {name.lower() for name in REPLACED} <= answer.headers.keys()
        assert answer.headers["x-forwarded-for"] == "1.2.3.4"
        assert {"authorization", "cookie"} <= set(answer.headers["x-envoy-auth-headers-to-remove"].split(","))


def test_without_headers_the_requests_own_method_and_path_are_judged(doors: Gateway, listener: httpx.Client) -> None:
    assert listener.get("/forward/api/courses?x=1").status_code == 200
    problem(listener.post("/forward/api/courses"), 401)
    problem(listener.get("/forward/api/nothing"), 404)
    problem(listener.get("/forward"), 400)
    problem(listener.get("/forward/api/files/a%2fb", headers=doors.bearer()), 400)
    assert listener.get("/forward/api/files/a%20b", headers=doors.bearer()).status_code == 200
    told = {"X-Forwarded-Uri": "/api/nothing"}
    problem(listener.get("/forward/api/files/a%20b", headers=told | doors.bearer()), 404)


def test_two_tokens_are_one_too_many(doors: Gateway, listener: httpx.Client) -> None:
    headers = [("X-Forwarded-Uri", "/api/me"), *[("Authorization", f"Bearer {doors.token()}")] * 2]
    assert "more than one" in problem(listener.get("/forward", headers=headers), 400)["detail"]


def test_the_address_that_counts_is_the_last_that_is_no_trusted_proxys(listener: httpx.Client) -> None:
    def counted(forwarded_for: str) -> str:
        answer = listener.get("/forward/api/courses", headers={"X-Forwarded-For": forwarded_for})
        return answer.headers["x-forwarded-for"]

    assert counted("6.6.6.6, 203.0.113.9, 10.1.2.3,127.0.0.1") == "203.0.113.9"
    assert counted("10.0.0.1, 10.0.0.2") == "10.0.0.1"
    assert counted("2001:db8::1") == "2001:db8::1"
    assert counted("x" * 1000) == counted("") == ""


def test_a_trusted_proxy_cannot_hand_on_another_target_method_or_address(doors: Gateway) -> None:
    """Traefik trusts this address what it forwards: a target of a client's choosing must not be among it."""
    forged = {"X-Forwarded-Uri": "/api/courses", "X-Forwarded-Method": "GET", "X-Envoy-External-Address": "6.6.6.6"}
    for door in ("traefik", "envoy"):
        client = doors.behind(door).client
        problem(client.get("/api/me", headers=forged), 401)
        problem(client.post("/api/courses", headers=forged), 401)
        told = client.get("/api/courses/3", headers=forged | {"X-Forwarded-For": "203.0.113.9"}).json()
        assert told["target"] == "/api/courses/3"
        headers = dict(told["headers"])
        assert headers["x-forwarded-for"].split(",")[0] == "203.0.113.9"
        assert not {name.lower() for name in forged} & headers.keys()


@pytest.mark.parametrize("door", DOORS)
def test_an_api_key_is_good_for_the_same_at_every_door(doors: Gateway, door: str) -> None:
    gateway, key = doors.behind(door), doors.api_key("user:read", user_id=42, role="instructor")
    headers = {"Authorization": f"Bearer {key}"}
    told = gateway.client.get("/api/me", headers=headers).json()
    assert (told["user_id"], told["role"], told["session_id"]) == (42, "instructor", doors.session_of(key))
    assert key.split("_", 2)[2] not in str(told)
    problem(gateway.client.put("/api/me", headers=headers), 403)
    problem(gateway.client.get("/api/users", headers=headers), 403)
    problem(gateway.client.post("/api/auth/logout", headers=headers), 403)
    problem(gateway.client.get("/api/me", headers={"Authorization": f"Bearer {key[:-1]}"}), 401)
    problem(gateway.client.get("/api/me", params={"access_token": key, "api_key": key}), 401)
    problem(gateway.client.get("/api/me", headers={"Cookie": f"api_key={key}", "X-API-Key": key}), 401)
    session = doors.session_of(key)
    doors.drop(key)
    doors.revoke(session)
    eventually(
        lambda: gateway.client.get("/api/me", headers=headers).status_code == 401, timeout_seconds=1, what="revocation"
    )


@pytest.mark.parametrize("door", DOORS)
def test_no_door_lets_pages_of_an_origin_in_that_nobody_listed(doors: Gateway, door: str) -> None:
    client, origin = doors.behind(door).client, {"Origin": "https://evil.example.org"}
    answers = [
        client.get("/api/courses", headers=origin),
        client.get("/api/courses", params={"own-headers": "1"}, headers=origin),
        client.get("/api/me", headers=origin),
        client.options("/api/courses", headers=origin | {"Access-Control-Request-Method": "POST"}),
    ]
    assert [answer.status_code for answer in answers[:3]] == [200, 200, 401]
    assert not {name for answer in answers for name in answer.headers if name.startswith("access-control-")}


@pytest.mark.parametrize("door", ["traefik", "envoy"])
def test_no_answer_behind_a_data_plane_is_of_another_kind_than_it_says(doors: Gateway, door: str) -> None:
    """Of the security headers this one is ours there; what a service says itself of its files arrives."""
    client = doors.behind(door).client
    answers = [
        client.get("/api/courses"),
        client.get("/api/courses", params={"status": "500"}),
        client.get("/api/courses", params={"own-headers": "1"}),
        client.get("/api/me"),
        client.get("/api/courses/nothing/else"),
    ]
    assert [answer.status_code for answer in answers] == [200, 500, 200, 401, 404]
    assert [answer.headers.get_list("x-content-type-options") for answer in answers] == [["nosniff"]] * len(answers)
    assert not {"x-powered-by", "x-accel-redirect"} & {name for answer in answers for name in answer.headers}
    own = {"content-security-policy": "sandbox", "content-disposition": 'attachment; filename="a"'}
    assert {name: answers[2].headers.get_list(name) for name in own} == {name: [value] for name, value in own.items()}


@pytest.mark.parametrize("door", ["traefik", "envoy"])
def test_a_head_or_target_that_is_too_large_is_refused_by_a_data_plane(doors: Gateway, door: str) -> None:
    """Each has a limit of its own, a mebibyte at most."""
    gateway, large = doors.behind(door), b"x" * 1_200_000
    for head in (b"GET /api/courses HTTP/1.1\r\nX-Large: " + large, b"GET /api/courses?" + large + b" HTTP/1.1"):
        answer = gateway.raw(head + b"\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert answer.split(b" ", 2)[1] in (b"414", b"431"), answer[:200]
    assert gateway.client.get("/api/courses").status_code == 200


def test_clients_that_are_slow_to_ask_are_given_up_by_envoy_and_hold_up_nobody(doors: Gateway) -> None:
    """Traefik's time-outs are its entry points' own, which nothing of ours configures."""
    gateway = doors.behind("envoy")
    with contextlib.ExitStack() as stack:
        address = ("127.0.0.1", gateway.port)
        slow = [stack.enter_context(socket.create_connection(address, timeout=60)) for _ in range(30)]
        for connection in slow:
            connection.sendall(b"GET /api/courses HTTP/1.1\r\nHost: a\r\n")
        assert gateway.client.get("/api/courses").status_code == 200
        answers = [connection.recv(65536) for connection in slow]
    assert {answer.split(b"\r\n", 1)[0] for answer in answers} == {b"HTTP/1.1 408 Request Timeout"}


@pytest.mark.parametrize("door", ["traefik", "envoy"])
def test_a_body_over_a_services_own_limit_is_413_behind_a_data_plane(doors: Gateway, door: str) -> None:
    """nginx has a limit of its own before that."""
    client, path, headers = doors.behind(door).client, "/api/lessons/7/files", doors.bearer()
    assert client.post(path, content=b"x" * BODY_LIMIT, headers=headers).json()["body_bytes"] == BODY_LIMIT
    assert client.post(path, content=b"x" * (BODY_LIMIT + 1), headers=headers).status_code == 413
    undeclared = (b"x" * 1_000_000 for _ in range(BODY_LIMIT // 1_000_000 + 1))
    assert client.post(path, content=undeclared, headers=headers).status_code == 413


@pytest.mark.parametrize("door", DOORS)
def test_the_decision_and_the_service_read_any_target_alike(doors: Gateway, door: str) -> None:
    """The service refuses what was signed for another target than it gets: through no door does that happen."""
    gateway, token = doors.behind(door), doors.token()

    @settings(max_examples=150, deadline=None, derandomize=True, database=None)
    @given(st.text(alphabet="/.%25efF61;\\?&=ab~!'[]|+", max_size=12))
    def check(rest: str) -> None:
        head = (
            f"GET /api/files/{rest} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        )
        answer = gateway.raw(head.encode("ascii"))
        assert answer.split(b" ", 2)[1] in (b"200", b"400", b"404"), answer
        assert b"identity-not-verified" not in answer

    check()


def test_the_socket_has_no_second_door(redis_server: RedisServer) -> None:
    gateway = Gateway(redis_server.url)
    try:
        gateway.mark_stream()
        gateway.start_decision()
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(gateway.socket)), base_url="http://decision") as client:

            def is_serving() -> bool:
                with contextlib.suppress(httpx.ConnectError):  # the socket's file is there before anybody listens
                    return client.get("/health").status_code in (200, 503)
                return False

            eventually(is_serving, timeout_seconds=60, what="the decision to answer on its socket")
            assert client.get("/forward/api/courses").status_code == 404
    finally:
        gateway.close()


def test_without_a_decision_nothing_passes_at_any_door(doors: Gateway) -> None:
    """Last of all: it ends the decision. Traefik says 500 where the others say 503, and neither has a word for it."""
    doors.stop("decision")
    try:
        found = {door: doors.behind(door) for door in DOORS}
        for door, status in {"nginx": 503, "traefik": 500, "envoy": 503}.items():
            for headers in ({}, doors.bearer()):
                assert found[door].client.get("/api/courses", headers=headers).status_code == status
    finally:
        doors.start_decision()
    eventually(
        lambda: all(doors.behind(door).client.get("/api/courses").status_code == 200 for door in DOORS), what="recovery"
    )
