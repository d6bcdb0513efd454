"""Whatever is killed between any two steps: nothing is lost, and nothing is repeated in effect. Real processes."""

import asyncio
import dataclasses
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from shared.database import Database
from shared.events.dead_letters import dead_letters_table
from shared.events.envelope import Event
from shared.events.inbox import processed_table
from shared.events.outbox import add, outbox_tables
from shared.events.user import UserRegistered
from shared.testing.brokers import KafkaRig, Rig
from shared.testing.servers import PostgresServer, RedisServer

STEPS = [
    "before append",
    "after append",
    "before mark",
    "after mark",
    "after read",
    "before effect",
    "after effect",
    "before burial",
    "after burial",
    "before acknowledgement",
    "after acknowledgement",
]
POISONOUS = 3

metadata = sa.MetaData()
effects = sa.Table("effects", metadata, sa.Column("user_id", sa.Integer))
outbox, _ = outbox_tables(metadata, "user")
processed_table(metadata, "notification")
letters = dead_letters_table(metadata, "notification")


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


@asynccontextmanager
async def running(rig: Rig, url: str, *, until: str | None = None) -> AsyncIterator[asyncio.subprocess.Process]:
    """The process, killed at the end; with ``until`` it has reached that step and waits."""
    if isinstance(rig, KafkaRig):
        kind, options = "kafka", dataclasses.asdict(rig.options())
    else:
        assert isinstance(rig.server, RedisServer)
        kind, options = "redis", {"url": rig.server.url}
    script = str(Path(__file__).with_name("crashing.py"))
    arguments = json.dumps({"kind": kind, "options": options, "database_url": url, "step": until})
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, script, arguments, stdin=pipe, stdout=pipe)
    try:
        if until:
            await reaches(process, until)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def reaches(process: asyncio.subprocess.Process, step: str) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while (line := (await process.stdout.readline()).decode()) != f"{step}\n":
            assert line, "it ended before"


async def register(database: Database, *ids: int) -> None:
    for user_id in ids:
        data = UserRegistered(user_id=user_id, email=f"{user_id}@x.example", full_name="N", role="student")
        async with database.begin() as session:
            await add(session, Event.of(data))


async def is_settled(database: Database) -> bool:
    """Every event is published and has its effect, or is a dead letter."""
    async with database.read() as session:
        pending = await session.scalar(sa.select(sa.func.count()).where(outbox.c.published_at.is_(None)))
        done = await session.scalar(sa.select(sa.func.count()).select_from(effects))
        buried = await session.scalar(sa.select(sa.func.count()).select_from(letters))
    return (pending, done, buried) == (0, 5, 1)


async def check_effects(database: Database) -> None:
    async with database.read() as session:
        assert list(await session.scalars(sa.select(effects.c.user_id))) == [1, 2, 4, 5, 6]
        [fields] = await session.scalars(sa.select(letters.c.fields))
    assert json.loads(fields["event"])["data"]["user_id"] == POISONOUS


@pytest.mark.parametrize("step", STEPS)
async def test_a_killed_process_loses_nothing_and_its_successor_repeats_nothing(
    rig: Rig, database: Database, url: str, eventually: Any, step: str
) -> None:
    await register(database, 1, 2, 3, 4, 5)
    async with running(rig, url, until=step):
        await register(database, 6)
    async with running(rig, url):
        await eventually(lambda: is_settled(database))
    await check_effects(database)


@pytest.mark.parametrize("step", STEPS)
async def test_a_killed_broker_loses_nothing_and_nothing_is_repeated(
    rig: Rig, database: Database, url: str, eventually: Any, step: str
) -> None:
    await register(database, 1, 2, 3, 4, 5)
    async with running(rig, url, until=step) as process:
        await asyncio.to_thread(rig.server.kill)
        await register(database, 6)
        await asyncio.to_thread(rig.server.start)
        assert process.stdin is not None
        process.stdin.write(b"\n")
        await eventually(lambda: is_settled(database))
    await check_effects(database)
