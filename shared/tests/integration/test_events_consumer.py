"""From the stream to its effect, on real PostgreSQL, Redis and Kafka."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
import structlog
from prometheus_client import REGISTRY

from shared.database import Database, WriteSession
from shared.events import inbox
from shared.events.broker import Broker, BrokerError
from shared.events.consumer import ConsumerSettings, EventConsumer
from shared.events.dead_letters import DeadLetter, DeadLetters, dead_letters_table
from shared.events.envelope import Event
from shared.events.handling import Handler
from shared.events.inbox import processed_table
from shared.events.outbox import EVENT_FIELD, add, outbox_tables
from shared.events.relay import OutboxRelay, RelaySettings
from shared.events.user import UserRegistered
from shared.exceptions.base import UnavailableError
from shared.schemas.pagination import PageQuery
from shared.telemetry import configure_logging
from shared.testing.brokers import RedisRig, Rig
from shared.testing.servers import PostgresServer

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
dead_letters_table(metadata, GROUP)
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


@dataclass
class Welcomes:
    """A handler whose behaviour by person a test sets."""

    before: dict[int, Callable[[], Awaitable[Any]]] = field(default_factory=dict)
    attempts: list[int] = field(default_factory=list)

    async def handle(self, session: WriteSession, event: Event[UserRegistered]) -> None:
        user_id = event.data.user_id
        self.attempts.append(user_id)
        await session.execute(sa.insert(effects).values(user_id=user_id))
        if behaviour := self.before.get(user_id):
            await behaviour()


@asynccontextmanager
async def consuming(
    database: Database, rig: Rig, welcomes: Welcomes, settings: ConsumerSettings = QUICK
) -> AsyncIterator[EventConsumer]:
    broker = rig.broker("notification-service")
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


async def deliver(broker: Broker, *events: Event[UserRegistered]) -> None:
    await broker.append(STREAM, [{EVENT_FIELD: event.model_dump_json()} for event in events])


async def effective(database: Database) -> list[int]:
    async with database.read() as session:
        return list(await session.scalars(sa.select(effects.c.user_id)))


async def settled(broker: Broker) -> bool:
    """Everything was delivered and acknowledged."""
    try:
        return await broker.waiting(STREAM, GROUP) == 0
    except BrokerError:  # the group is made by its first member
        return False


async def dead_letters(database: Database) -> list[DeadLetter]:
    page = await DeadLetters(database, GROUP, []).page(PageQuery())
    return page.items[::-1]


def failing(times: int, error: Exception) -> Callable[[], Awaitable[None]]:
    left = iter([error] * times)

    async def behave() -> None:
        if (failure := next(left, None)) is not None:
            raise failure

    return behave


async def test_events_from_before_the_first_consumer_have_their_effect(
    database: Database, broker: Broker, rig: Rig, eventually: Any
) -> None:
    await deliver(broker, registration(1), registration(2))
    async with consuming(database, rig, Welcomes()):
        await deliver(broker, registration(3))
        await eventually(lambda: settled(broker))
    assert await effective(database) == [1, 2, 3]


async def test_an_event_delivered_twice_has_its_effect_once(
    database: Database, broker: Broker, rig: Rig, eventually: Any
) -> None:
    event = registration(1)
    await deliver(broker, event, event, registration(2), event)
    async with consuming(database, rig, Welcomes()), consuming(database, rig, Welcomes()):
        await eventually(lambda: settled(broker))
    assert sorted(await effective(database)) == [1, 2]


async def test_what_a_crashed_consumer_left_is_taken_over(
    database: Database, broker: Broker, rig: Rig, eventually: Any
) -> None:
    entered = asyncio.Event()

    async def hang() -> None:
        entered.set()
        await asyncio.sleep(3600)

    await deliver(broker, registration(1), registration(2))
    async with consuming(database, rig, Welcomes({1: hang})):
        await entered.wait()
    assert await effective(database) == [], "the transaction of the crashed handler is rolled back"
    async with consuming(database, rig, Welcomes()):
        await eventually(lambda: settled(broker))
    assert await effective(database) == [1, 2]


async def test_an_entry_that_ends_every_consumer_becomes_a_dead_letter(
    database: Database, broker: Broker, rig: Rig, eventually: Any
) -> None:
    await deliver(broker, registration(1), registration(2))
    for member in ("1", "2", "3"):  # each is given it and ends
        victim = rig.broker("notification-service")
        await victim.subscribe(STREAM, GROUP)
        taken = await victim.claim(STREAM, group=GROUP, member=member, idle_seconds=0, count=1)
        while not taken:
            taken = await victim.read([STREAM], group=GROUP, member=member, count=2, wait_seconds=0.2)
        await victim.aclose()
    async with consuming(database, rig, Welcomes()):
        await eventually(lambda: settled(broker))
    assert [letter.reason for letter in await dead_letters(database)] == ["delivered 4 times without an outcome"]
    assert await effective(database) == [2], "what was delivered along with it is not taken for its like"


async def test_a_handler_that_fails_is_tried_again_in_order(
    database: Database, broker: Broker, rig: Rig, eventually: Any
) -> None:
    welcomes = Welcomes({1: failing(2, ValueError("not yet"))})
    await deliver(broker, registration(1), registration(2))
    async with consuming(database, rig, welcomes):
        await eventually(lambda: settled(broker))
    assert welcomes.attempts == [1, 1, 1, 2]
    assert await effective(database) == [1, 2], "failed attempts left no effect"
    assert await dead_letters(database) == []


async def test_a_poisonous_event_is_buried_with_its_reason_and_the_next_ones_arrive(
    database: Database, broker: Broker, rig: Rig, eventually: Any
) -> None:
    poison = registration(1)
    await broker.append(STREAM, [{EVENT_FIELD: "no event\x00"}])
    await deliver(broker, poison, registration(2))
    async with consuming(database, rig, Welcomes({1: failing(99, ValueError("never"))})):
        await eventually(lambda: settled(broker))
    assert await effective(database) == [2]
    unreadable, failed = await dead_letters(database)
    assert (unreadable.type, unreadable.event_id, unreadable.attempts) == ("unreadable", None, 0)
    assert unreadable.reason == "not an event: document: json_invalid"
    assert failed.reason == "3 attempts failed, the last with ValueError: never"
    assert (failed.type, failed.event_id, failed.attempts) == ("user.registered", poison.id, 3)
    assert failed.stream == STREAM
    assert Event[UserRegistered].model_validate_json(failed.fields[EVENT_FIELD]) == poison, "it can be tried again"


async def test_what_is_logged_of_a_failing_event_is_in_the_trace_of_its_cause(
    database: Database, redis_rig: RedisRig, eventually: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("notification-service")
    broker, trace_id = redis_rig.broker(), "4bf92f3577b34da6a3ce929d0e0e4736"
    await deliver(broker, registration(1).model_copy(update={"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}))
    async with consuming(database, redis_rig, Welcomes({1: failing(99, ValueError("never"))})):
        await eventually(lambda: settled(broker))
    await broker.aclose()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = [line for line in lines if line["message"] in ("consumer failed, trying again", "event is a dead letter")]
    assert [line.get("trace_id") for line in told] == [trace_id] * 3
    logging.getLogger().handlers = []
    structlog.reset_defaults()


async def test_an_event_that_is_buried_twice_is_one_dead_letter(
    database: Database, broker: Broker, rig: Rig, eventually: Any
) -> None:
    poison = registration(1)
    await deliver(broker, poison, poison)
    async with consuming(database, rig, Welcomes({1: failing(99, ValueError("never"))})):
        await eventually(lambda: settled(broker))
    [letter] = await dead_letters(database)
    assert letter.attempts == 6


async def test_an_absent_database_is_waited_for_and_buries_nothing(
    database: Database, broker: Broker, rig: Rig, eventually: Any
) -> None:
    await deliver(broker, registration(1))
    async with consuming(database, rig, Welcomes({1: failing(10, UnavailableError("away"))})):
        await eventually(lambda: settled(broker))
    assert await effective(database) == [1]
    assert await dead_letters(database) == []


async def test_the_consumer_survives_a_restart_of_postgres(
    database: Database, broker: Broker, rig: Rig, eventually: Any, postgres_server: PostgresServer
) -> None:
    async with consuming(database, rig, Welcomes()):
        await deliver(broker, registration(1))
        await eventually(lambda: settled(broker))
        await asyncio.to_thread(postgres_server.stop)
        await deliver(broker, registration(2))
        await asyncio.sleep(0.5)
        await asyncio.to_thread(postgres_server.start)
        await eventually(lambda: settled(broker))
    assert await effective(database) == [1, 2]
    assert await dead_letters(database) == []


async def test_events_of_no_interest_are_passed_over(
    database: Database, broker: Broker, rig: Rig, eventually: Any
) -> None:
    other = {"type": "user.renamed", "dataschema": "urn:smartcourse:schema:user.renamed:v1"}
    await deliver(broker, registration(1).model_copy(update=other))
    async with consuming(database, rig, Welcomes()):
        await eventually(lambda: settled(broker))
    assert await effective(database) == []
    assert await dead_letters(database) == []


async def test_a_version_that_is_not_known_yet_is_kept_to_be_replayed(
    database: Database, broker: Broker, rig: Rig, eventually: Any
) -> None:
    event = registration(1)
    await deliver(broker, event.model_copy(update={"dataschema": "urn:smartcourse:schema:user.registered:v2"}))
    async with consuming(database, rig, Welcomes()):
        await eventually(lambda: settled(broker))
    assert await effective(database) == []
    [letter] = await dead_letters(database)
    assert letter.event_id == event.id
    assert "user.registered:v2" in letter.reason


async def test_whether_events_arrive_is_measured(database: Database, broker: Broker, rig: Rig, eventually: Any) -> None:
    async def is_measured(consuming: int) -> bool:
        return REGISTRY.get_sample_value("smartcourse_events_consuming", {"service": GROUP}) == consuming

    async with consuming(database, rig, Welcomes()):
        await eventually(lambda: is_measured(1))
        await asyncio.to_thread(rig.server.stop)
        await eventually(lambda: is_measured(0))
        await asyncio.to_thread(rig.server.start)
        await eventually(lambda: is_measured(1))
    assert await is_measured(0), "it has ended"


async def test_a_broker_that_loses_its_streams_loses_no_event_and_repeats_no_effect(
    database: Database, broker: Broker, rig: Rig, eventually: Any
) -> None:
    async def register(*ids: int) -> None:
        async with database.begin() as session:
            for user_id in ids:
                await add(session, registration(user_id))

    async def has(*ids: int) -> bool:
        return await effective(database) == list(ids)

    async def holds(count: int) -> bool:
        return len(await rig.entries(STREAM)) == count

    settings = RelaySettings(poll_seconds=0.1, longest_backoff_seconds=0.2)
    relay = OutboxRelay(engine=database.engine, broker=broker, service="user", settings=settings)
    task = asyncio.create_task(relay.run())
    await register(1, 2)
    async with consuming(database, rig, Welcomes()):
        await eventually(lambda: has(1, 2))
    await register(3)  # published, but consumed by nobody yet
    await eventually(lambda: holds(3))
    await asyncio.to_thread(rig.server.restart)
    async with consuming(database, rig, Welcomes()):
        await register(4)
        await eventually(lambda: has(1, 2, 3, 4))
        await rig.lose()
        await register(5)
        await eventually(lambda: has(1, 2, 3, 4, 5))
    task.cancel()
    await asyncio.wait([task])


async def test_what_waits_and_what_was_given_up_is_measured(
    database: Database, broker: Broker, rig: Rig, eventually: Any
) -> None:
    hold = asyncio.Event()
    welcomes = Welcomes({1: failing(99, ValueError("never")), 3: hold.wait})
    labels = {"service": GROUP, "stream": STREAM}

    async def is_measured() -> bool:
        waiting = REGISTRY.get_sample_value("smartcourse_events_waiting", labels)
        return (waiting, REGISTRY.get_sample_value("smartcourse_dead_letters", {"service": GROUP})) == (0, 1)

    await deliver(broker, *map(registration, range(1, 6)))
    async with consuming(database, rig, welcomes, replace(QUICK, observe_seconds=0)):
        await eventually(lambda: effective_is(database, 2))
        assert await broker.waiting(STREAM, GROUP) >= 3, "the third has no outcome yet"
        hold.set()
        await eventually(is_measured)


@pytest.mark.parametrize("acknowledge_seconds", [0, 3600])
async def test_what_is_settled_is_acknowledged_although_the_rest_of_its_batch_takes_long(
    database: Database, broker: Broker, rig: Rig, eventually: Any, acknowledge_seconds: float
) -> None:
    hold = asyncio.Event()
    settings = replace(QUICK, acknowledge_seconds=acknowledge_seconds)

    async def only_the_last_is_owed() -> bool:
        return await broker.waiting(STREAM, GROUP) <= 2  # Kafka counts the end of the transaction as well

    await deliver(broker, *map(registration, range(1, 4)))
    async with consuming(database, rig, Welcomes({3: hold.wait}), settings):
        await eventually(lambda: effective_is(database, 1, 2))
        if acknowledge_seconds:
            assert not await only_the_last_is_owed(), "batches are acknowledged as a whole"
        else:
            await eventually(only_the_last_is_owed)
    assert await only_the_last_is_owed(), "at the latest when it leaves"


async def effective_is(database: Database, *ids: int) -> bool:
    return await effective(database) == list(ids)


async def test_housekeeping_that_takes_too_long_holds_up_no_event(
    database: Database, url: str, broker: Broker, rig: Rig, eventually: Any
) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(sa.insert(processed).values(event_id=UUID(int=1)))
        await connection.execute(
            sa.text(
                "CREATE OR REPLACE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN PERFORM pg_sleep(60); RETURN OLD; END $$"
            )
        )
        await connection.execute(
            sa.text(f"CREATE TRIGGER never BEFORE DELETE ON {processed.name} FOR EACH ROW EXECUTE FUNCTION never()")
        )
    hurried = Database(url, statement_timeout_seconds=1)
    await deliver(broker, registration(1))
    async with consuming(hurried, rig, Welcomes(), replace(QUICK, remember_seconds=0)):
        await eventually(lambda: effective_is(database, 1), seconds=20)
    await hurried.dispose()


async def test_many_processed_ids_are_forgotten_some_at_a_time(
    database: Database, broker: Broker, rig: Rig, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "FORGOTTEN_AT_ONCE", 3)
    async with database.begin() as session:
        await session.execute(sa.insert(processed), [{"event_id": UUID(int=number)} for number in range(10)])
    async with database.begin() as session:
        assert await inbox.Inbox(GROUP).forget(session, after_seconds=0)
    assert await remembered(database) == 7
    async with consuming(database, rig, Welcomes(), replace(QUICK, remember_seconds=0)):
        await eventually(lambda: is_forgotten(database))


async def test_processed_ids_are_forgotten_in_time(
    database: Database, broker: Broker, rig: Rig, eventually: Any
) -> None:
    async with database.begin() as session:
        await session.execute(sa.insert(processed).values(event_id=UUID(int=1)))
    async with consuming(database, rig, Welcomes(), replace(QUICK, remember_seconds=0)):
        await eventually(lambda: is_forgotten(database))


async def remembered(database: Database) -> int:
    async with database.read() as session:
        return (await session.execute(sa.select(sa.func.count()).select_from(processed))).scalar_one()


async def is_forgotten(database: Database) -> bool:
    return not await remembered(database)
