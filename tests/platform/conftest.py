"""One whole platform on real servers, with a collector of its spans, for all cases."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator

import httpx
import pytest

from shared.testing.mongodb import MongoServer
from shared.testing.postgres import PostgresServer
from shared.testing.redis import RedisServer

from ..e2e.people import Platform
from .collector import Collector, collecting
from .journey import Traveller, travel
from .operations import UNHURRIED
from .processes import SERVICES, RunningPlatform, Stores
from .world import World

pytest_plugins = ["shared.testing.servers"]


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="session")
async def stores(postgres_server: PostgresServer, redis_server: RedisServer, mongo_server: MongoServer) -> Stores:
    database = await postgres_server.fresh_database(*SERVICES)
    databases = {name: database.url(name) for name in SERVICES}
    return Stores(databases, redis=redis_server.url, mongodb=mongo_server.url)


@pytest.fixture(scope="session")
def running(
    stores: Stores, collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningPlatform]:
    exporting = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "200"}
    unhurried = {name.upper(): str(limit) for name, limit in UNHURRIED.items()}
    unhurried |= dict.fromkeys(["LOGIN_FAILURES_PER_ACCOUNT", "API_KEYS_PER_USER"], "1000000")
    platform = RunningPlatform(tmp_path_factory.mktemp("platform"), stores, exporting | unhurried | pushing())
    try:
        platform.start()
        yield platform
    finally:
        platform.close()


@pytest.fixture(scope="session")
def platform(running: RunningPlatform) -> Iterator[Platform]:
    with httpx.Client(base_url=running.url, timeout=30) as client:
        yield Platform(client, admin=running.admin)


@pytest.fixture(scope="session")
def world(platform: Platform) -> World:
    return World(platform)


@pytest.fixture(scope="session")
def traveller(platform: Platform, running: RunningPlatform, collector: Collector) -> Traveller:
    """Somebody who has been everywhere: what they did has left its traces, logs and figures."""
    return travel(platform, running, collector)


def pushing() -> dict[str, str]:
    """Settings with which browsers can subscribe. Any number of 32 bytes that begins with 1 is a key of P-256."""
    key = base64.urlsafe_b64encode(b"\x01" + secrets.token_bytes(31)).decode().rstrip("=")
    return {"VAPID_PRIVATE_KEY": key, "VAPID_SUBJECT": "mailto:admin@platform.example", "PUSH_ALLOW_PRIVATE": "true"}
