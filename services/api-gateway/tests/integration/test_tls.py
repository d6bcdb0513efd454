"""TLS and HTTP/2 at the gateway itself, with certificates that change while it serves."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from certificates import make_pair, mount, served
from clients import Clients
from real_gateway import Gateway, eventually, problem, running

from shared.testing.processes import free_port, program
from shared.testing.servers import RedisServer


@dataclass
class Secure:
    """A gateway that speaks TLS, and the pair that it began with."""

    gateway: Gateway
    folder: Path
    port: int
    first: Path

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def serves(self, pair: Path) -> bool:
        return served(self.port)[0] == ssl.PEM_cert_to_DER_cert((pair / "tls.crt").read_text())


@pytest.fixture(scope="module")
def secure(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    folder, port = tmp_path_factory.mktemp("tls"), free_port()
    first = make_pair(folder, "first")
    mount(folder / "mounted", certificate=first)
    settings = {
        "GATEWAY_TLS_DIR": str(folder / "mounted"),
        "GATEWAY_TLS_LISTEN": f"127.0.0.1:{port}",
        "GATEWAY_RESOLVE_SECONDS": "0.1",
        "RATE_LIMIT_DEFAULT_PER_MINUTE": "1000000",
    }
    with running(redis_server.url, settings) as gateway:
        yield Secure(gateway, folder, port, first)


def curl(secure: Secure, path: str, *options: str) -> tuple[str, str]:
    """Ask with curl over HTTP/2; return the answer's head and body."""
    command = [
        program("curl", package="curl"),
        "--http2",
        "--silent",
        "--show-error",
        "--dump-header",
        "-",
        "--max-time",
    ]
    command += ["20", "--cacert", str(secure.first / "tls.crt"), *options, secure.url + path]
    done = subprocess.run(command, check=True, capture_output=True)
    head, _, body = done.stdout.decode().partition("\r\n\r\n")
    return head, body


def test_http_2_is_spoken_over_tls_and_the_decision_sees_the_same_request(secure: Secure) -> None:
    token = secure.gateway.token(sub="42")
    head, body = curl(secure, "/api/courses/7?x=%C3%A9", "--header", f"Authorization: Bearer {token}")
    assert head.startswith("HTTP/2 200")
    told = json.loads(body)
    assert (told["target"], told["user_id"]) == ("/api/courses/7?x=%C3%A9", 42)
    assert [value for name, value in told["headers"] if name == "x-forwarded-proto"] == ["https"]
    assert "strict-transport-security: max-age=31536000" in head
    assert "ratelimit-policy:" in head


def test_http_2_carries_bodies_and_refusals(secure: Secure, tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(b"x" * 3_000_000)
    upload = ["--header", f"Authorization: Bearer {secure.gateway.token()}", "--data-binary", f"@{body}"]
    head, answer = curl(secure, "/api/lessons/7/files", *upload)
    assert (head[:10], json.loads(answer)["body_bytes"]) == ("HTTP/2 200", 3_000_000)
    for path, status in (("/api/me", 401), ("/api/nothing", 404), ("/api/%6de", 400)):
        head, answer = curl(secure, path)
        assert head.startswith(f"HTTP/2 {status}")
        assert json.loads(answer)["status"] == status
        assert "strict-transport-security:" in head
    head, answer = curl(secure, "/api/me", "--request", "PUT", *upload)
    assert json.loads(answer)["status"] == 413


def test_http_1_is_still_spoken_beside_it(secure: Secure) -> None:
    assert served(secure.port, trust=secure.first, protocols=["h2", "http/1.1"])[1] == "h2"
    assert served(secure.port, trust=secure.first)[1] == "http/1.1"
    plain = secure.gateway.client.get("/api/courses")
    assert plain.status_code == 200
    assert "strict-transport-security" not in plain.headers


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_before_1_2_is_refused(secure: Secure) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", secure.port), timeout=10) as connection, pytest.raises(ssl.SSLError):
        context.wrap_socket(connection)


def test_plain_http_where_tls_is_spoken_is_a_problem(secure: Secure) -> None:
    problem(httpx.get(f"http://127.0.0.1:{secure.port}/api/courses"), 400)


def test_another_certificate_is_taken_over_without_a_failed_request(secure: Secure) -> None:
    second = make_pair(secure.folder, "second")
    context = ssl.create_default_context(cafile=str(secure.first / "tls.crt"))
    context.load_verify_locations(second / "tls.crt")
    with Clients(secure.port, secure.gateway.bearer(sub="7002"), context) as clients:
        clients.wait_for(more=20)
        mount(secure.folder / "mounted", certificate=second)
        eventually(lambda: secure.serves(second), what="the new certificate")
        clients.wait_for(more=20)
        mount(secure.folder / "mounted", certificate=secure.first)
        eventually(lambda: secure.serves(secure.first), what="the first certificate again")
        clients.wait_for(more=20)
    clients.check(lambda: secure.gateway.log("nginx"))
    kept = [path for path in (secure.gateway.run_dir / "tls").iterdir() if path.suffix == ".key"]
    assert len(kept) <= 2
    assert all(path.stat().st_mode & 0o077 == 0 for path in kept)


def test_a_broken_pair_is_reported_and_the_one_before_goes_on_serving(secure: Secure) -> None:
    third = make_pair(secure.folder, "third")
    mount(secure.folder / "mounted", certificate=third, key=secure.first)
    eventually(lambda: "can't be served with" in secure.gateway.log("nginx"), what="a complaint")
    log = secure.gateway.log("nginx")
    assert f"{secure.folder}/mounted/tls.crt" in log
    assert "key values mismatch" in log
    assert "both as PEM" in log
    assert log.count("can't be served with") == 1, "the same pair is complained of once"
    assert secure.serves(secure.first)
    secure.gateway.reload()  # as when a service has moved meanwhile
    eventually(secure.gateway.answers, what="an answer")
    assert secure.serves(secure.first)
    fourth = make_pair(secure.folder, "fourth")
    mount(secure.folder / "mounted", certificate=fourth)
    eventually(lambda: secure.serves(fourth), what="the repaired certificate")


@pytest.mark.parametrize("missing", ["tls.crt", "tls.key"])
def test_without_a_pair_to_begin_with_nginx_does_not_start(secure: Secure, tmp_path: Path, missing: str) -> None:
    pair = make_pair(tmp_path, "pair")
    (pair / missing).unlink()
    environment = secure.gateway.environment | {"GATEWAY_TLS_DIR": str(pair), "GATEWAY_RUN_DIR": str(tmp_path / "run")}
    command = [sys.executable, "-m", "api_gateway.nginx"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"{pair}/tls.crt can't be served with" in done.stderr
    assert missing in done.stderr
