"""What travels: targets, bodies, and requests that no client library would send, through each door."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from pathlib import Path

import pytest
from real_gateway import UPLOAD_LIMIT, Gateway, only_nginx, problem

from api_gateway.target import is_canonical

HEADER_SECONDS = 10
"""How long nginx waits for a request's head."""


def status_of(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 "), answer[:200]
    return int(answer.split(b" ", 2)[1])


def ask(gateway: Gateway, target: str, *lines: str) -> tuple[int, bytes]:
    head = "\r\n".join([f"GET {target} HTTP/1.1", "Host: smartcourse", "Connection: close", *lines])
    answer = gateway.raw(head.encode("latin-1") + b"\r\n\r\n")
    return status_of(answer), answer.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(
    "target",
    [
        "/api/courses?q=a%20b&x=1",
        "/api/courses?q=%2e%2e%2f&redirect=//x/../y",
        "/api/courses?",
        "/api/courses?a?b",
        "/api/courses/17?x=%C3%A9",
        "/api/courses?x[]=1",
        "/api/courses?q='a'|b",
    ],
)
def test_the_signature_covers_the_bytes_that_the_service_gets(gateway: Gateway, target: str) -> None:
    status, body = ask(gateway, target)
    assert status == 200
    assert json.loads(body)["target"].rstrip("?") == target.rstrip("?")


def test_a_semicolon_in_a_query_is_read_alike_by_all(gateway: Gateway) -> None:
    """Traefik writes `&` in its place, before anything is asked."""
    status, body = ask(gateway, "/api/courses?a=1;b=2")
    expected = "/api/courses?a=1&b=2" if gateway.door == "traefik" else "/api/courses?a=1;b=2"
    assert (status, json.loads(body)["target"]) == (200, expected)


@pytest.mark.parametrize("part", ["a", "%C3%A9", "[a]", "a%20"])
def test_a_long_target_is_judged_like_a_short_one_and_is_in_no_log(gateway: Gateway, part: str) -> None:
    target = "/api/courses?secret=" + part * (6000 // len(part))
    status, body = ask(gateway, target)
    assert (status, json.loads(body).get("target")) == (200, target)
    assert ask(gateway, f"{target}#")[0] == 400
    assert "secret=" not in gateway.log("nginx")


@pytest.mark.parametrize("name", ["a", "%C3%A9t%C3%A9", "a%20b", "a:b@c", "~x!$&'()*+,=", "%3F%25".replace("%25", "")])
def test_escapes_in_a_path_arrive_as_they_were_sent(gateway: Gateway, name: str) -> None:
    token = gateway.token()
    status, body = ask(gateway, f"/api/files/{name}", f"Authorization: Bearer {token}")
    assert (status, json.loads(body)["target"]) == (200, f"/api/files/{name}")


def test_the_absolute_form_is_judged_by_its_path(gateway: Gateway) -> None:
    status, body = ask(gateway, "http://elsewhere/api/courses?x=1")
    assert (status, json.loads(body)["target"]) == (200, "/api/courses?x=1")
    assert ask(gateway, "http://elsewhere/api/me")[0] == 401


@pytest.mark.parametrize(
    "target",
    [
        "/api/courses/../me",
        "/api/courses/..",
        "/api/./me",
        "/api/courses/%2e%2e/me",
        "/api/courses/%2E%2E/me",
        "/api/courses/%252e%252e/me",
        "//api/me",
        "/api//me",
        "/api/me//",
        "/api/courses%2fme",
        "/api/courses%2F..%2Fme",
        "/api/courses/%5c..%5cme",
        "/api/courses\\..\\me",
        "/api/courses;/me",
        "/api/me;x=1",
        "/api/me%3b",
        "/api/me%00",
        "/api/courses%0d%0aX-User-ID:1",
        "/%61pi/me",
        "/api/%6de",
        "/api/files/a%7Eb",
        "/api/courses?x=%00",
        "/api/courses?x=%zz",
        "/api/caf\xe9",
        "/api/courses#me",
        "/api/courses?a<b",
        '/api/courses?a"b',
        "/api/courses?q={x}",
        "/_problem/400/%2e",
        "/api/courses%20/_problem/400",
        "*",
        "api/me",
    ],
)
def test_a_target_that_two_readers_could_read_differently_is_400(gateway: Gateway, target: str) -> None:
    """Or, at a door that cleans a target before anything is asked, it is the clean one that is judged and arrives."""
    status, body = ask(gateway, target, f"Authorization: Bearer {gateway.token(role='admin')}")
    if gateway.door != "nginx":
        assert status in (400, 404) or (status == 200 and is_canonical(json.loads(body)["target"]))
        return
    assert status in (400, 404) if target in ("/api/me%3b", "/api/courses%20/_problem/400") else status == 400
    document = json.loads(body)
    assert {"type", "title", "status", "detail", "instance", "trace_id"} <= document.keys()


@pytest.mark.parametrize("path", ["/api/courses/", "/API/courses", "/api/Courses", "/docs/", "/health/", "/api/me/"])
def test_a_path_that_only_resembles_a_route_is_404(gateway: Gateway, path: str) -> None:
    assert ask(gateway, path)[0] in (400, 404)


BROKEN = [
    b"GET /api/me HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET /api/me HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\nAuthorization: Bearer y\r\n\r\n",
    b"GET /api/me HTTP/1.1\r\nHost: a\r\nX-User-ID : 1\r\n\r\n",
    b"GET /api/me HTTP/1.1\r\nHost: a\r\n X-User-ID: 1\r\n\r\n",
    b"GET /api/me HTTP/1.1\r\n\r\n",
    b"POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    b"nonsense\r\n\r\n",
]
BOTH_LENGTHS = (
    b"POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
)
HIDDEN = b"GET /api/users HTTP/1.1\r\nHost: a\r\n\r\n"
DISGUISED = [
    b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: identity, chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
]
TOO_LONG = [
    b"GET /api/me HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 9000 + b"\r\n\r\n",
    b"GET /api/me?" + b"y" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
]


@pytest.mark.parametrize("request_", BROKEN)
def test_requests_that_break_the_protocol_are_refused(gateway: Gateway, request_: bytes) -> None:
    answer = gateway.raw(request_, timeout_seconds=2)
    if gateway.door == "traefik" and request_.startswith(b"nonsense"):
        assert answer == b"", "it hangs up"
        return
    assert status_of(answer) in (400, 401), answer[:300]
    assert answer.count(b"HTTP/1.1 ") == 1


@only_nginx
@pytest.mark.parametrize("request_", [*BROKEN, BOTH_LENGTHS, *TOO_LONG])
def test_nginx_refuses_what_breaks_the_protocol_with_problems(gateway: Gateway, request_: bytes) -> None:
    answer = gateway.raw(request_, timeout_seconds=2)
    assert status_of(answer) in (400, 414, 431), answer[:300]
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    assert json.loads(body)["status"] == status_of(answer)
    assert head.lower().count(b"server:") == 1
    assert b"nginx/" not in head


def test_two_ways_to_tell_a_bodys_length_are_refused_or_read_in_one_way_by_all(gateway: Gateway) -> None:
    """RFC 9112, 6.3: chunks go before Content-Length. Traefik takes it at that and sends one length on."""
    answer = gateway.raw(BOTH_LENGTHS + HIDDEN, timeout_seconds=2)
    if gateway.door == "traefik":
        first, second = answer.split(b"HTTP/1.1 ")[1:]
        assert (first[:3], second[:3]) == (b"200", b"401"), answer
        assert json.loads(first.partition(b"\r\n\r\n")[2])["body_bytes"] == 0
    else:
        assert status_of(answer) == 400
        assert answer.count(b"HTTP/1.1 ") == 1


def test_a_request_that_is_hidden_in_a_chunk_is_refused_or_stays_a_body(gateway: Gateway) -> None:
    """Who goes by Content-Length takes the chunk's size for the body, and the chunk for the next request."""
    chunk = b"%x\r\n" % len(HIDDEN)
    head = b"POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = gateway.raw(head % len(chunk) + chunk + HIDDEN + b"\r\n0\r\n\r\n", timeout_seconds=2)
    assert answer.count(b"HTTP/1.1 ") == 1
    if gateway.door == "traefik":
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["body_bytes"] == len(HIDDEN)
    else:
        assert status_of(answer) == 400


@pytest.mark.parametrize("line", DISGUISED)
def test_a_transfer_encoding_in_disguise_is_refused(gateway: Gateway, line: bytes) -> None:
    head = b"POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n%s\r\n\r\n"
    chunks = b"0\r\n\r\n"
    answer = gateway.raw(head % (len(chunks + HIDDEN), line) + chunks + HIDDEN, timeout_seconds=2)
    assert status_of(answer) in ((400,) if gateway.door == "nginx" else (400, 501))
    assert gateway.door != "nginx" or b"application/problem+json" in answer.partition(b"\r\n\r\n")[0]
    assert answer.count(b"HTTP/1.1 ") == 1


ASKED = b"POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n"
LINE_FEEDS = {
    "lines that end in a line feed": ASKED.replace(b"\r", b"") + b"\n",
    "a header's line feed": ASKED + b"X-A: b\nX-User-ID: 1\r\n\r\n",
    "a carriage return": ASKED + b"X-A: b\rX-User-ID: 1\r\n\r\n",
}


@pytest.mark.parametrize("what", LINE_FEEDS)
def test_a_line_that_ends_otherwise_is_refused_or_one_request_of_nobodys(gateway: Gateway, what: str) -> None:
    answer = gateway.raw(LINE_FEEDS[what], timeout_seconds=2)
    assert answer.count(b"HTTP/1.1 ") == 1
    if status_of(answer) == 200:
        told = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert (told["target"], told["user_id"], told["role"]) == ("/api/auth/login", None, "anonymous")
    else:
        assert status_of(answer) == 400


EXTENSIONS = [b";a=b", b";a\nb", b";\n", b";a\rb", b";a\x00b", b' ; a="\r\n"', b"\n", b"\x0b"]


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_what_stands_beside_a_chunks_size_does_not_end_the_body_elsewhere(gateway: Gateway, extension: bytes) -> None:
    """Who takes a line feed there for the line's end reads other chunks than who does not. Traefik refuses with 500."""
    hidden = b"0\r\n\r\n" + HIDDEN
    head = b"POST /api/auth/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = gateway.raw(
        head + b"2%s\r\nxx\r\n%x\r\n%s\r\n0\r\n\r\n" % (extension, len(hidden), hidden), timeout_seconds=2
    )
    first = answer.split(b"HTTP/1.1 ")[1]
    assert first[:3] in (b"200", b"500" if gateway.door == "traefik" else b"400"), answer
    if first.startswith(b"200"):
        assert answer.count(b"HTTP/1.1 ") == 1
        assert json.loads(first.partition(b"\r\n\r\n")[2])["body_bytes"] == 2 + len(hidden)
    for number in range(5):  # whatever else had been sent to a service would be answered now
        path = f"/api/courses?after={number}"
        assert gateway.client.get(path).json()["target"] == path


def is_ended(connection: socket.socket) -> bool:
    """Wait for the end; nothing may come before it."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@only_nginx
def test_clients_that_are_slow_to_ask_are_given_up_and_hold_up_nobody(gateway: Gateway) -> None:
    beginnings = (b"GET /api/courses HTTP/1.1\r\nHost: a\r\n", b"GET /api/cou", b"")
    slow = [socket.create_connection(("127.0.0.1", gateway.port), timeout=HEADER_SECONDS + 5) for _ in range(60)]
    try:
        started = time.monotonic()
        for number, connection in enumerate(slow):
            connection.sendall(beginnings[number % 3])
        assert gateway.client.get("/api/courses").status_code == 200
        assert time.monotonic() - started < 2
        assert all(map(is_ended, slow))
        assert HEADER_SECONDS - 2 < time.monotonic() - started < HEADER_SECONDS + 3
    finally:
        for connection in slow:
            connection.close()


def test_http_0_9_is_not_answered(gateway: Gateway) -> None:
    answer = gateway.raw(b"GET /api/courses\r\n", timeout_seconds=1)
    assert answer == b"" or status_of(answer) >= 400


def test_bodies_arrive_whole(gateway: Gateway) -> None:
    limit = 1_048_576
    headers = gateway.bearer()
    assert gateway.client.put("/api/me", content=b"x" * limit, headers=headers).json()["body_bytes"] == limit
    chunks = (b"x" * 1000 for _ in range(700))
    assert gateway.client.put("/api/me", content=chunks, headers=headers).json()["body_bytes"] == 700_000
    path = "/api/lessons/7/files?x=1"
    answer = gateway.client.post(path, content=b"x" * UPLOAD_LIMIT, headers=headers).json()
    assert (answer["body_bytes"], answer["target"], answer["user_id"]) == (UPLOAD_LIMIT, path, 7)
    assert problem(gateway.client.post(path, content=b"x" * 2_000_000), 401)


@only_nginx
def test_a_route_may_take_larger_bodies_than_the_others_and_too_large_ones_are_413(gateway: Gateway) -> None:
    headers, path = gateway.bearer(), "/api/lessons/7/files?x=1"
    chunks = (b"x" * 10_000 for _ in range(500))
    assert gateway.client.post(path, content=chunks, headers=headers).json()["body_bytes"] == 5_000_000
    refused = problem(gateway.client.post(path, content=b"x" * (UPLOAD_LIMIT + 1), headers=headers), 413)
    assert refused["detail"] == f"The body is larger than {UPLOAD_LIMIT} bytes."
    slow = gateway.client.post(f"{path}&slow", content=b"x" * 2_000_000, headers=headers)
    assert problem(slow, 504)
    other = problem(gateway.client.put("/api/me", content=b"x" * 1_048_577, headers=headers), 413)
    assert other["detail"] == "The body is larger than 1048576 bytes."


def is_open_below(folder: Path) -> bool:
    """Whether a process has a file open there; nginx removes the name of one as soon as it is open."""
    links = Path("/proc").glob("[0-9]*/fd/*")
    return any(_target(link).startswith(f"{folder}/") for link in links)


def _target(link: Path) -> str:
    with contextlib.suppress(OSError):  # closed meanwhile
        return str(link.readlink())
    return ""


@only_nginx
@pytest.mark.parametrize(("target", "is_collected"), [("PUT /api/me", True), ("POST /api/lessons/7/files", False)])
def test_a_large_upload_is_not_collected_on_disk(gateway: Gateway, target: str, is_collected: bool) -> None:
    head = f"{target} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\nAuthorization: Bearer {gateway.token()}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection:
        connection.sendall(head.encode() + b"x" * 900_000)
        time.sleep(1)
        assert is_open_below(gateway.run_dir / "body") is is_collected
        connection.sendall(b"x" * 100_000)
        assert b" 200 " in connection.recv(65536)


@only_nginx
def test_what_a_service_answers_before_it_has_read_a_body_is_not_lost(gateway: Gateway) -> None:
    headers, path = gateway.bearer(), "/api/lessons/7/files?early=1"
    for size in (100_000, 1_000_000, 10_000_000) * 10:
        assert gateway.client.post(path, content=b"x" * size, headers=headers).status_code == 200


def test_a_refused_upload_is_answered_before_its_body(gateway: Gateway) -> None:
    request = b"PUT /api/me HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\nExpect: 100-continue\r\n\r\n"
    assert b"HTTP/1.1 401 " in gateway.raw(request, timeout_seconds=1)


def test_a_denied_body_does_not_become_the_next_request(gateway: Gateway) -> None:
    smuggled = b"GET /api/courses HTTP/1.1\r\nHost: a\r\n\r\n"
    head = b"PUT /api/me HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(smuggled)
    answer = gateway.raw(head + smuggled, timeout_seconds=2)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert status_of(answer) == 401


def test_the_documentation_is_served_without_other_hosts(gateway: Gateway) -> None:
    page = gateway.client.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "http://" not in page.text
    assert "https://" not in page.text
    for path, kind in (("/docs/page.js", "text/javascript"), ("/docs/page.css", "text/css")):
        assert path in page.text
        assert gateway.client.get(path).headers["content-type"].startswith(kind)
    problem(gateway.client.post("/docs"), 405)


def test_the_merged_description_is_served(gateway: Gateway) -> None:
    answer = gateway.client.get("/openapi.json")
    assert answer.headers["content-type"].startswith("application/json")
    assert {"/api/me", "/api/courses", "/api/notifications"} <= answer.json()["paths"].keys()


@only_nginx
@pytest.mark.parametrize("path", ["/api/me", "/api/courses", "/api/notifications/digest", "/api/auth/login"])
def test_limits_are_as_the_description_tells_them(gateway: Gateway, path: str) -> None:
    [(method, operation), *_] = gateway.client.get("/openapi.json").json()["paths"][path].items()
    told = [
        f'"{each["policy"]}";q={each["limit"]};w={each["windowSeconds"]}' for each in operation["x-smartcourse-rate"]
    ]
    is_known, is_open = operation["x-smartcourse-access"]["allow"] != ["public"], method == "get"
    asking = [gateway.bearer()] * (is_known or is_open) + [{}] * (not is_known)
    answers = [gateway.client.request(method, path, headers=headers) for headers in asking]
    assert [answer.headers["ratelimit-policy"] for answer in answers] == told


def test_health_names_every_service_and_how_well_revocations_are_known(gateway: Gateway) -> None:
    told = gateway.client.get("/health").json()
    assert told.pop("revocations") == {"status": "current", "age_seconds": pytest.approx(1, abs=1)}
    assert told == {
        "status": "up",
        "gateway": "up",
        "services": {"user": "up", "course": "up", "notification": "up"},
        "maintenance": False,
    }
    assert gateway.client.get("/healthz").status_code == 200
    problem(gateway.client.post("/health"), 405)
