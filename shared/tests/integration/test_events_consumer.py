"""From the stream to its effect, on real PostgreSQL and Redis."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from redis.asyncio import Redis

from shared.database import Database, WriteSession
from shared.events.consumer import ConsumerSettings, EventConsumer, NotConsumingError
from shared.events.envelope import Event
from shared.events.handling import Handler
from shared.events.inbox import processed_table
from shared.events.outbox import EVENT_FIELD, add, outbox_tables
from shared.events.redis_streams import RedisBroker
from shared.events.relay import OutboxRelay, RelaySettings
from shared.events.user import UserRegistered
from shared.exceptions.base import UnavailableError
from shared.testing.servers import PostgresServer, RedisServer

STREAM = UserRegistered.event_type.stream
GROUP = "notification"
QUICK = ConsumerSettings(
    wait_seconds=0.2,
    attempts=3,
    deliveries=3,
    first_backoff_seconds=0.02,
    longest_backoff_seconds=0.1,
    claim_seconds=0.1,
    claim_idle_seconds=0.5,
)

metadata = sa.MetaData()
effects = sa.Table("effects", metadata, sa.Column("user_id", sa.Integer))
processed = processed_table(metadata, GROUP)
outbox_tables(metadata, "user")


@pytest.fixture(scope="module")
async def url(postgres_server: PostgresServer) -> str:
    return (await postgres_server.fresh_database()).url("notification")


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


@dataclass
class Welcomes:
    """A handler whose behaviour by person a test sets."""

    before: dict[int, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    attempts: list[int] = field(default_factory=list)

    async def handle(self, session: WriteSession, event: Event[UserRegistered]) -> None:
        user_id = event.data.user_id
        self.attempts.append(user_id)
        await session.execute(sa.insert(effects).values(user_id=user_id))
        if behaviour := self.before.get(user_id):
            await behaviour()


@asynccontextmanager
async def consuming(
    database: Database, redis_server: RedisServer, welcomes: Welcomes, settings: ConsumerSettings = QUICK
) -> AsyncIterator[EventConsumer]:
    broker = RedisBroker(redis_server.url)
    handlers = [Handler(UserRegistered, welcomes.handle)]
    consumer = EventConsumer(database=database, broker=broker, service=GROUP, handlers=handlers, settings=settings)
    task = asyncio.create_task(consumer.run())
    try:
        yield consumer
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await broker.aclose()


def registration(user_id: int) -> Event[UserRegistered]:
    return Event.of(UserRegistered(user_id=user_id, email=f"{user_id}@x.example", full_name="N", role="student"))


async def deliver(redis: Any, *events: Event[UserRegistered]) -> None:
    for event in events:
        await redis.xadd(STREAM, {EVENT_FIELD: event.model_dump_json()})


async def eventually(is_so: Callable[[], Awaitable[bool]], *, seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not await is_so():  # noqa: ASYNC110 - servers set no asyncio.Event
            await asyncio.sleep(0.02)


async def effective(database: Database) -> list[int]:
    async with database.read() as session:
        return list(await session.scalars(sa.select(effects.c.user_id)))


async def settled(redis: Any) -> bool:
    """Everything was delivered and acknowledged."""
    if not await redis.exists(STREAM) or not (groups := await redis.xinfo_groups(STREAM)):
        return False
    last = (await redis.xinfo_stream(STREAM))["last-generated-id"]
    return bool(groups[0]["pending"] == 0 and groups[0]["last-delivered-id"] == last)


async def dead_letters(redis: Any) -> list[dict[str, str]]:
    return [fields for _, fields in await redis.xrange(f"{STREAM}:dead")]


def failing(times: int, error: Exception) -> Callable[[], Awaitable[None]]:
    left = iter([error] * times)

    async def behave() -> None:
        if (failure := next(left, None)) is not None:
            raise failure

    return behave


async def test_events_from_before_the_first_consumer_have_their_effect(
    database: Database, redis: Any, redis_server: RedisServer
) -> None:
    await deliver(redis, registration(1), registration(2))
    async with consuming(database, redis_server, Welcomes()):
        await deliver(redis, registration(3))
        await eventually(lambda: settled(redis))
    assert await effective(database) == [1, 2, 3]


async def test_an_event_delivered_twice_has_its_effect_once(
    database: Database, redis: Any, redis_server: RedisServer
) -> None:
    event = registration(1)
    await deliver(redis, event, event, registration(2), event)
    async with consuming(database, redis_server, Welcomes()), consuming(database, redis_server, Welcomes()):
        await eventually(lambda: settled(redis))
    assert sorted(await effective(database)) == [1, 2]


async def test_what_a_crashed_consumer_left_is_taken_over(
    database: Database, redis: Any, redis_server: RedisServer
) -> None:
    entered = asyncio.Event()

    async def hang() -> None:
        entered.set()
        await asyncio.sleep(3600)

    await deliver(redis, registration(1), registration(2))
    async with consuming(database, redis_server, Welcomes({1: hang})):
        await entered.wait()
    assert await effective(database) == [], "the transaction of the crashed handler is rolled back"
    async with consuming(database, redis_server, Welcomes()):
        await eventually(lambda: settled(redis))
    assert await effective(database) == [1, 2]


async def test_an_entry_that_ends_every_consumer_becomes_a_dead_letter(
    database: Database, redis: Any, redis_server: RedisServer
) -> None:
    await deliver(redis, registration(1))
    broker = RedisBroker(redis_server.url)
    await broker.subscribe(STREAM, GROUP)
    await broker.read([STREAM], group=GROUP, member="1", count=1, wait_seconds=0.1)
    for member in ("2", "3"):  # each takes it over and ends
        await broker.claim(STREAM, group=GROUP, member=member, idle_seconds=0, count=1)
    await broker.aclose()
    async with consuming(database, redis_server, Welcomes()):
        await eventually(lambda: settled(redis))
    assert [letter["reason"] for letter in await dead_letters(redis)] == ["delivered 4 times without an outcome"]
    assert await effective(database) == []


async def test_a_handler_that_fails_is_tried_again_in_order(
    database: Database, redis: Any, redis_server: RedisServer
) -> None:
    welcomes = Welcomes({1: failing(2, ValueError("not yet"))})
    await deliver(redis, registration(1), registration(2))
    async with consuming(database, redis_server, welcomes):
        await eventually(lambda: settled(redis))
    assert welcomes.attempts == [1, 1, 1, 2]
    assert await effective(database) == [1, 2], "failed attempts left no effect"
    assert await dead_letters(redis) == []


async def test_a_poisonous_event_is_buried_with_its_reason_and_the_next_ones_arrive(
    database: Database, redis: Any, redis_server: RedisServer
) -> None:
    poison = registration(1)
    await redis.xadd(STREAM, {EVENT_FIELD: "no event"})
    await deliver(redis, poison, registration(2))
    async with consuming(database, redis_server, Welcomes({1: failing(99, ValueError("never"))})):
        await eventually(lambda: settled(redis))
    assert await effective(database) == [2]
    unreadable, failed = await dead_letters(redis)
    assert unreadable["reason"] == "not an event: document: json_invalid"
    assert failed["reason"] == "3 attempts failed, the last with ValueError: never"
    assert (failed["group"], failed["stream"]) == (GROUP, STREAM)
    assert Event[UserRegistered].model_validate_json(failed[EVENT_FIELD]) == poison, "it can be sent again"


async def test_a_buried_event_has_its_effect_when_it_is_sent_again(
    database: Database, redis: Any, redis_server: RedisServer
) -> None:
    await deliver(redis, registration(1))
    async with consuming(database, redis_server, Welcomes({1: failing(3, ValueError("until repaired"))})):
        await eventually(lambda: settled(redis))
        await redis.xadd(STREAM, (await dead_letters(redis))[0])
        await eventually(lambda: settled(redis))
    assert await effective(database) == [1]


async def test_an_absent_database_is_waited_for_and_buries_nothing(
    database: Database, redis: Any, redis_server: RedisServer
) -> None:
    await deliver(redis, registration(1))
    async with consuming(database, redis_server, Welcomes({1: failing(10, UnavailableError("away"))})):
        await eventually(lambda: settled(redis))
    assert await effective(database) == [1]
    assert await dead_letters(redis) == []


async def test_the_consumer_survives_a_restart_of_postgres(
    database: Database, redis: Any, redis_server: RedisServer, postgres_server: PostgresServer
) -> None:
    async with consuming(database, redis_server, Welcomes()):
        await deliver(redis, registration(1))
        await eventually(lambda: settled(redis))
        await asyncio.to_thread(postgres_server.stop)
        await deliver(redis, registration(2))
        await asyncio.sleep(0.5)
        await asyncio.to_thread(postgres_server.start)
        await eventually(lambda: settled(redis))
    assert await effective(database) == [1, 2]
    assert await dead_letters(redis) == []


async def test_events_of_no_interest_are_passed_over(database: Database, redis: Any, redis_server: RedisServer) -> None:
    event = registration(1)
    await deliver(redis, event.model_copy(update={"dataschema": "urn:smartcourse:schema:user.registered:v2"}))
    async with consuming(database, redis_server, Welcomes()):
        await eventually(lambda: settled(redis))
    assert await effective(database) == []
    assert await dead_letters(redis) == []


async def test_readiness_follows_redis(database: Database, redis: Any, redis_server: RedisServer) -> None:
    async with consuming(database, redis_server, Welcomes()) as consumer:

        async def is_ready() -> bool:
            try:
                await consumer.check()
            except NotConsumingError:
                return False
            return True

        async def is_not_ready() -> bool:
            return not await is_ready()

        await eventually(is_ready)
        await asyncio.to_thread(redis_server.stop)
        await eventually(is_not_ready)
        await asyncio.to_thread(redis_server.start)
        await eventually(is_ready)
    with pytest.raises(NotConsumingError, match="it has ended"):
        await consumer.check()


async def test_a_redis_that_comes_back_empty_loses_no_event_and_repeats_no_effect(
    database: Database, redis: Any, redis_server: RedisServer
) -> None:
    async def register(*ids: int) -> None:
        async with database.begin() as session:
            for user_id in ids:
                await add(session, registration(user_id))

    async def has(*ids: int) -> bool:
        return await effective(database) == list(ids)

    broker = RedisBroker(redis_server.url)
    settings = RelaySettings(poll_seconds=0.1, longest_backoff_seconds=0.2)
    relay = asyncio.create_task(
        OutboxRelay(engine=database.engine, broker=broker, service="user", settings=settings).run()
    )
    await register(1, 2)
    async with consuming(database, redis_server, Welcomes()):
        await eventually(lambda: has(1, 2))
    await register(3)  # published, but consumed by nobody yet
    await eventually(lambda: has_length(redis, 3))
    await asyncio.to_thread(redis_server.restart)
    async with consuming(database, redis_server, Welcomes()):
        await register(4)
        await eventually(lambda: has(1, 2, 3, 4))
        await redis_server.flush()
        await register(5)
        await eventually(lambda: has(1, 2, 3, 4, 5))
    relay.cancel()
    await asyncio.wait([relay])
    await broker.aclose()


async def has_length(redis: Any, length: int) -> bool:
    return bool(await redis.xlen(STREAM) == length)


async def test_a_consumer_that_leaves_is_forgotten(database: Database, redis: Any, redis_server: RedisServer) -> None:
    await deliver(redis, registration(1))
    async with consuming(database, redis_server, Welcomes()):
        await eventually(lambda: settled(redis))
    assert await redis.xinfo_consumers(STREAM, GROUP) == []
    await redis.xgroup_createconsumer(STREAM, GROUP, "crashed")
    async with consuming(database, redis_server, Welcomes(), replace(QUICK, housekeeping_seconds=0)):

        async def is_gone() -> bool:
            return all(member["name"] != "crashed" for member in await redis.xinfo_consumers(STREAM, GROUP))

        await eventually(is_gone)


async def test_processed_ids_are_forgotten_in_time(database: Database, redis: Any, redis_server: RedisServer) -> None:
    async def remembered() -> list[UUID]:
        async with database.read() as session:
            return list(await session.scalars(sa.select(processed.c.event_id)))

    async def is_forgotten() -> bool:
        return not await remembered()

    async with database.begin() as session:
        await session.execute(sa.insert(processed).values(event_id=UUID(int=1)))
    async with consuming(database, redis_server, Welcomes(), replace(QUICK, remember_seconds=0)):
        await eventually(is_forgotten)
