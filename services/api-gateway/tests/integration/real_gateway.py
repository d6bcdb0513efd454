"""The real gateway (nginx and the decision process) in front of real services, started for tests.

Real Traefik and Envoy can stand beside nginx: three doors with one decision behind.
"""

import contextlib
import copy
import hashlib
import json
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from redis import Redis
from redis.exceptions import ResponseError

from api_gateway.compile import compile_files
from api_gateway.data_plane import envoy, traefik
from api_gateway.data_plane.prefixes import prefixes
from api_gateway.decision.forward import PATH
from api_gateway.middleware.revocation import COMPLETE_GROUP, STREAM
from api_gateway.routing import CompiledTable
from shared.api_keys import ApiKey, new_api_key
from shared.testing.processes import Process, free_port

HERE = Path(__file__).parent
SERVICES = ("user", "course", "notification")
DOORS = ("nginx", "traefik", "envoy")
"""nginx asks the decision over its unix socket; the other two over TCP."""
only_nginx = pytest.mark.parametrize("gateway", ["nginx"], indirect=True)
"""For a case about what nginx does itself: limits, time-outs, logs and errors of the other doors are their own."""
INTEGER = {"in": "path", "name": "item_id", "required": True, "schema": {"type": "integer"}}
TEXT = {"in": "path", "name": "name", "required": True, "schema": {"type": "string"}}


UPLOAD_LIMIT = 20_000_000


def operation(
    *allow: str, rate: str = "default", parameters: tuple[dict[str, Any], ...] = (), **more: int | str
) -> dict[str, Any]:
    access = {"allow": list(allow), "rate": rate, **more}
    return {"x-smartcourse-access": access, "parameters": list(parameters), "responses": {}}


DOCUMENTS: dict[str, dict[str, Any]] = {
    "user": {
        "/api/auth/login": {"post": operation("public", rate="login")},
        "/api/auth/logout": {"post": operation("authenticated", apiKeys=False)},
        "/api/me": {"get": operation("authenticated"), "put": operation("authenticated")},
        "/api/users": {"get": operation("admin")},
        "/api/files/{name}": {"get": operation("authenticated", parameters=(TEXT,))},
    },
    "course": {
        "/api/courses": {"get": operation("public"), "post": operation("instructor", "admin")},
        "/api/courses/{item_id}": {"get": operation("public", parameters=(INTEGER,))},
        "/api/lessons/{item_id}/files": {
            "get": operation("public", parameters=(INTEGER,)),
            "post": operation("authenticated", parameters=(INTEGER,), maxBodyBytes=UPLOAD_LIMIT),
        },
    },
    "notification": {
        "/api/notifications": {
            "get": operation("authenticated", parameters=({"in": "header", "name": "X-Tone", "schema": {}},))
        },
        "/api/notifications/events": {"get": operation("authenticated", stream="sse")},
        "/api/notifications/talk": {"get": operation("authenticated", stream="websocket")},
        "/api/notifications/digest": {
            "get": operation("public", rate="heavy"),
            "post": operation("authenticated", rate="heavy"),
        },
    },
}


def eventually(condition: Any, *, timeout_seconds: float = 15.0, what: str) -> float:
    """Wait until `condition()` is true; return how long it took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < timeout_seconds, f"{what} did not happen in {timeout_seconds} s"
        time.sleep(0.01)
    return time.monotonic() - started


def accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@dataclass
class Gateway:
    """One gateway with its upstreams. `extra` is added to both processes' environment."""

    redis_url: str
    extra: dict[str, str] = field(default_factory=dict)
    door: str = "nginx"
    """Which of them requests go through."""
    services: tuple[str, ...] = SERVICES
    """Those that are started."""
    probe_url: str = ""
    """Where `/healthz` is asked for, if not at nginx's own port."""

    def __post_init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="smartcourse-gateway-"))
        self.run_dir = self.folder / "run"
        self.jwt_key, self.identity_key = secrets.token_hex(32), secrets.token_hex(32)
        self.port, self.metrics_port = free_port(), free_port()
        self.nginx_port, self.decision_port = self.port, free_port()
        self.ports = {name: free_port() for name in SERVICES}
        self.keys: dict[str, dict[str, Any]] = {}
        self._keys_file = self.folder / "keys.json"
        self._keys_file.write_text("{}")
        self.client = httpx.Client(base_url=self.url, timeout=15)
        self._processes: dict[str, Process] = {}
        self._doors = {"nginx": self}
        sources = []
        for name, paths in DOCUMENTS.items():
            file = self.folder / f"{name}.json"
            file.write_text(json.dumps({"openapi": "3.1.0", "info": {}, "paths": paths}))
            sources.append(f"{name}={file}")
        compile_files(sources, self.folder / "routes")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "PYTHONPATH")}
        urls = {f"{name.upper()}_SERVICE_URL": f"http://127.0.0.1:{port}" for name, port in self.ports.items()}
        own = {
            "GATEWAY_RUN_DIR": str(self.run_dir),
            "GATEWAY_ROUTES_DIR": str(self.folder / "routes"),
            "GATEWAY_LISTEN": f"127.0.0.1:{self.nginx_port}",
            "GATEWAY_FORWARD_AUTH_LISTEN": f"127.0.0.1:{self.decision_port}",
            "METRICS_PORT": str(self.metrics_port),
            "REDIS_URL": self.redis_url,
            "JWT_SECRET_KEY": self.jwt_key,
            "GATEWAY_IDENTITY_KEY": self.identity_key,
            "NGINX_WORKERS": "1",
            "KEYS": str(self._keys_file),
        }
        return kept | urls | own | self.extra

    def start(self) -> None:
        self.mark_stream()
        starts = [self.start_decision, self.start_nginx, *(partial(self.start_service, name) for name in self.services)]
        with ThreadPoolExecutor() as pool:  # each waits for its own
            for started in [pool.submit(start) for start in starts]:
                started.result()
        eventually(self.is_ready, what="readiness")

    def is_ready(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            probe = httpx.get(f"http://127.0.0.1:{self.metrics_port}/health/ready", timeout=2)
            return probe.status_code == 200 and self.answers()
        return False

    def answers(self) -> bool:
        """Whether nginx answers. A connection says less: while nginx checks its configuration it listens already."""
        with contextlib.suppress(httpx.HTTPError):
            probe_url = self.probe_url or f"http://127.0.0.1:{self.nginx_port}"
            return httpx.get(f"{probe_url}/healthz", timeout=1).status_code == 200
        return False

    def reload(self) -> None:
        """Have nginx read its configuration again, as its parent does when something has changed."""
        os.kill(int((self.run_dir / "nginx.pid").read_text()), signal.SIGHUP)

    def start_decision(self) -> None:
        process = self._run("decision", [sys.executable, "-m", "api_gateway.decision"])
        process.wait_until(self.socket.exists)

    @property
    def socket(self) -> Path:
        return self.run_dir / "decision.sock"

    def behind(self, door: str) -> "Gateway":
        """The same gateway, asked through that door, which is opened if it was not yet."""
        if door not in self._doors:
            seen = self._doors[door] = copy.copy(self)
            seen.door, seen.port = door, free_port()
            seen.client = httpx.Client(base_url=seen.url, timeout=15)
            self._run(door, self._traefik(seen.port) if door == "traefik" else self._envoy(seen.port))
            seen.until_open()
        return self._doors[door]

    def until_open(self) -> None:
        """Asks what is refused before it is counted: limits are there for the cases."""
        eventually(self._refuses, timeout_seconds=60, what=f"an answer through {self.door}")

    def _refuses(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return self.client.get("/api/me").status_code == 401
        return False

    def _traefik(self, port: int) -> list[str]:
        """The Middlewares that the chart renders, and a router for each of its Ingresses' paths."""
        routes = CompiledTable.load(self.folder / "routes" / "routes.json").routes
        chain = traefik.middlewares(f"http://127.0.0.1:{self.decision_port}{PATH}")
        routers = {"rest": {"rule": "PathPrefix(`/`)", "service": "gateway"}}
        for prefix, service in prefixes(routes).items():
            rule = f"Path(`{prefix}`) || PathPrefix(`{prefix}/`)"
            routers[prefix] = {"rule": rule, "service": service, "middlewares": list(chain)}
        places = self.ports | {"gateway": self.nginx_port}
        services = {name: _balanced(place) for name, place in places.items()}
        dynamic = {"http": {"routers": routers, "middlewares": chain, "services": services}}
        file = self.folder / "traefik.yaml"
        file.write_text(json.dumps(dynamic))  # which is YAML too: Traefik reads no file that is called otherwise
        static = [f"--entrypoints.web.address=127.0.0.1:{port}", f"--providers.file.filename={file}"]
        static += ["--entrypoints.web.forwardedheaders.trustedips=127.0.0.0/8", "--global.checknewversion=false"]
        static += ["--global.sendanonymoususage=false", "--log.level=WARN", "--accesslog=true"]
        return [str(Path(sys.executable).with_name("traefik")), *static]

    def _envoy(self, port: int) -> list[str]:
        """The example in docs/data-plane, but for names, addresses and routes."""
        places = {**self.ports, "decision": self.decision_port, "gateway": self.nginx_port}
        clusters = {name: ("127.0.0.1", place) for name, place in places.items()}
        routes = CompiledTable.load(self.folder / "routes" / "routes.json").routes
        file = self.folder / "envoy.json"
        configuration = envoy.configuration(("127.0.0.1", port), clusters, routes, proxies=1)
        [listener] = configuration["static_resources"]["listeners"]
        # A refused connection would be kept for another second, which nobody here needs, hundreds of times.
        listener["filter_chains"][0]["filters"][0]["typed_config"]["delayed_close_timeout"] = "0.01s"
        file.write_text(json.dumps(configuration))
        command = [str(Path(sys.executable).with_name("envoy")), "-c", str(file), "--concurrency", "1"]
        return [*command, "--log-level", "warning", "--use-dynamic-base-id"]

    def start_nginx(self, *program: str, **extra: str) -> None:
        process = self._run("nginx", [sys.executable, *(program or ("-m", "api_gateway.nginx"))], **extra)
        process.wait_until(self.answers)

    def start_launcher(self) -> None:
        process = self._run("launcher", [sys.executable, "-m", "api_gateway.main"])
        process.wait_until(self.answers)

    def start_service(self, name: str) -> None:
        command = [sys.executable, "-m", "granian", "--interface", "asgi", "--host", "127.0.0.1"]
        command += ["--port", str(self.ports[name]), "--working-dir", str(HERE), "upstream:app"]
        process = self._run(name, command, SERVICE=name)
        process.wait_until(lambda: accepts(self.ports[name]))

    def stop(self, name: str) -> None:
        self._processes.pop(name).stop()

    def pid(self, name: str) -> int:
        return self._processes[name].pid

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def close(self) -> None:
        for seen in self._doors.values():
            seen.client.close()
        for name in reversed(list(self._processes)):
            self.stop(name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def mark_stream(self) -> None:
        """What user-service does: see to it that the stream exists and is whole."""
        with Redis.from_url(self.redis_url) as redis, contextlib.suppress(ResponseError):  # it may be already
            redis.xgroup_create(STREAM, COMPLETE_GROUP, mkstream=True)
        self.revoke("")

    def revoke(self, sids: str) -> None:
        with Redis.from_url(self.redis_url) as redis:
            redis.xadd(STREAM, {"sids": sids, "until": str(int(time.time()) + 1000)})

    def api_key(self, *scopes: str, **holder: Any) -> str:
        """A key that user-service knows, good for these scopes."""
        text, _ = new_api_key()
        ours = {"user_id": 7, "role": "student", "session_id": f"k{secrets.randbits(30)}-1", "good_for_seconds": 900}
        self.hold(text, scopes=[*scopes], **ours | holder)
        return text

    def hold(self, key: str, **holder: Any) -> None:
        """Have user-service know this of the key from now on, beside what it knows already."""
        parsed = ApiKey.parse(key)
        assert parsed is not None
        known = self.keys.setdefault(parsed.digest.hex(), {"public_id": parsed.public_id, "holder": {}})
        known["holder"] |= holder
        self._write_keys()

    def drop(self, key: str) -> None:
        """Have user-service know the key no more."""
        del self.keys[hashlib.sha256(key.encode()).hexdigest()]
        self._write_keys()

    def session_of(self, key: str) -> str:
        session: str = self.keys[hashlib.sha256(key.encode()).hexdigest()]["holder"]["session_id"]
        return session

    def lookups(self, key: str) -> int:
        """How often user-service was asked about the key."""
        asked = self._keys_file.with_suffix(".asked")
        return asked.read_text().split().count(hashlib.sha256(key.encode()).hexdigest()) if asked.exists() else 0

    def _write_keys(self) -> None:
        draft = self._keys_file.with_suffix(".new")
        draft.write_text(json.dumps(self.keys))
        draft.replace(self._keys_file)

    def token(self, *, key: str | None = None, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """An access token; a claim given as None is left out."""
        now = int(time.time())
        ours = {
            "sub": "7",
            "exp": now + 900,
            "iat": now,
            "type": "access",
            "role": "student",
            "jti": secrets.token_hex(8),
            "sid": secrets.token_hex(8),
            "iss": "smartcourse",
            "aud": "smartcourse-api",
        }
        payload = {name: value for name, value in (ours | claims).items() if value is not None}
        kid = hashlib.sha256(self.jwt_key.encode()).hexdigest()[:8]
        head = {name: value for name, value in ({"kid": kid} | (headers or {})).items() if value is not None}
        return jwt.encode(payload, key or self.jwt_key, algorithm="HS256", headers=head)

    def bearer(self, **claims: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(**claims)}"}

    def raw(self, request: bytes, *, timeout_seconds: float = 5.0) -> bytes:
        """Send bytes that no client library would; return what comes back until the end or a pause."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout_seconds) as connection:
            connection.sendall(request)
            answer = b""
            with contextlib.suppress(TimeoutError, ConnectionResetError):
                while part := connection.recv(65536):
                    answer += part
            return answer

    def _run(self, name: str, command: list[str], **extra: str) -> Process:
        environment = self.environment | extra
        process = Process(command, log=self.folder / f"{name}.log", environment=environment)
        self._processes[name] = process
        return process


@contextlib.contextmanager
def running(
    redis_url: str, settings: dict[str, str] | None = None, *, services: tuple[str, ...] = SERVICES, probe_url: str = ""
) -> Iterator[Gateway]:
    """A gateway that is ready; it ends with the context."""
    gateway = Gateway(redis_url, settings or {}, services=services, probe_url=probe_url)
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.close()


def _balanced(port: int) -> dict[str, Any]:
    return {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{port}"}]}}


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Check that `answer` is a whole problem document of this status and return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "instance", "trace_id"} <= document.keys()
    assert document["status"] == status
    assert document["type"].startswith("urn:smartcourse:problem:")
    assert len(document["trace_id"]) == 32
    assert answer.headers["x-request-id"]
    return document
