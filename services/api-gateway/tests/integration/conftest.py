"""One gateway for the tests that leave it as it was, and one with every door; a case runs through each door in turn."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.testing.servers import RedisServer

sys.path.insert(0, str(Path(__file__).parent))

from real_gateway import DOORS, Gateway

SETTINGS = {
    "TRUSTED_PROXIES": "127.0.0.0/8",
    "GATEWAY_READ_TIMEOUT_SECONDS": "2",
    "RATE_LIMIT_DEFAULT_PER_MINUTE": "6000",  # far more than all cases ask in a minute, through all doors
    "RATE_LIMIT_PUBLIC_PER_MINUTE": "6000",
}


@pytest.fixture(scope="session")
def nginx_alone(redis_server: RedisServer) -> Iterator[Gateway]:
    gateway = Gateway(redis_server.url, dict(SETTINGS))
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.close()


@pytest.fixture(scope="session")
def every_door(redis_server: RedisServer) -> Iterator[Gateway]:
    gateway = Gateway(redis_server.url, dict(SETTINGS))
    try:
        gateway.start_doors()
        yield gateway
    finally:
        gateway.close()


@pytest.fixture(scope="session", params=DOORS)
def gateway(request: pytest.FixtureRequest) -> Gateway:
    """The gateway behind each door in turn. A case of nginx's own has `only_nginx`."""
    if request.param == "nginx":
        alone: Gateway = request.getfixturevalue("nginx_alone")
        return alone
    every: Gateway = request.getfixturevalue("every_door")
    return every.behind(request.param)
