"""A service made of two revisions, on a database of its own; and both brokers."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest

from shared.database import Database
from shared.events.broker import Broker
from shared.testing.brokers import KafkaRig, RedisRig, Rig
from shared.testing.servers import PostgresServer, RedisServer, TestDatabase

FIRST = '''
"""Things."""
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0001", None

def upgrade():
    op.create_table(
        "things",
        sa.Column("id", sa.Integer, sa.Identity(), nullable=False),
        sa.Column("name", sa.String(50), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_things"),
        sa.UniqueConstraint("name", name="uq_things_name"),
    )
'''
SECOND = '''
"""Things have a weight."""
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0002", "0001"

def upgrade():
    op.add_column("things", sa.Column("weight_grams", sa.Integer))
'''
THIRD = '''
"""Things have no name."""
from alembic import op
revision, down_revision = "0003", "0002"
phase = "contract"

def upgrade():
    op.drop_column("things", "name")
'''
FOURTH = '''
"""Things have a colour."""
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0004", "0003"

def upgrade():
    op.add_column("things", sa.Column("colour", sa.String(20)))
'''
Package = Callable[..., str]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """Make a package of revisions: `package("0001 …source…", …)` returns its name."""
    monkeypatch.syspath_prepend(str(tmp_path))
    made = 0

    def make(*sources: str) -> str:
        nonlocal made
        made += 1
        name = f"things_service_{made}"
        versions = tmp_path / name / "migrations" / "versions"
        versions.mkdir(parents=True)
        (tmp_path / name / "__init__.py").touch()
        for number, source in enumerate(sources, start=1):
            (versions / f"{number:04}.py").write_text(source)
        sys.path_importer_cache.clear()
        return name

    return make


@pytest.fixture
def first() -> str:
    return FIRST


@pytest.fixture
def second() -> str:
    return SECOND


@pytest.fixture
def third() -> str:
    """The contract revision of the release that `second` expands for."""
    return THIRD


@pytest.fixture
def fourth() -> str:
    """What the release after it expands."""
    return FOURTH


@pytest.fixture
async def fresh(postgres_server: PostgresServer) -> TestDatabase:
    """A database with roles and without tables."""
    return await postgres_server.fresh_database()


@pytest.fixture(scope="session")
async def things(postgres_server: PostgresServer) -> TestDatabase:
    """A database with the table `things`, which belongs to user_owner."""
    database = await postgres_server.fresh_database()
    connection = await asyncpg.connect(database.url("user"))
    await connection.execute(
        "SET ROLE user_owner;"
        "CREATE TABLE things (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE)"
    )
    await connection.close()
    return database


@pytest.fixture
async def database(things: TestDatabase) -> AsyncIterator[Database]:
    await things.truncate()
    database = Database(things.url("user"), pool_size=2, max_overflow=0, pool_timeout_seconds=0.5,
                        statement_timeout_seconds=1)  # fmt: skip
    yield database
    await database.dispose()


@pytest.fixture
async def redis_rig(redis_server: RedisServer) -> RedisRig:
    await redis_server.flush()
    return RedisRig(redis_server)


@pytest.fixture(params=["redis", "kafka"])
async def rig(request: pytest.FixtureRequest) -> Rig:
    """The test holds for both brokers."""
    server = request.getfixturevalue(f"{request.param}_server")
    rig = KafkaRig(server) if request.param == "kafka" else RedisRig(server)
    await rig.lose()
    return rig


@pytest.fixture
async def broker(rig: Rig) -> AsyncIterator[Broker]:
    """A client of the service that publishes."""
    broker = rig.broker()
    yield broker
    await broker.aclose()


@pytest.fixture
def eventually() -> Callable[..., Awaitable[None]]:
    """Wait until what is asked becomes so: `await eventually(is_so)`."""

    async def wait(is_so: Callable[[], Awaitable[bool]], *, seconds: float = 60) -> None:
        async with asyncio.timeout(seconds):
            while not await is_so():  # noqa: ASYNC110 - servers set no asyncio.Event
                await asyncio.sleep(0.02)

    return wait
