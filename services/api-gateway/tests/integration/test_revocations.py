"""How a process follows the stream of revocations, on a real Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from api_gateway.middleware.revocation import COMPLETE_GROUP, STREAM, RevocationFollower, Revocations
from shared.testing.servers import RedisServer


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Redis]:
    await redis_server.flush()
    async with Redis.from_url(redis_server.url, decode_responses=True) as client:
        yield client


async def test_a_process_that_starts_waits_until_the_stream_is_filled(redis: Redis) -> None:
    revocations = Revocations()
    follower = RevocationFollower(redis, revocations)
    await follower.step()
    assert not revocations.is_loaded, "there is no stream"
    await redis.xadd(STREAM, {"sids": "late", "until": "9999999999"})
    await follower.step()
    assert not revocations.is_loaded, "a revocation made the stream, but the earlier ones are not in it"
    await redis.xadd(STREAM, {"sids": "early", "until": "9999999999"})
    await redis.xgroup_create(STREAM, COMPLETE_GROUP, "$")
    await follower.step()
    assert revocations.is_loaded
    assert "early" in revocations
    assert "late" in revocations


async def test_a_process_that_knows_the_earlier_ones_follows_a_stream_that_is_not_filled_yet(redis: Redis) -> None:
    revocations = Revocations()
    follower = RevocationFollower(redis, revocations)
    await redis.xadd(STREAM, {"sids": "early", "until": "9999999999"})
    await redis.xgroup_create(STREAM, COMPLETE_GROUP, "$")
    await follower.step()
    await redis.delete(STREAM)
    await follower.step()
    assert not revocations.is_current
    await redis.xadd(STREAM, {"sids": "late", "until": "9999999999"})
    await follower.step()
    assert revocations.is_current
    assert "early" in revocations
    assert "late" in revocations
