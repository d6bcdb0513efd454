"""What Prometheus learns of pools of connections, from real ones."""

import asyncio
import time

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from shared.database import Database
from shared.telemetry.loop import watch_loop
from shared.telemetry.pools import watch_redis
from shared.testing.servers import PostgresServer, RedisServer


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_connections_to_postgresql_are_used_while_a_use_case_runs_and_idle_afterwards(
    postgres_server: PostgresServer,
) -> None:
    database = Database(postgres_server.url("user"), pool_size=2, max_overflow=1)
    database.watch_pool()

    def connections() -> tuple[float, float]:
        return tuple(value("smartcourse_pool_connections", pool="postgres", state=each) for each in ("used", "idle"))

    waits = value("smartcourse_pool_wait_seconds_count", pool="postgres")
    async with database.read(), database.begin(), database.read():
        assert connections() == (3, 0)
    assert connections() == (0, 2), "the third was overflow"
    assert value("smartcourse_pool_size", pool="postgres") == 2
    assert value("smartcourse_pool_limit", pool="postgres") == 3
    assert value("smartcourse_pool_wait_seconds_count", pool="postgres") == waits + 3
    await database.dispose()
    assert connections() == (0, 0)


async def test_connections_to_redis_are_counted(redis_server: RedisServer) -> None:
    async with Redis.from_url(redis_server.url, max_connections=7) as redis:
        watch_redis("test", redis)
        await asyncio.gather(*(redis.ping() for _ in range(3)))
        assert value("smartcourse_pool_connections", pool="test", state="used") == 0
        assert value("smartcourse_pool_connections", pool="test", state="idle") == 3
        assert value("smartcourse_pool_limit", pool="test") == 7


async def test_what_holds_the_event_loop_up_shows_as_its_lag() -> None:
    before = value("smartcourse_loop_lag_seconds_sum")
    watching = asyncio.create_task(watch_loop())
    await asyncio.sleep(0.01)
    time.sleep(0.8)  # noqa: ASYNC251 - this is the fault to be seen
    await asyncio.sleep(0.05)
    watching.cancel()
    assert value("smartcourse_loop_lag_seconds_sum") - before == pytest.approx(0.3, abs=0.15)
