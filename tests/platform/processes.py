"""The platform as its pods run it, but as processes on loopback: two gateways (nginx and decisions), three services."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx

from shared.testing.processes import Process, free_port

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("user", "course", "notification")
GATEWAYS = {"nginx": "decision", "nginx-2": "decision-2"}
"""Those that carry, each with the one that decides for it."""
PROCESSES = (*SERVICES, *GATEWAYS.values(), *GATEWAYS)


@dataclass(frozen=True)
class Stores:
    """Addresses of the datastores; `databases` by service."""

    databases: dict[str, str]
    redis: str
    mongodb: str


class RunningPlatform:
    """Started by `start`; every process writes its log to a file of its own."""

    def __init__(self, folder: Path, stores: Stores, extra: dict[str, str]) -> None:
        self.admin = {"email": "root@platform.example", "password": secrets.token_urlsafe(16)}
        self.jwt_key = secrets.token_hex(32)
        self._folder, self._stores, self._extra = folder, stores, extra
        self._identity_key = secrets.token_hex(32)
        self._ports = {name: free_port() for name in (*SERVICES, *GATEWAYS)}
        self._metrics_ports = {name: free_port() for name in PROCESSES}
        self._processes: dict[str, Process] = {}

    @property
    def url(self) -> str:
        return self.urls[0]

    @property
    def urls(self) -> list[str]:
        """Of each gateway."""
        return [f"http://127.0.0.1:{self._ports[name]}" for name in GATEWAYS]

    def log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text(errors="replace")

    def metrics(self, name: str) -> str:
        """What Prometheus would be told by this process."""
        return httpx.get(f"http://127.0.0.1:{self._metrics_ports[name]}/metrics", timeout=10).raise_for_status().text

    def start(self) -> None:
        self._compile_routes()
        self._seed_administrator()
        for name in SERVICES:
            server = ["-m", "granian", "--interface", "asgi", "--host", "127.0.0.1", "--workers", "1", "--no-ws"]
            self._run(name, *server, "--port", str(self._ports[name]), f"{name}_service.main:app")
        for carrying, deciding in GATEWAYS.items():
            self._run(deciding, "-m", "api_gateway.decision")
            self._run(carrying, "-m", "api_gateway.nginx")
        for name in SERVICES:  # in this order a failure shows the log of what failed
            self._wait(name, self._ports[name], "/health/ready")
        for carrying, deciding in GATEWAYS.items():
            self._wait(deciding, self._metrics_ports[deciding], "/health/ready")
            self._wait(carrying, self._ports[carrying], "/health")

    def close(self) -> None:
        for process in reversed(self._processes.values()):
            process.stop()

    def _wait(self, name: str, port: int, path: str) -> None:
        self._processes[name].wait_until(lambda: _answers(port, path))

    def _compile_routes(self) -> None:
        documents = [str(path) for path in sorted((ROOT / "services").glob("*-service/openapi.json"))]
        command = [sys.executable, "-m", "api_gateway.compile", "--openapi", *documents, "--out"]
        subprocess.run([*command, str(self._folder / "routes")], check=True, stdout=subprocess.DEVNULL)

    def _seed_administrator(self) -> None:
        who = {"ADMIN_EMAIL": self.admin["email"], "ADMIN_PASSWORD": self.admin["password"]}
        with (self._folder / "seed.log").open("w") as log:
            subprocess.run(
                [sys.executable, "-m", "user_service.seed"],
                env=self._environment("user") | who,
                cwd=self._folder,
                check=True,
                stdout=log,
            )

    def _run(self, name: str, *arguments: str) -> None:
        # In a folder of its own: settings are read from a file `.env` in the working directory as well.
        command = ["env", "-C", str(self._folder), sys.executable, *arguments]
        self._processes[name] = Process(command, log=self._folder / f"{name}.log", environment=self._environment(name))

    def _environment(self, name: str) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG")}
        urls = {f"{each.upper()}_SERVICE_URL": f"http://127.0.0.1:{self._ports[each]}" for each in SERVICES}
        carrying = next((pair[0] for pair in GATEWAYS.items() if name in pair), "nginx")
        own = {
            "METRICS_PORT": str(self._metrics_ports[name]),
            "REDIS_URL": self._stores.redis,
            "MONGODB_URL": self._stores.mongodb,
            "DATABASE_URL": self._stores.databases.get(name, ""),
            "JWT_SECRET_KEY": self.jwt_key,
            "GATEWAY_IDENTITY_KEY": self._identity_key,
            "GATEWAY_RUN_DIR": str(self._folder / f"run-{carrying}"),
            "GATEWAY_ROUTES_DIR": str(self._folder / "routes"),
            "GATEWAY_LISTEN": f"127.0.0.1:{self._ports[carrying]}",
            "NGINX_WORKERS": "1",
            "PUBLIC_URL": self.url,
            "SERVICE_NAME": f"{name}-service" if name in SERVICES else "api-gateway",
            "GRANIAN_LOG_CONFIG": str(ROOT / "shared" / "shared" / "server_log.json"),
        }
        return kept | urls | own | self._extra


def _answers(port: int, path: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=5).status_code == 200
    return False
