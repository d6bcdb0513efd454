"""nginx reads its configuration again without a client noticing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clients import Clients
from real_gateway import Gateway, eventually, running

from shared.testing.servers import RedisServer

RELOADS = 15


@pytest.fixture(scope="module")
def gateway(redis_server: RedisServer) -> Iterator[Gateway]:
    with running(redis_server.url, {"RATE_LIMIT_DEFAULT_PER_MINUTE": "1000000"}) as gateway:
        yield gateway


def workers(gateway: Gateway) -> set[str]:
    master = (gateway.run_dir / "nginx.pid").read_text().strip()
    return set(Path(f"/proc/{master}/task/{master}/children").read_text().split())


def test_no_request_fails_while_the_configuration_is_read_again_and_again(gateway: Gateway) -> None:
    with Clients(gateway.port, gateway.bearer(sub="7001")) as clients:
        for _ in range(RELOADS):
            before = workers(gateway)
            gateway.reload()
            eventually(lambda before=before: workers(gateway) - before, what="another worker")  # type: ignore[misc]
            clients.wait_for(more=20)
    clients.check(lambda: gateway.log("nginx"))
    assert clients.answers >= RELOADS * 20
    assert clients.connections < clients.answers / 2, "connections are kept"


def test_a_request_that_is_being_answered_ends_well(gateway: Gateway) -> None:
    name = "answered-during-reload"
    with gateway.client.stream("GET", "/api/courses", params={"download": name}) as answer:
        parts = answer.iter_raw()
        next(parts)
        before = workers(gateway)
        gateway.reload()
        eventually(lambda: workers(gateway) - before, what="another worker")
        eventually(lambda: gateway.client.get("/api/courses", params={"open": name}).status_code == 200, what="an end")
        assert sum(map(len, parts)) > 0
    assert answer.is_closed
