"""The whole stack in the servers that run it: Granian in images, uvicorn in a developer's shell."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shared.identity import Role
from shared.testing.identity import GatewayAuth
from shared.testing.processes import Process, free_port

KEY = "identity-key-" + "x" * 32
APP = """
from fastapi import APIRouter, Request
from shared.access import access
from shared.app import create_app
from shared.config.settings import ServiceSettings, load
from shared.database import CurrentDatabase, Database
from shared.identity import CurrentIdentity

router = APIRouter(prefix="/api")

@router.get("/whoami/{rest:path}", openapi_extra=access("public"))
async def whoami(identity: CurrentIdentity) -> str:
    return identity.role

@router.post("/size", openapi_extra=access("public"))
async def size(request: Request, database: CurrentDatabase) -> int:
    return len(await request.body())

class Settings(ServiceSettings):
    service_name: str = "example-service"

import os
app = create_app(load(Settings), title="Example", routers=[router], database=Database(os.environ["DATABASE_URL"]))
"""
COMMANDS = {
    "granian": ["--interface", "asgi", "--host", "127.0.0.1", "--workers", "1", "--no-access-log"],
    "uvicorn": ["--host", "127.0.0.1", "--no-access-log"],
}


def is_up(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health/ready").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module", params=COMMANDS)
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres_server
) -> Iterator[tuple[Process, int, int, Path]]:
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "example_main.py").write_text(APP)
    port, metrics_port = free_port(), free_port()
    environment = os.environ | {
        "GATEWAY_IDENTITY_KEY": KEY,
        "DATABASE_URL": postgres_server.url("user"),
        "METRICS_PORT": str(metrics_port),
        "PYTHONPATH": str(folder),
    }
    program = str(Path(sys.executable).parent / request.param)
    command = [program, *COMMANDS[request.param], "--port", str(port), "example_main:app"]
    process = Process(command, log=folder / "log", environment=environment)
    process.wait_until(lambda: is_up(port))
    yield process, port, metrics_port, folder / "log"
    process.stop()


@pytest.fixture
def url(service) -> str:
    return f"http://127.0.0.1:{service[1]}"


@pytest.mark.parametrize(
    "target",
    [
        "/api/whoami/a%20b",
        "/api/whoami/%41%2F?q=%C3%A4+%20&q=/?:@",
        "/api/whoami/x?",
        "/api/whoami/x?a=1?b",
        "/api/whoami/a//b/./c",
    ],
)
def test_the_signed_target_is_the_one_that_the_server_hands_on(url: str, target: str) -> None:
    address = httpx.URL(url, raw_path=target.encode())
    answer = httpx.get(address, auth=GatewayAuth(KEY, user_id=7, role=Role.STUDENT))
    assert (answer.status_code, answer.text) == (200, '"student"')


def test_other_bytes_on_the_wire_than_signed_are_refused(service) -> None:
    signed = next(GatewayAuth(KEY).auth_flow(httpx.Request("GET", "http://x/api/whoami/a"))).headers
    with socket.create_connection(("127.0.0.1", service[1]), timeout=10) as wire:
        names = [f"{name}: {value}\r\n" for name, value in signed.items() if name.startswith("x-")]
        wire.sendall(
            ("GET /api/whoami/%61 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + "".join(names) + "\r\n").encode()
        )
        assert wire.recv(100).startswith(b"HTTP/1.1 401")


def test_a_duplicated_identity_header_is_refused(url: str) -> None:
    signed = next(GatewayAuth(KEY).auth_flow(httpx.Request("GET", f"{url}/api/whoami/a"))).headers
    assert httpx.get(f"{url}/api/whoami/a", headers=signed).status_code == 200
    assert httpx.get(f"{url}/api/whoami/a", headers=[*signed.items(), ("X-User-Role", "admin")]).status_code == 401


def test_a_body_over_one_mebibyte_is_413(url: str) -> None:
    accepted = httpx.post(f"{url}/api/size", content=b"x" * 1_048_576, auth=GatewayAuth(KEY))
    assert accepted.json() == 1_048_576
    refused = httpx.post(f"{url}/api/size", content=b"x" * 1_048_577, auth=GatewayAuth(KEY))
    assert refused.status_code == 413


def test_metrics_are_on_their_own_port_only(service, url: str) -> None:
    httpx.get(f"{url}/api/whoami/x", auth=GatewayAuth(KEY))
    text = httpx.get(f"http://127.0.0.1:{service[2]}/metrics").text
    assert 'http_requests_total{method="GET",route="/api/whoami/{rest:path}",status="200"}' in text
    assert httpx.get(f"{url}/metrics", auth=GatewayAuth(KEY)).status_code == 404


def test_no_query_string_reaches_the_log(service, url: str) -> None:
    httpx.get(f"{url}/api/whoami/x?token=hunter2", auth=GatewayAuth(KEY))
    time.sleep(0.2)
    log = service[3].read_text()
    assert "/api/whoami/x" in log
    assert "hunter2" not in log


@pytest.mark.parametrize("program", COMMANDS)
def test_a_wrong_setting_stops_the_server_with_a_clear_message(program: str, tmp_path: Path) -> None:
    (tmp_path / "example_main.py").write_text(APP)
    settings = {"GATEWAY_IDENTITY_KEY": "hunter2", "DATABASE_URL": "postgresql://a:b@c/d", "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [Path(sys.executable).parent / program, *COMMANDS[program], "--port", "0", "example_main:app"],
        env=os.environ | settings,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode != 0
    assert "GATEWAY_IDENTITY_KEY: must be at least 32 bytes long" in done.stderr + done.stdout
    assert "hunter2" not in done.stderr + done.stdout
