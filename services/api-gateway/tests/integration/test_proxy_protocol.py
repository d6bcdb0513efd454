"""The client's address as a balancer of connections tells it."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
import struct
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from real_gateway import Gateway, running

from shared.testing.processes import free_port
from shared.testing.servers import RedisServer

BALANCER, STRANGER = "127.0.0.2", "127.0.0.3"
CLIENT = "203.0.113.9"
REQUEST = b"GET /api/courses HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n"
REQUEST += b"Connection: close\r\n\r\n"


@pytest.fixture(scope="module")
def gateway(redis_server: RedisServer) -> Iterator[Gateway]:
    probes = free_port()
    settings = {
        "GATEWAY_PROXY_PROTOCOL": "true",
        "TRUSTED_PROXIES": f"{BALANCER}/32",
        "GATEWAY_PROBE_LISTEN": f"127.0.0.1:{probes}",
    }
    with running(redis_server.url, settings, probe_url=f"http://127.0.0.1:{probes}") as gateway:
        yield gateway


def version_1(address: str) -> bytes:
    family = "TCP6" if ":" in address else "TCP4"
    return f"PROXY {family} {address} {'::1' if ':' in address else '127.0.0.1'} 56324 443\r\n".encode()


def version_2(address: str) -> bytes:
    """The binary header: signature, version and command, family, length, addresses, ports."""
    source = ipaddress.ip_address(address)
    target = ipaddress.ip_address("::1" if source.version == 6 else "127.0.0.1")
    body = source.packed + target.packed + struct.pack("!HH", 56324, 443)
    family = 0x21 if source.version == 6 else 0x11
    return b"\r\n\r\n\x00\r\nQUIT\n" + struct.pack("!BBH", 0x21, family, len(body)) + body


def send(gateway: Gateway, content: bytes, *, sender: str) -> bytes:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10, source_address=(sender, 0)) as connection:
        connection.sendall(content)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(65536):
                answer += part
        return answer


def told(gateway: Gateway, content: bytes, *, sender: str) -> dict[str, Any]:
    answer = send(gateway, content, sender=sender)
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    return dict(json.loads(answer.partition(b"\r\n\r\n")[2])["headers"])


@pytest.mark.parametrize("address", [CLIENT, "2001:db8::9"])
@pytest.mark.parametrize("header", [version_1, version_2])
def test_the_balancers_word_is_the_clients_address(gateway: Gateway, header: Any, address: str) -> None:
    headers = told(gateway, header(address) + REQUEST, sender=BALANCER)
    assert headers["x-forwarded-for"] == address
    assert headers["x-forwarded-proto"] == "http", "what the client wrote comes through such a balancer untouched"


@pytest.mark.parametrize("header", [version_1, version_2])
def test_anybody_elses_word_is_not_believed(gateway: Gateway, header: Any) -> None:
    assert told(gateway, header(CLIENT) + REQUEST, sender=STRANGER)["x-forwarded-for"] == STRANGER


@pytest.mark.parametrize("sender", [BALANCER, STRANGER])
def test_a_connection_without_the_header_is_not_answered(gateway: Gateway, sender: str) -> None:
    assert send(gateway, REQUEST, sender=sender) == b""


def test_probes_are_answered_on_a_listener_of_their_own_and_nothing_else_is(gateway: Gateway) -> None:
    assert httpx.get(f"{gateway.probe_url}/healthz").json() == {"status": "up"}
    health = httpx.get(f"{gateway.probe_url}/health")
    assert (health.status_code, health.json()["status"]) == (200, "up")
    for path in ("/api/courses", "/openapi.json", "/docs", "/decide", "/health/x"):
        assert httpx.get(f"{gateway.probe_url}{path}").status_code == 404
