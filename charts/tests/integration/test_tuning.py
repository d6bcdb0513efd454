"""What PostgreSQL is started with, on a real PostgreSQL 15."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest

from shared.testing.postgres import PostgresServer

POOLS = 2 * (16 + 17 + 17)
"""What a pod of each service and another one in a rollout may open, by the charts' defaults."""


@pytest.fixture(scope="module")
def arguments(render: Callable[..., list[dict[str, Any]]]) -> list[str]:
    """What the image's `postgres` is called with."""
    [found] = [each for each in render() if each["kind"] == "StatefulSet" and "postgres" in each["metadata"]["name"]]
    given: list[str] = found["spec"]["template"]["spec"]["containers"][0]["args"]
    return given[1:]


@pytest.fixture(scope="module")
def server(arguments: list[str]) -> Iterator[PostgresServer]:
    class Tuned(PostgresServer):
        def _command(self) -> Sequence[str]:
            return [*super()._command(), *arguments]  # the last word on a parameter counts

    server = Tuned()
    try:
        yield server
    finally:
        server.close()


async def test_it_starts_with_what_the_chart_says_and_takes_every_connection(
    server: PostgresServer, arguments: list[str]
) -> None:
    async with AsyncExitStack() as stack:

        async def connect(url: str) -> asyncpg.Connection:
            connection = await asyncpg.connect(url)
            stack.push_async_callback(connection.close)
            return connection

        admin = await connect(server.admin_url)
        for name, value in (each.split("=") for each in arguments[1::2]):
            assert await admin.fetchval(f"SHOW {name}") == value
        for _ in range(POOLS):  # by one role: none has a limit of its own that is lower
            await connect(server.url("course"))
