"""The whole service, background tasks included."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from shared.testing.servers import RedisServer
from user_service.main import build

Running = Any


@pytest.fixture
async def running(service: Any, settings: Any) -> AsyncIterator[Running]:
    app = build(settings)
    async with app.router.lifespan_context(app):
        yield type(service)(
            app, settings, service.clock, sql=service.sql, redis=service.redis, cheap_hash=service._cheap_hash
        )


async def eventually(check: Callable[[], Awaitable[Any]], *, within_seconds: float) -> float:
    """Wait until `check` gives something true; returns the seconds it took."""
    started = time.monotonic()
    while not await check():
        assert time.monotonic() - started < within_seconds, "did not happen in time"
        await asyncio.sleep(0.01)
    return time.monotonic() - started


async def test_a_registration_reaches_the_stream_of_events(running: Running, redis: Redis) -> None:
    newcomer = {"email": "ada@example.org", "password": "correct horse", "full_name": "Ada"}
    assert (await running.call("POST", "/api/auth/register", json=newcomer)).status_code == 201
    await eventually(lambda: redis.xlen("smartcourse:events:user"), within_seconds=5)
    [(_, fields)] = await redis.xrange("smartcourse:events:user")
    assert json.loads(fields["event"])["data"]["email"] == "ada@example.org"


async def test_a_logout_reaches_the_gateways_within_a_second(running: Running) -> None:
    person = await running.newly()
    await running.call("POST", "/api/auth/logout", by=person)
    assert await eventually(running.revoked_sids, within_seconds=1) < 1
    assert {person.sid} in await running.revoked_sids()


async def test_the_relay_repeats_what_was_announced_at_once(running: Running) -> None:
    person = await running.newly()
    await running.call("POST", "/api/auth/logout", by=person)

    async def both() -> bool:
        return await running.revoked_sids() == [{person.sid}] * 2

    await eventually(both, within_seconds=5)


async def test_a_lost_stream_is_back_within_seconds(running: Running, redis: Redis) -> None:
    person = await running.newly()
    await running.call("POST", "/api/auth/logout", by=person)
    await redis.delete("smartcourse:revocations")
    await eventually(running.revoked_sids, within_seconds=5)
    assert {person.sid} in await running.revoked_sids()


async def test_the_stream_comes_back_with_redis(running: Running, redis_server: RedisServer, redis: Redis) -> None:
    await eventually(lambda: redis.exists("smartcourse:revocations"), within_seconds=5)
    redis_server.restart()

    async def is_back() -> bool:
        return bool(await redis.exists("smartcourse:revocations"))

    await eventually(is_back, within_seconds=10)


async def test_health_needs_no_signature_and_tells_of_the_database(running: Running) -> None:
    async with running.client() as client:
        client.auth = None
        for path in ("/health", "/health/live", "/health/ready", "/health/startup"):
            answer = await client.get(path)
            assert answer.status_code == 200, f"{path}: {answer.text}"
        assert (await client.get("/health/ready")).json()["checks"]["postgres"]["status"] == "ok"
