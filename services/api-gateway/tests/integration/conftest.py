"""One gateway for the tests that leave it as it was; a case runs through each of its doors in turn."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.testing.redis import RedisServer

sys.path.insert(0, str(Path(__file__).parent))

from real_gateway import DOORS, Gateway, running

SETTINGS = {
    "TRUSTED_PROXIES": "127.0.0.0/8",
    "GATEWAY_READ_TIMEOUT_SECONDS": "2",
    "RATE_LIMIT_DEFAULT_PER_MINUTE": "6000",  # far more than all cases ask in a minute, through all doors
    "RATE_LIMIT_PUBLIC_PER_MINUTE": "6000",
}


@pytest.fixture(scope="session")
def every_door(redis_server: RedisServer) -> Iterator[Gateway]:
    with running(redis_server.url, SETTINGS) as gateway:
        yield gateway


@pytest.fixture(scope="session", params=DOORS)
def gateway(every_door: Gateway, request: pytest.FixtureRequest) -> Gateway:
    """The gateway behind each door in turn. A case of nginx's own has `only_nginx`."""
    return every_door.behind(request.param)


@pytest.fixture(scope="module")
def own_redis() -> Iterator[RedisServer]:
    """One that can be stopped without anybody else missing it."""
    server = RedisServer()
    yield server
    server.close()
