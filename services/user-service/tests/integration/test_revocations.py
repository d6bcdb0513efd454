"""The stream of revocations: there, complete, and no longer than needed."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from user_service.config import Settings
from user_service.core.revocations import COMPLETE_GROUP, STREAM, RevocationStream
from user_service.main import build
from user_service.services.revocations import RevocationKeeper

RELEVANCE = timedelta(minutes=16)


@pytest.fixture
async def stream(redis: Redis) -> RevocationStream:
    return RevocationStream(redis)


@pytest.fixture
async def keeper(service: Any, stream: RevocationStream) -> RevocationKeeper:
    return RevocationKeeper(database=service.app.state.database, stream=stream, clock=service.clock)


@pytest.fixture
def log_out(service: Any) -> Callable[..., Awaitable[str]]:
    async def someone() -> str:
        person = await service.newly()
        await service.call("POST", "/api/auth/logout", by=person)
        sid: str = person.sid
        return sid

    return someone


async def test_the_stream_exists_before_anything_was_revoked(keeper: RevocationKeeper, redis: Redis) -> None:
    assert await keeper.ensure() is True
    [(_, fields)] = await redis.xrange(STREAM)
    assert fields["sids"] == ""
    assert await keeper.ensure() is False


async def test_a_lost_stream_is_refilled_with_what_still_matters(
    keeper: RevocationKeeper, service: Any, redis: Redis, log_out: Any
) -> None:
    await log_out()
    service.clock.advance(RELEVANCE + timedelta(seconds=1))
    recent = {await log_out(), await log_out()}
    await keeper.ensure()
    await redis.flushall()
    assert await keeper.ensure() is True
    assert set.union(*await service.revoked_sids()) == recent
    entry = next(fields for _, fields in await redis.xrange(STREAM) if fields["sids"])
    assert int(entry["until"]) == pytest.approx((service.clock.now() + RELEVANCE).timestamp(), abs=1)


async def test_a_stream_begun_anew_by_a_later_revocation_is_refilled_too(
    keeper: RevocationKeeper, service: Any, redis: Redis, log_out: Any
) -> None:
    before = await log_out()
    await keeper.ensure()
    await redis.flushall()
    after = await log_out()
    assert await keeper.ensure() is True
    assert set.union(*await service.revoked_sids()) == {before, after}


async def test_a_stream_lost_while_it_is_filled_is_filled_anew(
    keeper: RevocationKeeper, stream: RevocationStream, service: Any, redis: Redis, log_out: Any
) -> None:
    sid = await log_out()
    await redis.flushall()
    opened = await stream.open(service.clock.now())
    await redis.flushall()
    assert await stream.fill([], opened=opened) is False
    assert not await stream.is_complete()
    assert await keeper.ensure() is True
    assert await service.revoked_sids() == [{sid}]


async def test_two_replicas_filling_at_once_do_no_harm(
    keeper: RevocationKeeper, stream: RevocationStream, service: Any, log_out: Any
) -> None:
    sid = await log_out()
    first, second = [await stream.open(service.clock.now()) for _ in range(2)]
    fields = [{"sids": sid, "until": "9"}]
    assert await stream.fill(fields, opened=first)
    assert await stream.fill(fields, opened=second)
    assert set.union(*await service.revoked_sids()) == {sid}


@pytest.fixture
async def log_out_of_a_long_session(service: Any, settings: Settings) -> Callable[[], Awaitable[str]]:
    """Log in while access tokens are good for ten hours, and out after the lifetime was lowered to 15 minutes."""

    async def someone() -> str:
        generous = Settings.model_validate(
            {name: getattr(settings, name) for name in settings.model_fields_set}
            | {"jwt_access_token_expire_minutes": 600}
        )
        app = build(generous, clock=service.clock)
        lowered, service.app = service.app, app
        person = await service.newly()
        service.app = lowered
        await app.state.database.dispose()
        person.tokens["refresh_token"] = (await service.refresh(person.tokens["refresh_token"])).json()["refresh_token"]
        await service.call("POST", "/api/auth/logout", by=person)
        return str(person.sid)

    return someone


async def test_a_token_stays_revoked_for_its_own_lifetime_although_that_was_lowered(
    keeper: RevocationKeeper, service: Any, redis: Redis, log_out_of_a_long_session: Any
) -> None:
    sid = await log_out_of_a_long_session()
    expiry = (service.clock.now() + timedelta(hours=10, minutes=1)).timestamp()
    [(_, announced)] = await redis.xrange(STREAM)
    [published] = [json.loads(row["payload"]) for row in await service.outbox()]
    service.clock.advance(timedelta(hours=9, minutes=59))
    await redis.flushall()
    await keeper.ensure()
    refilled = next(fields for _, fields in await redis.xrange(STREAM) if fields["sids"])
    for entry in (announced, published, refilled):
        assert entry["sids"] == sid
        assert int(entry["until"]) == pytest.approx(expiry, abs=1)


async def test_the_stream_keeps_what_outlives_a_lowered_lifetime(
    keeper: RevocationKeeper, service: Any, redis: Redis, log_out_of_a_long_session: Any
) -> None:
    await log_out_of_a_long_session()
    [row] = await service.outbox()
    assert row["keep_seconds"] > 10 * 3600, "publishing a later one must not trim it"
    await redis.delete(STREAM)
    seconds, _ = await redis.time()
    in_time = f"{(seconds - 8 * 3600) * 1000}-0"
    await redis.xadd(STREAM, {"sids": str(uuid4()), "until": "1"}, id=in_time)
    service.clock.advance(timedelta(hours=8))
    await keeper.tidy()
    assert [entry_id for entry_id, _ in await redis.xrange(STREAM)] == [in_time]
    service.clock.advance(timedelta(hours=2, minutes=2))
    await keeper.tidy()
    assert await redis.xrange(STREAM) == []


async def test_the_stream_is_trimmed_only_past_what_matters(
    keeper: RevocationKeeper, service: Any, redis: Redis, log_out: Any
) -> None:
    await log_out()
    await redis.delete(STREAM)
    service.clock.advance(timedelta(minutes=10))
    seconds, _ = await redis.time()
    horizon = seconds - 11 * 60  # when the one was revoked that matters, and the clocks' skew
    too_old, in_time = f"{(horizon - 20) * 1000}-0", f"{(horizon + 20) * 1000}-0"
    for entry_id in (too_old, in_time):
        await redis.xadd(STREAM, {"sids": str(uuid4()), "until": "1"}, id=entry_id)
    await keeper.tidy()
    assert [entry_id for entry_id, _ in await redis.xrange(STREAM)] == [in_time]


async def test_an_emptied_stream_still_exists_and_is_complete(
    keeper: RevocationKeeper, stream: RevocationStream, redis: Redis
) -> None:
    await keeper.ensure()
    await redis.xtrim(STREAM, maxlen=0, approximate=False)
    assert await stream.is_complete()
    assert await redis.exists(STREAM)
    assert [group["name"] for group in await redis.xinfo_groups(STREAM)] == [COMPLETE_GROUP]


async def test_sessions_that_expired_more_than_a_day_ago_are_forgotten(keeper: RevocationKeeper, service: Any) -> None:
    old = await service.newly()
    await service.refresh(old.tokens["refresh_token"])
    service.clock.advance(timedelta(days=8, seconds=1))
    young = await service.newly()
    await keeper.tidy()
    assert [str(row["sid"]) for row in await service.sql.fetch("SELECT sid FROM sessions")] == [young.sid]
    assert await service.sql.fetchval("SELECT count(*) FROM refresh_tokens") == 1


async def test_without_redis_the_gateways_learn_of_a_logout_from_the_outbox(
    service: Any, redis_server: Any, keeper: RevocationKeeper
) -> None:
    person = await service.newly()
    redis_server.stop()
    try:
        assert (await service.call("POST", "/api/auth/logout", by=person)).status_code == 204
    finally:
        redis_server.start()
    [row] = await service.outbox()
    assert person.sid in row["payload"]
