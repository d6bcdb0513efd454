"""From the outbox to the stream, on real PostgreSQL, Redis and Kafka."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client import REGISTRY

from shared.database import Database
from shared.events import store
from shared.events.broker import Broker, Publisher, Trimmed
from shared.events.envelope import Event
from shared.events.lease import Lease, LeaseLostError
from shared.events.outbox import add, outbox_tables
from shared.events.redis_streams import RedisBroker
from shared.events.relay import OutboxRelay, RelaySettings
from shared.events.user import UserRegistered
from shared.testing.brokers import Rig
from shared.testing.processes import free_port
from shared.testing.server import Server
from shared.testing.servers import PostgresServer

STREAM = UserRegistered.event_type.stream
QUICK = RelaySettings(batch_size=20, poll_seconds=0.2, first_backoff_seconds=0.05, longest_backoff_seconds=0.2)

SLOWLY = sa.text(
    "CREATE OR REPLACE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN PERFORM pg_sleep(0.1); RETURN NEW; END $$"
)

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
async def server_comes_back(rig: Rig) -> AsyncIterator[Server]:
    yield rig.server
    await asyncio.to_thread(rig.server.restart)


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


async def streamed(rig: Rig) -> list[int]:
    return [Event[UserRegistered].model_validate_json(each["event"]).data.user_id for each in await rig.entries(STREAM)]


async def all_published(database: Database) -> bool:
    async with database.read() as session:
        pending = sa.select(sa.func.count()).select_from(outbox).where(outbox.c.published_at.is_(None))
        return not (await session.execute(pending)).scalar_one()


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, {"service": "user", **labels}) or 0.0


async def test_only_committed_events_leave_and_in_order(
    database: Database, eventually: Any, broker: Broker, rig: Rig
) -> None:
    before = metric("smartcourse_outbox_published_total", stream=STREAM)
    await fail_to_register(database, 99)
    await register(database, *range(1, 51))
    async with relaying(database, broker):
        await eventually(lambda: all_published(database))
    assert await streamed(rig) == list(range(1, 51))
    assert metric("smartcourse_outbox_published_total", stream=STREAM) == before + 50


async def test_a_commit_wakes_the_relay_at_once(database: Database, eventually: Any, broker: Broker, rig: Rig) -> None:
    async with relaying(database, broker, replace(QUICK, poll_seconds=60)):
        await register(database, 1)
        await eventually(lambda: all_published(database))
        await asyncio.sleep(0.1)
        started = time.monotonic()
        await register(database, 2)
        await eventually(lambda: all_published(database), seconds=2)
    assert time.monotonic() - started < 1
    assert await streamed(rig) == [1, 2]


async def test_several_relays_publish_each_event_once(
    database: Database, eventually: Any, broker: Broker, rig: Rig
) -> None:
    async with relaying(database, broker), relaying(database, broker), relaying(database, broker):
        await register(database, *range(1, 101))
        await eventually(lambda: all_published(database))
    assert await streamed(rig) == list(range(1, 101))


async def test_another_relay_takes_over_from_a_dead_leader(
    database: Database, eventually: Any, broker: Broker, rig: Rig
) -> None:
    dead = Lease(database.engine, lease_table, name="relay", owner="dead", seconds=1)
    assert await dead.hold()
    await register(database, 1)
    async with relaying(database, broker):
        await asyncio.sleep(0.5)
        assert await streamed(rig) == []
        await eventually(lambda: all_published(database), seconds=10)
    assert await streamed(rig) == [1]


async def test_a_leader_that_leaves_is_replaced_without_waiting(
    database: Database, eventually: Any, broker: Broker
) -> None:
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


async def test_a_relay_that_no_longer_leads_tells_of_no_backlog(database: Database, eventually: Any) -> None:
    async def is_seen(leads: bool) -> bool:
        names = ("smartcourse_outbox_leader", "smartcourse_outbox_pending", "smartcourse_outbox_oldest_seconds")
        return all((metric(name) > 0) is leads for name in names)

    async def take_the_lease() -> None:
        async with database.begin() as session:
            until = sa.func.now() + sa.text("interval '1 minute'")
            await session.execute(sa.update(lease_table).values(owner="another", until=until))

    broker = RedisBroker(f"redis://127.0.0.1:{free_port()}")
    await register(database, 1)
    async with relaying(database, broker, replace(QUICK, observe_seconds=0)):
        await eventually(lambda: is_seen(leads=True), seconds=20)
        await take_the_lease()
        await eventually(lambda: is_seen(leads=False), seconds=20)
    await broker.aclose()


async def test_a_leader_overtaken_while_it_publishes_does_not_mark(
    database: Database, eventually: Any, broker: Broker, rig: Rig
) -> None:
    class Overtaken:
        """Loses the lease between the append and the mark."""

        async def append(self, *args: Any, **options: Any) -> list[str]:
            positions = await broker.append(*args, **options)
            async with database.begin() as session:
                until = sa.func.now() + sa.text("interval '1 second'")
                await session.execute(sa.update(lease_table).values(owner="another", until=until))
            return positions

        async def trim(self, *_: Any, **__: Any) -> Trimmed:
            return Trimmed()

    async def is_appended() -> bool:
        return await streamed(rig) != []

    await register(database, 1)
    async with relaying(database, Overtaken()):
        await eventually(is_appended)
        await asyncio.sleep(0.1)
        assert not await all_published(database)
    async with relaying(database, broker):
        await eventually(lambda: all_published(database))
    assert set(await streamed(rig)) == {1}


async def test_nothing_is_lost_or_reordered_while_the_broker_is_away(
    database: Database, eventually: Any, broker: Broker, rig: Rig, server_comes_back: Server
) -> None:
    failures = metric("smartcourse_outbox_failures_total")
    async with relaying(database, broker, replace(QUICK, observe_seconds=0)):
        await register(database, 1, 2)
        await eventually(lambda: all_published(database))
        await asyncio.to_thread(server_comes_back.stop)
        await register(database, *range(3, 60))

        async def is_reported() -> bool:
            return metric("smartcourse_outbox_pending") == 57 and metric("smartcourse_outbox_oldest_seconds") > 0

        await eventually(is_reported)
        await asyncio.to_thread(server_comes_back.start)
        await eventually(lambda: all_published(database))
    # Redis came back empty, and what it had held before was published again, first; Kafka had kept it.
    assert await streamed(rig) == list(range(1, 60))
    assert metric("smartcourse_outbox_failures_total") > failures


async def test_the_relay_survives_a_restart_of_postgres(
    database: Database, eventually: Any, broker: Broker, rig: Rig, postgres_server: PostgresServer
) -> None:
    async with relaying(database, broker):
        await register(database, 1)
        await eventually(lambda: all_published(database))
        await asyncio.to_thread(postgres_server.restart)
        await register(database, 2)
        await eventually(lambda: all_published(database))
    assert await streamed(rig) == [1, 2]


async def test_a_lost_stream_is_published_again_without_being_asked(
    database: Database, eventually: Any, broker: Broker, rig: Rig
) -> None:
    async with relaying(database, broker):
        await register(database, *range(1, 31))
        await eventually(lambda: all_published(database))
        await rig.lose()
        await broker.subscribe(STREAM, "notification")  # a consumer makes the stream anew before the relay looks

        async def is_back() -> bool:
            return await streamed(rig) == list(range(1, 31))

        await eventually(is_back)
        await eventually(lambda: all_published(database))
        await register(database, 31)
        await eventually(lambda: all_published(database))
    assert await streamed(rig) == list(range(1, 32))


async def test_a_stream_is_restored_in_statements_that_each_take_little_time(
    database: Database, url: str, eventually: Any, broker: Broker, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "COUNT_LIMIT", 4)
    hurried = Database(url, statement_timeout_seconds=2)
    async with relaying(database, broker):
        await register(database, *range(1, 31))
        await eventually(lambda: all_published(database))
    async with database.engine.begin() as connection:
        await connection.execute(SLOWLY)
        await connection.execute(
            sa.text(
                "CREATE TRIGGER slowly BEFORE UPDATE ON user_outbox FOR EACH ROW "
                "WHEN (NEW.published_at IS NULL) EXECUTE FUNCTION slowly()"
            )
        )
    await rig.lose()

    async def is_back() -> bool:
        return await streamed(rig) == list(range(1, 31))

    async with relaying(hurried, broker):
        await eventually(is_back, seconds=30)
    await hurried.dispose()


async def test_retained_events_can_be_published_again(
    database: Database, eventually: Any, broker: Broker, rig: Rig
) -> None:
    async with relaying(database, broker) as relay:
        await register(database, 1, 2)
        await eventually(lambda: all_published(database))
        middle = datetime.now(UTC)
        await register(database, 3)
        await eventually(lambda: all_published(database))
        assert await relay.republish(since=middle) == 1
        await eventually(lambda: all_published(database))
        assert await relay.republish(since=middle, stream="another") == 0
    assert await streamed(rig) == [1, 2, 3, 3]


async def test_published_entries_go_after_their_retention(database: Database, eventually: Any, broker: Broker) -> None:
    await register(database, 1, 2)
    async with relaying(database, broker, replace(QUICK, retention_seconds=0, housekeeping_seconds=0)):

        async def is_empty() -> bool:
            async with database.read() as session:
                return not (await session.execute(sa.select(sa.func.count()).select_from(outbox))).scalar_one()

        await eventually(is_empty)


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
