"""Real datastores, a `.env` that leads to them, and the services started from it one after the other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.testing.mongodb import MongoServer
from shared.testing.postgres import PostgresServer
from shared.testing.processes import free_port
from shared.testing.redis import RedisServer
from smartcourse_dev import env
from smartcourse_dev.catalogue import Source

from .. import checkout
from .readme import Followed, environment

pytest_plugins = ["shared.testing.servers"]

GATEWAY = "api-gateway"
# The variable that holds its port here, and the port that its README names.
SERVICES = {
    "user-service": ("USER_SERVICE_PORT", "8001"),
    "course-service": ("COURSE_SERVICE_PORT", "8002"),
    "notification-service": ("NOTIFICATION_SERVICE_PORT", "8005"),
}
# The others' tables refer to user-service's, say the READMEs. Those of one round are installed side by side.
ROUNDS = (("user-service", GATEWAY), ("course-service", "notification-service"))


@dataclass(frozen=True)
class ByHand:
    """The services that run by hand, and the checkout whose files they are."""

    root: Path
    env: dict[str, str]
    metrics_port: int
    """The gateway's; the services' READMEs turn theirs off."""

    def url(self, port: str) -> str:
        return f"http://127.0.0.1:{self.env[port]}"


@pytest.fixture(scope="session")
def root(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_server: PostgresServer,
    redis_server: RedisServer,
    mongo_server: MongoServer,
) -> Path:
    """A checkout with a `.env` as `make env` completes it, around the addresses and passwords of the datastores."""
    made = checkout.copy(tmp_path_factory.mktemp("by_hand"))
    own = {
        "POSTGRES_PORT": postgres_server.port,
        "POSTGRES_DB": postgres_server.database,
        "USER_DB_PASSWORD": postgres_server.passwords["user"],
        "COURSE_DB_PASSWORD": postgres_server.passwords["course"],
        "NOTIFICATION_DB_PASSWORD": postgres_server.passwords["notification"],
        "REDIS_PORT": redis_server.port,
        "REDIS_PASSWORD": redis_server.password,
        "MONGO_PORT": mongo_server.port,
        "MONGO_USER": "root",
        "MONGO_PASSWORD": mongo_server.root_password,
        "COURSE_MONGODB_PASSWORD": mongo_server.password,
        "GATEWAY_PORT": free_port(),
        **{port: free_port() for port, _ in SERVICES.values()},
    }
    (made / ".env").write_text("".join(f"{name}={value}\n" for name, value in own.items()))
    env.ensure(made / ".env", Source.UPSTREAM)
    return made


@pytest.fixture(scope="session")
def pip_settings(root: Path) -> dict[str, str]:
    """What pip is told beside the commands: the pinned versions, so that a release elsewhere breaks no case here."""
    pins = re.findall(r"^[a-z0-9][\w.-]*==[\w.+!-]+", (root / "constraints.txt").read_text(), re.MULTILINE)
    assert len(pins) > 50
    (root / "pins.txt").write_text("\n".join(pins))
    quick = {"PIP_COMPILE": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return {"PIP_CONSTRAINT": str(root / "pins.txt")} | quick


@pytest.fixture(scope="session")
def by_hand(root: Path, pip_settings: dict[str, str]) -> Iterator[ByHand]:
    """All services and the gateway, healthy."""
    found = ByHand(root, env.assignments((root / ".env").read_text()), metrics_port=free_port())
    ports = {written: found.env[port] for port, written in SERVICES.values()}
    own = {"GATEWAY_RUN_DIR": str(root / "gateway"), "METRICS_PORT": str(found.metrics_port)}
    settings = environment(root) | pip_settings | own
    started: dict[str, Followed] = {}
    try:
        for names in ROUNDS:
            for name in names:
                started[name] = Followed(root, name, ports=ports, environment=settings)
            for name in [each for each in names if each in SERVICES]:
                started[name].wait_until_healthy(f"{found.url(SERVICES[name][0])}/health")
        started[GATEWAY].wait_until_healthy(f"{found.url('GATEWAY_PORT')}/health")
        yield found
    finally:
        for each in reversed(started.values()):
            each.stop()
