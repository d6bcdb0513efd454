"""What every answer says of itself: to browsers, to pages of other origins, and how it is packed."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from real_gateway import Gateway, problem, running

from shared.testing.servers import RedisServer

LISTED, UNLISTED = "https://app.example.org", "https://evil.example.org"
SECURITY = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
}
EVERYWHERE = [
    ("GET", "/api/courses", 200),
    ("GET", "/api/courses?status=500", 500),
    ("GET", "/api/me", 401),
    ("GET", "/api/nothing", 404),
    ("DELETE", "/api/courses", 405),
    ("GET", "/api/%6de", 400),
    ("TRACE", "/api/courses", 405),
    ("GET", "/healthz", 200),
    ("GET", "/health", 200),
    ("GET", "/openapi.json", 200),
]


@pytest.fixture(scope="module")
def open_gateway(redis_server: RedisServer) -> Iterator[Gateway]:
    """One that the pages of two origins may use."""
    with running(redis_server.url, {"CORS_ORIGINS": f"http://localhost:5173,{LISTED}"}) as gateway:
        yield gateway


@pytest.fixture
def gateway(every_door: Gateway) -> Gateway:
    """nginx's door: what is tested here is its work, and that of a data plane where one stands in its place."""
    return every_door.behind("nginx")


def ask(gateway: Gateway, method: str, path: str, origin: str | None = None, **headers: str) -> httpx.Response:
    return gateway.client.request(method, path, headers=({"Origin": origin} if origin else {}) | headers)


def preflight(gateway: Gateway, path: str, origin: str, method: str = "POST") -> httpx.Response:
    headers = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization"}
    return ask(gateway, "OPTIONS", path, origin, **headers)


def cors_headers(answer: httpx.Response) -> set[str]:
    return {name for name in answer.headers if name.startswith("access-control-")}


@pytest.mark.parametrize(("method", "path", "status"), EVERYWHERE)
def test_every_answer_carries_each_security_header_once(gateway: Gateway, method: str, path: str, status: int) -> None:
    answer = ask(gateway, method, path)
    assert answer.status_code == status
    assert {name: answer.headers.get_list(name) for name in SECURITY} == {k: [v] for k, v in SECURITY.items()}
    assert len(answer.headers.get_list("x-request-id")) == 1
    assert not cors_headers(answer)


def test_the_documentation_has_a_policy_of_its_own(gateway: Gateway) -> None:
    for path in ("/docs", "/docs/page.js", "/docs/page.css"):
        [policy] = gateway.client.get(path).headers.get_list("content-security-policy")
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';")
        assert gateway.client.get(path).headers["x-frame-options"] == "DENY"


def test_what_a_service_says_itself_is_kept_and_sent_once(gateway: Gateway) -> None:
    answer = gateway.client.get("/api/courses", params={"own-headers": "1"})
    own = {
        "content-security-policy": ["sandbox"],
        "x-frame-options": ["SAMEORIGIN"],
        "referrer-policy": ["origin"],
        "cross-origin-resource-policy": ["cross-origin"],
        "content-disposition": ['attachment; filename="a"'],
    }
    assert {name: answer.headers.get_list(name) for name in own} == own
    assert not cors_headers(answer), "who may read across origins is not for a service to say"


@pytest.mark.parametrize(("method", "path", "status"), EVERYWHERE)
def test_a_listed_origin_may_read_every_answer(open_gateway: Gateway, method: str, path: str, status: int) -> None:
    answer = ask(open_gateway, method, path, LISTED)
    assert answer.status_code == status
    assert answer.headers.get_list("access-control-allow-origin") == [LISTED]
    assert "Origin" in answer.headers.get_list("vary")
    exposed = answer.headers["access-control-expose-headers"].lower().split(", ")
    assert {"ratelimit", "ratelimit-policy", "retry-after", "x-request-id", "location", "etag"} <= set(exposed)
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin", [None, UNLISTED, "null", f"{LISTED}.evil.example", f"{LISTED}:8443", "http://app.example.org"]
)
def test_another_origin_is_told_nothing_and_caches_tell_it_apart(open_gateway: Gateway, origin: str | None) -> None:
    for path in ("/api/courses", "/api/me", "/api/courses?own-headers=1"):
        answer = ask(open_gateway, "GET", path, origin)
        assert not cors_headers(answer)
        assert "Origin" in answer.headers.get_list("vary")


def test_a_preflight_of_a_listed_origin_is_granted_the_methods_of_its_path(open_gateway: Gateway) -> None:
    answer = preflight(open_gateway, "/api/courses", LISTED)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers.get_list("access-control-allow-origin") == [LISTED]
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD, POST"
    allowed = set(answer.headers["access-control-allow-headers"].lower().split(", "))
    assert {"authorization", "content-type", "if-match", "idempotency-key", "x-tone", "x-request-id"} <= allowed
    assert "cookie" not in allowed
    assert int(answer.headers["access-control-max-age"]) > 0
    assert "access-control-allow-credentials" not in answer.headers
    assert preflight(open_gateway, "/api/me", LISTED, "PUT").headers["access-control-allow-methods"] == "GET, HEAD, PUT"
    assert preflight(open_gateway, "/api/notifications/talk", LISTED, "GET").status_code == 204


def test_other_preflights_are_not_granted(open_gateway: Gateway, gateway: Gateway) -> None:
    problem(preflight(open_gateway, "/api/nothing", LISTED), 404)
    problem(preflight(open_gateway, "/api/%6de", LISTED), 400)
    problem(ask(open_gateway, "OPTIONS", "/api/courses", LISTED), 405)
    for answer in (preflight(open_gateway, "/api/courses", UNLISTED), preflight(gateway, "/api/courses", LISTED)):
        problem(answer, 405)
        assert not cors_headers(answer)


def test_asking_in_advance_spends_nothing_of_a_limit(open_gateway: Gateway) -> None:
    assert "ratelimit" not in preflight(open_gateway, "/api/courses", LISTED).headers


@pytest.mark.parametrize("kind", ["application/json", "application/problem+json", "text/plain", "text/calendar"])
def test_text_of_some_length_is_packed(gateway: Gateway, kind: str) -> None:
    asked = {"type": kind, "size": "5000"}
    answer = gateway.client.get("/api/courses", params=asked, headers={"Accept-Encoding": "gzip", "Via": "1.1 proxy"})
    assert answer.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in answer.headers.get_list("vary")
    assert len(answer.json()["filling"]) == 5000
    assert answer.num_bytes_downloaded < 5000
    plain = gateway.client.get("/api/courses", params=asked, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert "Accept-Encoding" in plain.headers.get_list("vary")


@pytest.mark.parametrize(
    "asked", [{"size": "0"}, {"size": "5000", "type": "image/png"}, {"size": "5000", "type": "text/event-stream"}]
)
def test_short_packed_and_streamed_answers_stay_as_they_are(gateway: Gateway, asked: dict[str, str]) -> None:
    answer = gateway.client.get("/api/courses", params=asked, headers={"Accept-Encoding": "gzip", "User-Agent": "a"})
    assert "content-encoding" not in answer.headers


def test_what_a_service_has_encoded_is_not_encoded_again(gateway: Gateway) -> None:
    asked = {"size": "5000", "encoding": "x-own"}
    answer = gateway.client.get("/api/courses", params=asked, headers={"Accept-Encoding": "gzip"})
    assert answer.headers.get_list("content-encoding") == ["x-own"]
