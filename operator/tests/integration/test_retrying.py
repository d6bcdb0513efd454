"""What Traefik does with the Middleware that `spec.route.retries` makes when a pod is killed: real Traefik, no pods."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from shared.testing.controlplane import program
from shared.testing.processes import Process, free_port

from .conftest import ROOT

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK"
_RESET = struct.pack("ii", 1, 0)
"""Linger for no time at all: closing sends a reset."""


class Pod:
    """Reads requests whole and answers them, or is killed as soon as it has one. `received`: their first lines."""

    def __init__(self, *, is_killed_meanwhile: bool = False) -> None:
        self.received: list[bytes] = []
        self._is_killed_meanwhile = is_killed_meanwhile
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection, connection.makefile("rb") as lines:
                    self.received.append(lines.readline())
                    while lines.readline() not in (b"\r\n", b""):
                        pass
                    if self._is_killed_meanwhile:
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    else:
                        connection.sendall(ANSWER)


@pytest.fixture(scope="module")
def retry() -> dict[str, Any]:
    """The Middleware's spec, as the chart renders it."""
    chart = ROOT / "charts" / "smartcourse"
    command = [program("HELM"), "template", "academy", str(chart), "--values", str(chart / "ci/retries-values.yaml"),
               "--show-only", "templates/middleware-retry.yaml"]  # fmt: skip
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    spec: dict[str, Any] = yaml.safe_load(printed)["spec"]
    return spec


@contextmanager
def traefik(folder: Path, middleware: dict[str, Any] | None, *ports: int) -> Iterator[httpx.Client]:
    """Traefik before these pods; a client of it."""
    port, file = free_port(), folder / "traefik.yaml"
    servers = [{"url": f"http://127.0.0.1:{each}"} for each in ports]
    router = {"rule": "PathPrefix(`/`)", "service": "pods", "middlewares": ["retry"] if middleware else []}
    dynamic: dict[str, Any] = {"routers": {"all": router}, "services": {"pods": {"loadBalancer": {"servers": servers}}}}
    dynamic |= {"middlewares": {"retry": middleware}} if middleware else {}
    file.write_text(json.dumps({"http": dynamic}), encoding="utf-8")
    flags = [f"--entrypoints.web.address=127.0.0.1:{port}", f"--providers.file.filename={file}", "--log.level=ERROR"]
    flags += ["--global.checknewversion=false", "--global.sendanonymoususage=false", "--ping=true"]
    flags += [f"--entrypoints.traefik.address=127.0.0.1:{(ping := free_port())}"]
    process = Process([str(Path(sys.executable).with_name("traefik")), *flags], log=folder / "traefik.log")

    def is_open() -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"http://127.0.0.1:{ping}/ping", timeout=2).status_code == 200 and is_routed()
        return False

    def is_routed() -> bool:
        """Asks with a method that no case counts; nobody routes it until the file is read."""
        return httpx.request("OPTIONS", f"http://127.0.0.1:{port}/", timeout=2).status_code != 404

    process.wait_until(is_open)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            yield client
    finally:
        process.stop()


def received(*pods: Pod) -> int:
    """How many requests arrived, but for those by which it was seen that the file had been read."""
    return sum(not line.startswith(b"OPTIONS ") for pod in pods for line in pod.received)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_that_no_pod_has_seen_is_tried_on_the_other(
    tmp_path: Path, retry: dict[str, Any], method: str
) -> None:
    with closing(Pod()) as alive, traefik(tmp_path, retry, free_port(), alive.port) as client:
        answers = [client.request(method, "/x", content=b"body").status_code for _ in range(20)]
        assert answers == [200] * 20
        assert received(alive) == 20, "each of them once"


def test_without_retries_every_other_of_them_fails(tmp_path: Path) -> None:
    with closing(Pod()) as alive, traefik(tmp_path, None, free_port(), alive.port) as client:
        answers = [client.get("/x").status_code for _ in range(20)]
        assert sorted(answers) == [200] * 10 + [502] * 10


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_request_that_was_in_flight_on_a_killed_pod_is_not_repeated(
    tmp_path: Path, retry: dict[str, Any], method: str
) -> None:
    killed, alive = Pod(is_killed_meanwhile=True), Pod()
    with closing(killed), closing(alive), traefik(tmp_path, retry, killed.port, alive.port) as client:
        answers = [client.request(method, "/x", headers={"Idempotency-Key": "a"}).status_code for _ in range(20)]
        assert sorted(answers) == [200] * 10 + [502] * 10
        assert received(killed) == received(alive) == 10


def test_when_no_pod_takes_the_connection_it_says_so_and_does_not_hang(tmp_path: Path, retry: dict[str, Any]) -> None:
    with traefik(tmp_path, retry, free_port(), free_port()) as client:
        assert client.get("/x").status_code == 502
