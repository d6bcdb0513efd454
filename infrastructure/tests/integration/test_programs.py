"""Against real programs and a real server on the loopback address."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from smartcourse_dev import addons, definitions, docker, golang, registry
from smartcourse_dev.shell import Log

DIGEST = "sha256:1234"


class Registry(BaseHTTPRequestHandler):
    """A server with one image, speaking as much of the distribution protocol as is asked."""

    def do_GET(self) -> None:
        known = self.path in {"/v2/", "/v2/operator/manifests/abc"}
        body = json.dumps({"config": {"digest": DIGEST}}).encode()
        self.send_response(200 if known else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    found = f"127.0.0.1:{server.server_port}"
    monkeypatch.setattr(registry, "ADDRESS", found)
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_pushed_image_is_found_and_another_tag_is_not(address: str) -> None:
    assert registry.has("smartcourse.local/operator:abc")
    assert not registry.has("smartcourse.local/operator:def")


def test_an_image_is_current_when_the_engine_has_the_same(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker, "image_id", lambda _: DIGEST)
    assert registry.has_current("smartcourse.local/operator:abc")
    monkeypatch.setattr(docker, "image_id", lambda _: "sha256:5678")
    assert not registry.has_current("smartcourse.local/operator:abc")


def test_any_status_is_an_answer_and_silence_is_none(address: str) -> None:
    assert addons.answers(f"http://{address}/nothing-here")
    assert not addons.answers("http://127.0.0.1:1/")


def test_a_registry_that_does_not_answer_has_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "ADDRESS", "127.0.0.1:1")
    assert not registry.has("smartcourse.local/operator:abc")


@pytest.mark.parametrize(
    ("wanted", "kind"), [(definitions.SERVICE_MONITOR, "ServiceMonitor"), (definitions.TRAEFIK, "Middleware")]
)
def test_definitions_of_others_come_out_of_their_own_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: definitions.Definitions, kind: str
) -> None:
    monkeypatch.setattr(definitions, "CACHE", tmp_path)
    (step,) = definitions.steps(wanted)
    assert not step.is_done()
    step.action(Log(tmp_path / "log"))
    assert step.is_done()
    found = [each for each in yaml.safe_load_all(wanted.path.read_text(encoding="utf-8")) if each]
    assert {each["kind"] for each in found} == {"CustomResourceDefinition"}
    assert kind in {each["spec"]["names"]["kind"] for each in found}


def test_the_runtime_wrapper_passes_its_own_tests() -> None:
    done = subprocess.run(
        [golang.go(), "test", "./..."], cwd=golang.MODULES / "tools", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
