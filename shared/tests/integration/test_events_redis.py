"""What only Redis Streams do: trimming, members, and a cluster switched from it or to it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from structlog.testing import capture_logs

from shared.database import Database
from shared.events.broker import Broker, StreamBehindError, Trimmed
from shared.events.brokers import KafkaBesideRedis
from shared.events.consumer import ConsumerSettings, EventConsumer
from shared.events.dead_letters import dead_letters_table
from shared.events.envelope import Event
from shared.events.handling import Handler
from shared.events.inbox import processed_table
from shared.events.kafka import KafkaOptions
from shared.events.outbox import add, add_stream_entry, outbox_tables
from shared.events.redis_streams import RedisBroker
from shared.events.relay import OutboxRelay, RelaySettings
from shared.events.user import UserRegistered
from shared.testing.brokers import RedisRig
from shared.testing.processes import free_port
from shared.testing.servers import PostgresServer, RedisServer

STREAM = UserRegistered.event_type.stream
GROUP = "notification"

metadata = sa.MetaData()
outbox, _ = outbox_tables(metadata, "user")
processed_table(metadata, GROUP)
dead_letters_table(metadata, GROUP)


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
async def broker(redis_server: RedisServer) -> AsyncIterator[Broker]:
    await redis_server.flush()
    broker = RedisRig(redis_server).broker()
    yield broker
    await broker.aclose()


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Any]:
    async with Redis.from_url(redis_server.url, decode_responses=True, protocol=2) as client:
        yield client


def registration() -> Event[UserRegistered]:
    return Event.of(UserRegistered(user_id=1, email="a@x.example", full_name="N", role="student"))


async def pending(database: Database) -> int:
    async with database.read() as reading:
        counted = sa.select(sa.func.count()).where(outbox.c.published_at.is_(None))
        return (await reading.execute(counted)).scalar_one()


async def all_published(database: Database) -> bool:
    return not await pending(database)


async def welcome(session: Any, event: Event[UserRegistered]) -> None: ...


async def test_a_raw_entry_trims_what_is_past_its_time(
    database: Database, broker: Broker, redis: Any, eventually: Any
) -> None:
    stream, now = "smartcourse:revocations", int(time.time())
    await redis.xadd(stream, {"sids": "old"}, id=f"{(now - 120) * 1000}-0")
    await redis.xadd(stream, {"sids": "recent"}, id=f"{(now - 30) * 1000}-0")
    async with database.begin() as session:
        fields = {"sids": "a,b", "until": "1"}
        await add_stream_entry(session, service="user", stream=stream, fields=fields, keep_seconds=60)

    task = asyncio.create_task(OutboxRelay(engine=database.engine, broker=broker, service="user").run())
    await eventually(lambda: all_published(database))
    await ended(task)
    assert [fields for _, fields in await redis.xrange(stream)] == [{"sids": "recent"}, {"sids": "a,b", "until": "1"}]


async def test_a_full_redis_is_trimmed_and_takes_events_again(
    database: Database, broker: Broker, redis: Any, redis_server: RedisServer, eventually: Any
) -> None:
    two_hours_ago = f"{(int(time.time()) - 7200) * 1000}-*"
    for _ in range(20):
        last = await redis.xadd(STREAM, {"event": "x" * 500_000}, id=two_hours_ago)
    await redis.xgroup_create(STREAM, GROUP, id="$")  # it has acknowledged all of it
    async with database.begin() as session:
        published = {"stream": STREAM, "payload": {}, "published_at": sa.func.now(), "published_as": last}
        await session.execute(sa.insert(outbox).values(published))
        await add(session, registration())
    used_bytes = (await redis.info("memory"))["used_memory"]
    admin = Redis.from_url(redis_server.admin_url)
    await admin.config_set("maxmemory", used_bytes - 2_000_000)
    task = asyncio.create_task(OutboxRelay(engine=database.engine, broker=broker, service="user").run())
    try:
        await eventually(lambda: all_published(database))
    finally:
        await admin.config_set("maxmemory", 0)
        await admin.aclose()
        await ended(task)
    assert [json.loads(fields["event"])["type"] for _, fields in await redis.xrange(STREAM)] == ["user.registered"]


async def test_a_revocation_does_not_wait_for_kafka(
    database: Database, redis_server: RedisServer, redis: Any, eventually: Any
) -> None:
    stream = "smartcourse:revocations"
    nobody_listens = KafkaOptions(f"127.0.0.1:{free_port()}", "user-service")
    broker = KafkaBesideRedis(nobody_listens, RedisBroker(redis_server.url))
    async with database.begin() as session:
        for _ in range(3):  # a batch of events stands before it
            await add(session, registration())
        await add_stream_entry(session, service="user", stream=stream, fields={"sids": "a"}, keep_seconds=60)

    async def has_arrived() -> bool:
        return await redis.xlen(stream) == 1 and await pending(database) == 3

    settings = RelaySettings(batch_size=2, longest_backoff_seconds=0.2)
    relay = OutboxRelay(engine=database.engine, broker=broker, service="user", settings=settings)
    task = asyncio.create_task(relay.run())
    await eventually(has_arrived, seconds=30)
    await ended(task)
    await broker.aclose()


async def test_a_stream_is_trimmed_only_of_what_every_group_has_acknowledged(broker: Broker, redis: Any) -> None:
    now = int(time.time())
    for age_seconds in (5000, 4000, 3000, 10):
        await redis.xadd(STREAM, {"age": age_seconds}, id=f"{(now - age_seconds) * 1000}-0")
    await broker.subscribe(STREAM, "quick")
    await broker.subscribe(STREAM, "slow")
    for group, count in (("quick", 4), ("slow", 2)):
        read = await broker.read([STREAM], group=group, member="m", count=count, wait_seconds=0.1)
        acknowledged = [entry.position for entry in read][: 4 if group == "quick" else 1]
        await broker.acknowledge(STREAM, group, acknowledged)

    owed = await broker.trim(STREAM, keep_seconds=60, abandon_seconds=9000)
    assert owed == Trimmed(settled=1), "slow still owes the second"
    assert await broker.trim(STREAM, keep_seconds=60, abandon_seconds=3500) == Trimmed(abandoned=1), "but not for ever"
    assert [fields["age"] for _, fields in await redis.xrange(STREAM)] == ["3000", "10"]


async def test_what_nobody_has_consumed_yet_waits_for_its_first_consumer(broker: Broker, redis: Any) -> None:
    two_days_ago = f"{(int(time.time()) - 2 * 86_400) * 1000}-0"
    await redis.xadd(STREAM, {"event": "{}"}, id=two_days_ago)
    assert await broker.trim(STREAM, keep_seconds=60, abandon_seconds=7 * 86_400) == Trimmed()
    await broker.subscribe(STREAM, GROUP)
    assert await broker.read([STREAM], group=GROUP, member="m", count=1, wait_seconds=0.1)


async def test_what_is_given_up_unacknowledged_is_counted_and_logged(
    database: Database, broker: Broker, redis: Any, eventually: Any
) -> None:
    def abandoned() -> float:
        labels = {"service": "user", "stream": STREAM}
        return REGISTRY.get_sample_value("smartcourse_outbox_abandoned_total", labels) or 0.0

    async def is_counted() -> bool:
        return abandoned() == before + 2

    before, now = abandoned(), int(time.time())
    await broker.subscribe(STREAM, GROUP)
    for days in (9, 8):
        last = await redis.xadd(STREAM, {"event": "{}"}, id=f"{(now - days * 86_400) * 1000}-0")
    async with database.begin() as session:
        published = {"stream": STREAM, "payload": {}, "published_at": sa.func.now(), "published_as": last}
        await session.execute(sa.insert(outbox).values(published))
    with capture_logs() as lines:
        task = asyncio.create_task(OutboxRelay(engine=database.engine, broker=broker, service="user").run())
        await eventually(is_counted, seconds=20)
        await ended(task)
    [line] = [line for line in lines if line["log_level"] == "error"]
    assert (line["stream"], line["entries"]) == (STREAM, 2)


async def test_a_consumer_that_leaves_is_forgotten_and_one_that_crashed_is_in_time(
    database: Database, broker: Broker, redis: Any, eventually: Any
) -> None:
    async def members() -> list[str]:
        return [member["name"] for member in await redis.xinfo_consumers(STREAM, GROUP)]

    async def is_gone() -> bool:
        return "crashed" not in await members()

    async def owes_nothing() -> bool:
        return await broker.waiting(STREAM, GROUP) == 0

    await broker.append(STREAM, [{"event": registration().model_dump_json()}])
    await broker.subscribe(STREAM, GROUP)
    await redis.xgroup_createconsumer(STREAM, GROUP, "crashed")
    consumer = EventConsumer(
        database=database,
        broker=broker,
        service=GROUP,
        handlers=[Handler(UserRegistered, welcome)],
        settings=ConsumerSettings(wait_seconds=0.1, housekeeping_seconds=0),
    )
    task = asyncio.create_task(consumer.run())
    await eventually(is_gone)
    await eventually(owes_nothing)  # who leaves with an event in hand stays known by it
    await ended(task)
    assert await members() == []


async def test_a_position_of_another_broker_was_never_reached(broker: Broker) -> None:
    [position] = await broker.append(STREAM, [{"event": "{}"}])
    await broker.append(STREAM, [], after=position)
    with pytest.raises(StreamBehindError):
        await broker.append(STREAM, [], after="1,0,0")


async def test_entries_that_were_deleted_out_of_turn_do_not_count_as_waiting(broker: Broker, redis: Any) -> None:
    first, _, last = await broker.append(STREAM, [{"event": "{}"}] * 3)
    await broker.subscribe(STREAM, GROUP)
    assert await broker.waiting(STREAM, GROUP) == 3
    await broker.read([STREAM], group=GROUP, member="m", count=1, wait_seconds=0.1)
    await redis.xdel(STREAM, last)
    assert await broker.waiting(STREAM, GROUP) == 2
    await broker.acknowledge(STREAM, GROUP, [first])
    assert await broker.waiting(STREAM, GROUP) >= 1


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
