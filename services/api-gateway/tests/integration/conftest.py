"""One gateway for the tests that leave it as it was."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.testing.servers import RedisServer

sys.path.insert(0, str(Path(__file__).parent))

from real_gateway import Gateway


@pytest.fixture(scope="session")
def gateway(redis_server: RedisServer) -> Iterator[Gateway]:
    gateway = Gateway(redis_server.url, {"TRUSTED_PROXIES": "127.0.0.0/8", "GATEWAY_READ_TIMEOUT_SECONDS": "2"})
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.close()
