"""One Compose project in a copy of the repository, with names and ports of its own."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from functools import cached_property
from pathlib import Path
from typing import Any

from shared.testing.processes import free_port
from smartcourse_dev import docker, env
from smartcourse_dev.catalogue import Source

FILES = {
    "base": ["docker-compose.yml"],
    "dev": ["docker-compose.yml", "docker-compose.dev.yml"],
    "prod": ["docker-compose.yml", "docker-compose.prod.yml"],
}
PORTS = ("GATEWAY_PORT", "USER_SERVICE_PORT", "COURSE_SERVICE_PORT", "NOTIFICATION_SERVICE_PORT", "POSTGRES_PORT",
         "MONGO_PORT", "REDIS_PORT", "SMTP_PORT", "MAILBOX_PORT")  # fmt: skip
IMAGES = ("api-gateway", "user-service", "course-service", "notification-service", "mailbox")
ONCE = {"provision-postgres", "provision-mongodb", "migrate-user", "migrate-course", "migrate-notification",
        "seed-user"}  # fmt: skip
UP_TIMEOUT_SECONDS = 900


def compose(checkout: Path, *arguments: str, files: str = "base") -> subprocess.CompletedProcess[str]:
    """Run `docker compose` in the checkout; of our environment it sees nothing that could stand in for `.env`."""
    kept = {name: value for name, value in os.environ.items() if name in {"HOME", "DOCKER_HOST", "DOCKER_CONFIG"}}
    named = [word for file in FILES[files] for word in ("-f", file)]
    return subprocess.run(
        docker.command("compose", "--progress", "plain", *named, *arguments), cwd=checkout,
        env=kept | docker.environment(), capture_output=True, text=True, check=False, timeout=UP_TIMEOUT_SECONDS,
    )  # fmt: skip


class Stack:
    """The project's commands, and what one sees of it from outside."""

    def __init__(self, checkout: Path, source: Source) -> None:
        self.checkout = checkout
        self.project = f"smartcourse-test-{secrets.token_hex(3)}"
        own = {"COMPOSE_PROJECT_NAME": self.project} | {name: str(free_port()) for name in PORTS}
        own |= {f"{name.upper().replace('-', '_')}_IMAGE": f"smartcourse/{name}:test" for name in IMAGES}
        dotenv = checkout / ".env"
        dotenv.write_text("".join(f"{name}={value}\n" for name, value in own.items()))
        env.ensure(dotenv, source)

    @cached_property
    def env(self) -> dict[str, str]:
        return env.assignments((self.checkout / ".env").read_text())

    def url(self, port: str = "GATEWAY_PORT") -> str:
        return f"http://127.0.0.1:{self.env[port]}"

    def run(self, *arguments: str, files: str = "base") -> str:
        """Run a command of Compose that is to end well; return what it printed."""
        done = compose(self.checkout, *arguments, files=files)
        assert done.returncode == 0, f"{arguments}: {done.stdout[-3000:]}{done.stderr[-3000:]}\n{self.logs()}"
        return done.stdout

    def up(self, files: str = "base") -> None:
        self.run("up", "--build", "--detach", "--wait", "--wait-timeout", "300", files=files)

    def down(self, *options: str) -> None:
        self.run("down", *options, files="dev")

    def logs(self) -> str:
        return compose(self.checkout, "logs", "--tail", "8", files="dev").stdout[-8000:]

    def config(self, files: str = "base") -> dict[str, Any]:
        """Return the services as Compose understands the files."""
        services: dict[str, Any] = json.loads(self.run("config", "--format", "json", files=files))["services"]
        return services

    def containers(self) -> dict[str, dict[str, Any]]:
        """Return what Docker knows of each container, by its service."""
        ids = self.run("ps", "--all", "--quiet").split()
        told = subprocess.run(docker.command("inspect", *ids), capture_output=True, text=True, check=True).stdout
        return {each["Config"]["Labels"]["com.docker.compose.service"]: each for each in json.loads(told)}

    def exists(self) -> bool:
        return bool(self.run("ps", "--all", "--quiet").split())

    def published_ports(self) -> set[str]:
        """Return the ports of this machine that lead into containers."""
        bound = [each["NetworkSettings"]["Ports"] or {} for each in self.containers().values()]
        return {host["HostPort"] for ports in bound for hosts in ports.values() for host in hosts or []}

    def inside(self, service: str, *command: str) -> subprocess.CompletedProcess[str]:
        return compose(self.checkout, "exec", "-T", service, *command)
