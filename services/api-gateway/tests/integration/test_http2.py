"""HTTP/2 that means to become two requests of HTTP/1.1, or somebody else's: refused, or all read it alike."""

from __future__ import annotations

import json
import secrets
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from certificates import make_pair, mount
from frames import Answer, Field, exchange
from real_gateway import DOORS, Gateway, running

from shared.testing.processes import free_port
from shared.testing.servers import RedisServer

HIDDEN = b"GET /api/users HTTP/1.1\r\nHost: a\r\n\r\n"
NEVER_REACHED = "100000000"
IDENTITY = [(b"x-user-id", b"1"), (b"x-user-role", b"admin"), (b"x-session-id", b"s"), (b"x-gateway-time", b"1"),
            (b"x-gateway-signature", b"00")]  # fmt: skip


@dataclass(frozen=True)
class Request:
    """One of HTTP/2: of the usual pseudo-header fields `pseudo` says what is different."""

    fields: list[Field] = field(default_factory=list)
    data: bytes = b""
    trailers: list[Field] = field(default_factory=list)
    pseudo: dict[bytes, bytes] = field(default_factory=dict)
    before: list[Field] = field(default_factory=list)
    """Ahead of the pseudo-header fields, where RFC 9113 allows none."""

    @property
    def method(self) -> bytes:
        return self.pseudo.get(b":method", b"POST")

    @property
    def target(self) -> bytes:
        return self.pseudo.get(b":path", b"/api/auth/login")

    def lines(self, scheme: bytes) -> list[Field]:
        usual = {b":method": self.method, b":scheme": scheme, b":authority": b"smartcourse", b":path": self.target}
        return [*self.before, *(usual | self.pseudo).items(), *self.fields]


def lengths(*values: bytes) -> Request:
    return Request([(b"content-length", value) for value in values], HIDDEN)


def get(target: bytes, *fields: Field, **pseudo: bytes) -> Request:
    named = {f":{name}".encode(): value for name, value in pseudo.items()}
    return Request([*fields], pseudo={b":method": b"GET", b":path": target} | named)


SIZE = b"%d" % len(HIDDEN)
CHUNKED = b"0\r\n\r\n" + HIDDEN
REQUESTS = {
    # H2.CL
    "length of nothing": lengths(b"0"),
    "length too short": lengths(b"5"),
    "length too long": lengths(b"1000"),
    "two lengths": lengths(b"0", SIZE),
    "two lengths, the right one first": lengths(SIZE, b"0"),
    "a list of lengths": lengths(b"0, " + SIZE),
    "a signed length": lengths(b"+" + SIZE),
    "a negative length": lengths(b"-1"),
    "a length of 65 bits": lengths(b"18446744073709551616"),
    "a length in a trailer": Request(data=HIDDEN, trailers=[(b"content-length", b"0")]),
    # H2.TE
    "chunks": Request([(b"transfer-encoding", b"chunked")], CHUNKED),
    "chunks and a length": Request([(b"transfer-encoding", b"chunked"), (b"content-length", b"0")], CHUNKED),
    "chunks after a tab": Request([(b"transfer-encoding", b"\tchunked")], CHUNKED),
    "chunks by another name": Request([(b"transfer_encoding", b"chunked")], CHUNKED),
    "chunks on a line of their own": Request([(b"x-a", b"b\r\ntransfer-encoding: chunked")], CHUNKED),
    "chunks in a name": Request([(b"x-a: b\r\ntransfer-encoding", b"chunked")], CHUNKED),
    "chunks in a trailer": Request(data=CHUNKED, trailers=[(b"transfer-encoding", b"chunked")]),
    "te": Request([(b"te", b"trailers, chunked")], CHUNKED),
    "connection": Request([(b"connection", b"content-length"), (b"content-length", SIZE)], HIDDEN),
    "upgrade": Request([(b"connection", b"upgrade"), (b"upgrade", b"websocket")], HIDDEN),
    # a request within a request
    "a request in the path": get(b"/api/courses HTTP/1.1\r\nHost: a\r\n\r\nGET /api/users"),
    "a version in the path": get(b"/api/courses HTTP/1.1"),
    "a line feed in the path": get(b"/api/courses\nx-user-id: 1"),
    "a path without a slash": get(b"api/users"),
    "an absolute path": get(b"http://a/api/users"),
    "a path of two": get(b"/api/courses", (b":path", b"/api/users")),
    "a request in the method": Request(
        pseudo={b":method": b"GET /api/users HTTP/1.1\r\nHost: a\r\n\r\nGET", b":path": b"/api/courses"}
    ),
    "a target in the method": Request(pseudo={b":method": b"GET /api/users", b":path": b"/api/courses"}),
    "two methods": get(b"/api/courses", (b":method", b"DELETE")),
    "a target in the scheme": get(b"/api/courses", scheme=b"http://a/api/users?"),
    "a target in the authority": get(b"/api/courses", authority=b"a/api/users?"),
    "a request in the authority": get(b"/api/courses", authority=b"a\r\n\r\nGET /api/users HTTP/1.1\r\nHost: a"),
    "another host": get(b"/api/courses", (b"host", b"elsewhere")),
    "pseudo-headers of one's own": get(b"/api/courses", (b":x-user-id", b"1")),
    "headers before pseudo-headers": Request(before=[(b"x-a", b"1")], data=b"x"),
    "a path in a trailer": Request(data=b"x", trailers=[(b":path", b"/api/users")]),
    # somebody else
    "identity": get(b"/api/courses", *IDENTITY),
    "identity in capitals": get(b"/api/courses", (b"X-User-ID", b"1")),
    "identity by other names": get(b"/api/courses", (b"x_user_id", b"1"), (b"x.user.role", b"admin")),
    "identity on a line of its own": get(b"/api/courses", (b"x-a", b"b\r\nx-user-id: 1")),
    "identity after a line feed": get(b"/api/courses", (b"x-a", b"b\nx-user-id: 1")),
    "identity after a NUL": get(b"/api/courses", (b"x-a\0x-user-id", b"1")),
    "identity before a space": get(b"/api/courses", (b"x-user-id ", b"1")),
    "identity in trailers": Request(data=b"x", trailers=IDENTITY),
    "identity in announced trailers": Request([(b"trailer", b"x-user-id")], b"x", IDENTITY),
    "identity instead of the connection's": get(b"/api/courses", (b"connection", b"x-user-id, x-gateway-signature")),
}


@dataclass(frozen=True)
class Door:
    """Where HTTP/2 is spoken: by nginx over TLS, by the others in the clear as well."""

    gateway: Gateway
    port: int
    tls: ssl.SSLContext | None

    def send(self, request: Request) -> Answer:
        lines = request.lines(b"https" if self.tls else b"http")
        return exchange(self.port, lines, request.data, request.trailers, tls=self.tls)


@pytest.fixture(scope="module")
def tls_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pair(tmp_path_factory.mktemp("http2"), "pair")


@pytest.fixture(scope="module")
def doors(redis_server: RedisServer, tls_port: int, certificate: Path) -> Iterator[Gateway]:
    mount(certificate.parent / "mounted", certificate=certificate)
    settings = {
        "GATEWAY_TLS_DIR": str(certificate.parent / "mounted"),
        "GATEWAY_TLS_LISTEN": f"127.0.0.1:{tls_port}",
        "TRUSTED_PROXIES": "127.0.0.0/8",
    } | {f"RATE_LIMIT_{name}_PER_MINUTE": NEVER_REACHED for name in ("DEFAULT", "PUBLIC", "LOGIN")}
    with running(redis_server.url, settings) as gateway:
        yield gateway


@pytest.fixture(scope="module", params=DOORS)
def door(doors: Gateway, tls_port: int, certificate: Path, request: pytest.FixtureRequest) -> Door:
    gateway = doors.behind(request.param)
    if gateway.door != "nginx":
        return Door(gateway, gateway.port, None)
    context = ssl.create_default_context(cafile=str(certificate / "tls.crt"))
    context.set_alpn_protocols(["h2"])
    return Door(gateway, tls_port, context)


def test_requests_as_they_should_be_are_served(door: Door) -> None:
    """Else all that follows would prove nothing."""
    for request in (Request(data=b"x" * 500), get(b"/api/courses?x=%C3%A9"), lengths(SIZE)):
        answer = door.send(request)
        told = json.loads(answer.body)
        assert answer.status == 200
        assert (told["target"], told["body_bytes"]) == (request.target.decode(), len(request.data))
    assert door.send(get(b"/api/me")).status == 401


@pytest.mark.parametrize("what", REQUESTS)
def test_no_frames_become_another_request_or_somebody_else(door: Door, what: str) -> None:
    request = REQUESTS[what]
    answer = door.send(request)
    if answer.status is not None and answer.status < 400:
        told = json.loads(answer.body)
        assert (told["method"], told["target"]) == (request.method.decode(), request.target.decode())
        assert (told["user_id"], told["role"], told["session_id"]) == (None, "anonymous", None)
        assert told["body_bytes"] == len(request.data), "the service reads the body as it was sent"
        names = [name for name, _ in told["headers"]]
        assert all(names.count(name.decode()) <= 1 for name, _ in IDENTITY)
        assert all(name.replace("-", "").isalnum() for name in names), "no name that could be read as another"
    assert b"identity-not-verified" not in answer.body, "a service got something else than what was signed"
    for _ in range(5):  # whatever else had been sent to a service would be answered now
        path = f"/api/courses?after={secrets.token_hex(8)}"
        assert door.gateway.client.get(path).json()["target"] == path
