"""From the outbox to the stream, on real PostgreSQL and Redis."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from shared.database import Database
from shared.events.broker import Publisher
from shared.events.envelope import Event
from shared.events.lease import Lease, LeaseLostError
from shared.events.outbox import add, add_stream_entry, outbox_tables
from shared.events.redis_streams import RedisBroker
from shared.events.relay import OutboxRelay, RelaySettings
from shared.events.user import UserRegistered
from shared.testing.servers import PostgresServer, RedisServer

STREAM = UserRegistered.event_type.stream
QUICK = RelaySettings(batch_size=20, poll_seconds=0.2, first_backoff_seconds=0.05, longest_backoff_seconds=0.2)

metadata = sa.MetaData()
outbox, lease_table = outbox_tables(metadata, "user")


@pytest.fixture(scope="module")
async def url(postgres_server: PostgresServer) -> str:
    return (await postgres_server.fresh_database()).url("user")


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.drop_all)
        await connection.run_sync(metadata.create_all)
    yield database
    await database.dispose()


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Any]:
    await redis_server.flush()
    async with Redis.from_url(redis_server.url, decode_responses=True, protocol=2) as client:
        yield client


@pytest.fixture
async def broker(redis: Any, redis_server: RedisServer) -> AsyncIterator[RedisBroker]:
    broker = RedisBroker(redis_server.url)
    yield broker
    await broker.aclose()


@pytest.fixture
def redis_comes_back(redis_server: RedisServer) -> Iterator[RedisServer]:
    yield redis_server
    redis_server.restart()


@asynccontextmanager
async def relaying(
    database: Database, broker: Publisher, settings: RelaySettings = QUICK
) -> AsyncIterator[OutboxRelay]:
    relay = OutboxRelay(engine=database.engine, broker=broker, service="user", settings=settings)
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def register(database: Database, *ids: int) -> None:
    for user_id in ids:
        async with database.begin() as session:
            await add(session, registration(user_id))


async def fail_to_register(database: Database, user_id: int) -> None:
    with suppress(RuntimeError):
        async with database.begin() as session:
            await add(session, registration(user_id))
            raise RuntimeError


def registration(user_id: int) -> Event[UserRegistered]:
    return Event.of(UserRegistered(user_id=user_id, email=f"{user_id}@x.example", full_name="N", role="student"))


async def streamed(redis: Any, stream: str = STREAM) -> list[int]:
    entries = await redis.xrange(stream)
    return [Event[UserRegistered].model_validate_json(fields["event"]).data.user_id for _, fields in entries]


async def eventually(is_so: Callable[[], Awaitable[bool]], *, seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not await is_so():  # noqa: ASYNC110 - servers set no asyncio.Event
            await asyncio.sleep(0.02)


async def all_published(database: Database) -> bool:
    async with database.read() as session:
        pending = sa.select(sa.func.count()).select_from(outbox).where(outbox.c.published_at.is_(None))
        return not (await session.execute(pending)).scalar_one()


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, {"service": "user", **labels}) or 0.0


async def test_only_committed_events_leave_and_in_order(database: Database, broker: RedisBroker, redis: Any) -> None:
    before = metric("smartcourse_outbox_published_total", stream=STREAM)
    await fail_to_register(database, 99)
    await register(database, *range(1, 51))
    async with relaying(database, broker):
        await eventually(lambda: all_published(database))
    assert await streamed(redis) == list(range(1, 51))
    assert metric("smartcourse_outbox_published_total", stream=STREAM) == before + 50


async def test_a_commit_wakes_the_relay_at_once(database: Database, broker: RedisBroker, redis: Any) -> None:
    async with relaying(database, broker, replace(QUICK, poll_seconds=60)):
        await register(database, 1)
        await eventually(lambda: all_published(database))
        await asyncio.sleep(0.1)
        started = time.monotonic()
        await register(database, 2)
        await eventually(lambda: all_published(database), seconds=2)
    assert time.monotonic() - started < 1
    assert await streamed(redis) == [1, 2]


async def test_several_relays_publish_each_event_once(database: Database, broker: RedisBroker, redis: Any) -> None:
    async with relaying(database, broker), relaying(database, broker), relaying(database, broker):
        await register(database, *range(1, 101))
        await eventually(lambda: all_published(database))
    assert await streamed(redis) == list(range(1, 101))


async def test_another_relay_takes_over_from_a_dead_leader(database: Database, broker: RedisBroker, redis: Any) -> None:
    dead = Lease(database.engine, lease_table, name="relay", owner="dead", seconds=1)
    assert await dead.hold()
    await register(database, 1)
    async with relaying(database, broker):
        await asyncio.sleep(0.5)
        assert await streamed(redis) == []
        await eventually(lambda: all_published(database), seconds=3)
    assert await streamed(redis) == [1]


async def test_a_leader_that_leaves_is_replaced_without_waiting(database: Database, broker: RedisBroker) -> None:
    slow = replace(QUICK, lease_seconds=60)
    async with relaying(database, broker, slow):
        await register(database, 1)
        await eventually(lambda: all_published(database))
    async with relaying(database, broker, slow):
        await register(database, 2)
        await eventually(lambda: all_published(database), seconds=2)


async def test_a_stale_leader_can_neither_mark_nor_renew(database: Database) -> None:
    old = Lease(database.engine, lease_table, name="relay", owner="old", seconds=0.3)
    new = Lease(database.engine, lease_table, name="relay", owner="new", seconds=60)
    assert await old.hold()
    assert not await new.hold()
    await asyncio.sleep(0.35)
    async with database.engine.begin() as connection:
        with pytest.raises(LeaseLostError):
            await old.confirm(connection)
    assert await new.hold()
    assert not await old.hold()
    await old.release()
    async with database.engine.begin() as connection:
        await new.confirm(connection)


async def test_a_leader_overtaken_while_it_publishes_does_not_mark(
    database: Database, broker: RedisBroker, redis: Any
) -> None:
    class Overtaken:
        """Loses the lease between the append and the mark."""

        async def append(self, *args: Any, **options: Any) -> list[str]:
            positions = await broker.append(*args, **options)
            async with database.begin() as session:
                until = sa.func.now() + sa.text("interval '1 second'")
                await session.execute(sa.update(lease_table).values(owner="another", until=until))
            return positions

        async def trim(self, *_: Any, **__: Any) -> int:
            return 0

    await register(database, 1)
    async with relaying(database, Overtaken()):
        await eventually(lambda: redis.exists(STREAM))
        await asyncio.sleep(0.1)
        assert not await all_published(database)
    async with relaying(database, broker):
        await eventually(lambda: all_published(database))
    assert set(await streamed(redis)) == {1}


async def test_nothing_is_lost_or_reordered_while_redis_is_away(
    database: Database, broker: RedisBroker, redis: Any, redis_comes_back: RedisServer
) -> None:
    failures = metric("smartcourse_outbox_failures_total")
    async with relaying(database, broker, replace(QUICK, observe_seconds=0)):
        await register(database, 1, 2)
        await eventually(lambda: all_published(database))
        redis_comes_back.stop()
        await register(database, *range(3, 60))

        async def is_reported() -> bool:
            return metric("smartcourse_outbox_pending") == 57 and metric("smartcourse_outbox_oldest_seconds") > 0

        await eventually(is_reported)
        redis_comes_back.start()
        await eventually(lambda: all_published(database))
    # Redis came back empty: what it had held before is published again, first.
    assert await streamed(redis) == list(range(1, 60))
    assert metric("smartcourse_outbox_failures_total") > failures


async def test_the_relay_survives_a_restart_of_postgres(
    database: Database, broker: RedisBroker, redis: Any, postgres_server: PostgresServer
) -> None:
    async with relaying(database, broker):
        await register(database, 1)
        await eventually(lambda: all_published(database))
        await asyncio.to_thread(postgres_server.restart)
        await register(database, 2)
        await eventually(lambda: all_published(database))
    assert await streamed(redis) == [1, 2]


async def test_a_lost_stream_is_published_again_without_being_asked(
    database: Database, broker: RedisBroker, redis: Any, redis_server: RedisServer
) -> None:
    async with relaying(database, broker):
        await register(database, *range(1, 31))
        await eventually(lambda: all_published(database))
        await redis_server.flush()
        await broker.subscribe(STREAM, "notification")  # a consumer makes the stream anew before the relay looks

        async def is_back() -> bool:
            return await streamed(redis) == list(range(1, 31))

        await eventually(is_back)
        await eventually(lambda: all_published(database))
        await register(database, 31)
        await eventually(lambda: all_published(database))
    assert await streamed(redis) == list(range(1, 32))


async def test_retained_events_can_be_published_again(database: Database, broker: RedisBroker, redis: Any) -> None:
    async with relaying(database, broker) as relay:
        await register(database, 1, 2)
        await eventually(lambda: all_published(database))
        middle = datetime.now(UTC)
        await register(database, 3)
        await eventually(lambda: all_published(database))
        assert await relay.republish(since=middle) == 1
        await eventually(lambda: all_published(database))
        assert await relay.republish(since=middle, stream="another") == 0
    assert await streamed(redis) == [1, 2, 3, 3]


async def test_published_entries_go_after_their_retention(database: Database, broker: RedisBroker) -> None:
    await register(database, 1, 2)
    async with relaying(database, broker, replace(QUICK, retention_seconds=0, housekeeping_seconds=0)):

        async def is_empty() -> bool:
            async with database.read() as session:
                return not (await session.execute(sa.select(sa.func.count()).select_from(outbox))).scalar_one()

        await eventually(is_empty)


async def test_a_raw_entry_trims_what_is_past_its_time(database: Database, broker: RedisBroker, redis: Any) -> None:
    stream, now = "smartcourse:revocations", int(time.time())
    await redis.xadd(stream, {"sids": "old"}, id=f"{(now - 120) * 1000}-0")
    await redis.xadd(stream, {"sids": "recent"}, id=f"{(now - 30) * 1000}-0")
    async with database.begin() as session:
        fields = {"sids": "a,b", "until": "1"}
        await add_stream_entry(session, service="user", stream=stream, fields=fields, keep_seconds=60)
    async with relaying(database, broker):
        await eventually(lambda: all_published(database))
    assert [fields for _, fields in await redis.xrange(stream)] == [{"sids": "recent"}, {"sids": "a,b", "until": "1"}]


async def test_a_stream_is_trimmed_only_of_what_every_group_has_acknowledged(broker: RedisBroker, redis: Any) -> None:
    now = int(time.time())
    for age_seconds in (5000, 4000, 3000, 10):
        await redis.xadd(STREAM, {"age": age_seconds}, id=f"{(now - age_seconds) * 1000}-0")
    await broker.subscribe(STREAM, "quick")
    await broker.subscribe(STREAM, "slow")
    for group, count in (("quick", 4), ("slow", 2)):
        read = await broker.read([STREAM], group=group, member="m", count=count, wait_seconds=0.1)
        acknowledged = [entry.position for entry in read][: 4 if group == "quick" else 1]
        await broker.acknowledge(STREAM, group, acknowledged)

    assert await broker.trim(STREAM, keep_seconds=60, abandon_seconds=9000) == 1, "slow still owes the second"
    assert await broker.trim(STREAM, keep_seconds=60, abandon_seconds=3500) == 1, "but not for ever"
    assert [fields["age"] for _, fields in await redis.xrange(STREAM)] == ["3000", "10"]


async def test_both_tables_can_be_made_by_a_migration(database: Database) -> None:
    from shared.events.outbox import create_outbox_tables, drop_outbox_tables

    class Operations:
        def __init__(self, connection: sa.Connection) -> None:
            self._connection = connection

        def get_bind(self) -> sa.Connection:
            return self._connection

    def make_twice(connection: sa.Connection) -> set[str]:
        operations = Operations(connection)
        create_outbox_tables(operations, "course")
        drop_outbox_tables(operations, "course")
        create_outbox_tables(operations, "course")
        names = set(sa.inspect(connection).get_table_names())
        drop_outbox_tables(operations, "course")
        return names

    async with database.engine.begin() as connection:
        assert {"course_outbox", "course_outbox_lease"} <= await connection.run_sync(make_twice)
