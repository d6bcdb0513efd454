"""Each service migrates its own tables, as their owner, one process at a time."""

import asyncio
import subprocess
import sys

import asyncpg
import pytest
from sqlalchemy import Column, Identity, Integer, MetaData, String, Table

from shared.database import NAMING_CONVENTION
from shared.migrations import MigrationError, Migrations
from shared.testing.servers import PostgresServer, TestDatabase


async def fetch(database: TestDatabase, query: str) -> object:
    connection = await asyncpg.connect(database.admin_url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_upgrade_makes_tables_that_belong_to_the_services_owner(fresh: TestDatabase, package, first) -> None:
    await Migrations(package(first), "user").upgrade(fresh.url("user"))
    for table in ("things", "user_alembic_version"):
        assert await fetch(fresh, f"SELECT tableowner FROM pg_tables WHERE tablename = '{table}'") == "user_owner"
    assert await fetch(fresh, "SELECT version_num FROM user_alembic_version") == "0001"


async def test_the_service_reads_and_writes_what_its_owner_made(fresh: TestDatabase, package, first) -> None:
    await Migrations(package(first), "user").upgrade(fresh.url("user"))
    connection = await asyncpg.connect(fresh.url("user"))
    await connection.execute("INSERT INTO things (name) VALUES ('x')")
    await connection.close()


async def test_another_service_cannot_touch_it(fresh: TestDatabase, package, first) -> None:
    await Migrations(package(first), "user").upgrade(fresh.url("user"))
    connection = await asyncpg.connect(fresh.url("course"))
    for statement in ("SELECT * FROM things", "DROP TABLE things", "SET ROLE user_owner"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    await connection.close()


async def test_upgrading_again_and_further_goes_on_where_it_was(fresh: TestDatabase, package, first, second) -> None:
    url = fresh.url("user")
    await Migrations(package(first), "user").upgrade(url)
    newer = Migrations(package(first, second), "user")
    await newer.upgrade(url)
    await newer.upgrade(url)
    assert await newer.current(url) == {"0002"}


async def test_services_keep_histories_of_their_own(fresh: TestDatabase, package, first) -> None:
    await Migrations(package(first), "user").upgrade(fresh.url("user"))
    other = first.replace("things", "items").replace("0001", "9001")
    await Migrations(package(other), "course").upgrade(fresh.url("course"))
    assert await fetch(fresh, "SELECT version_num FROM course_alembic_version") == "9001"
    assert await fetch(fresh, "SELECT version_num FROM user_alembic_version") == "0001"


async def test_two_upgrades_at_once_are_one_after_the_other(fresh: TestDatabase, package, first, second) -> None:
    slow = first.replace("def upgrade():\n", "def upgrade():\n    op.execute('SELECT pg_sleep(0.5)')\n")
    migrations = Migrations(package(slow, second), "user")
    await asyncio.gather(*(migrations.upgrade(fresh.url("user")) for _ in range(3)))
    assert await migrations.current(fresh.url("user")) == {"0002"}


async def test_a_failing_revision_leaves_nothing_behind_and_keeps_those_before(
    fresh: TestDatabase, package, first, second
) -> None:
    failing = second + "    op.execute('SELECT 1 / 0')\n"
    migrations = Migrations(package(first, failing), "user")
    with pytest.raises(MigrationError, match="division by zero"):
        await migrations.upgrade(fresh.url("user"))
    assert await migrations.current(fresh.url("user")) == {"0001"}
    columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'things'"
    assert await fetch(fresh, columns) == 2


async def test_an_older_image_leaves_a_newer_database_alone(fresh: TestDatabase, package, first, second) -> None:
    await Migrations(package(first, second), "user").upgrade(fresh.url("user"))
    older = Migrations(package(first), "user")
    await older.upgrade(fresh.url("user"))
    await older.wait(fresh.url("user"), timeout_seconds=5)
    assert await older.current(fresh.url("user")) == {"0002"}


async def test_wait_returns_when_the_schema_arrives(fresh: TestDatabase, package, first) -> None:
    migrations = Migrations(package(first), "user")
    waiting = asyncio.create_task(migrations.wait(fresh.url("user"), timeout_seconds=30))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    await migrations.upgrade(fresh.url("user"))
    await waiting


async def test_wait_gives_up_and_says_what_it_found(fresh: TestDatabase, package, first, second) -> None:
    await Migrations(package(first), "user").upgrade(fresh.url("user"))
    with pytest.raises(MigrationError, match=r"did not reach 0002 within 0.2 s: the database is at 0001"):
        await Migrations(package(first, second), "user").wait(fresh.url("user"), timeout_seconds=0.2)


async def test_wait_outlasts_a_server_that_is_away(
    fresh: TestDatabase, postgres_server: PostgresServer, package, first
) -> None:
    migrations = Migrations(package(first), "user")
    await migrations.upgrade(fresh.url("user"))
    postgres_server.stop()
    try:
        waiting = asyncio.create_task(migrations.wait(fresh.url("user"), timeout_seconds=30))
        await asyncio.sleep(0.3)
        assert not waiting.done()
    finally:
        postgres_server.start()
    await waiting


async def test_differences_between_models_and_tables_are_found(fresh: TestDatabase, package, first) -> None:
    migrations = Migrations(package(first), "user")
    await migrations.upgrade(fresh.url("user"))
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    table = Table(
        "things", metadata, Column("id", Integer, Identity(), primary_key=True), Column("name", String(50), unique=True,
                                                                                        nullable=False)
    )  # fmt: skip
    assert await migrations.differences(fresh.url("user"), metadata) == []
    table.append_column(Column("colour", String(10)))
    assert len(await migrations.differences(fresh.url("user"), metadata)) == 1


def test_heads_needs_no_database(package, first, second, capsys: pytest.CaptureFixture[str]) -> None:
    assert Migrations(package(first, second), "user").main(["heads"]) == 0
    assert capsys.readouterr().out == "0002\n"


def test_a_package_without_revisions_is_named(package) -> None:
    with pytest.raises(MigrationError, match="no_such_service"):
        Migrations("no_such_service", "user")


async def run(name: str, url: str | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = (
        "import sys; from shared.migrations import Migrations; sys.exit(Migrations(sys.argv.pop(1), 'user').main())"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)} | ({"DATABASE_URL": url} if url else {})
    return await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program, name, *arguments], env=environment,
        capture_output=True, text=True, check=False, cwd="/",
    )  # fmt: skip


async def test_the_command_line_upgrades_and_waits(fresh: TestDatabase, package, first) -> None:
    name = package(first)
    too_early = await run(name, fresh.url("user"), "wait", "--timeout", "0.2")
    assert too_early.returncode == 1
    assert "did not reach 0001" in too_early.stderr
    upgraded = await run(name, fresh.url("user"), "upgrade")
    assert (upgraded.returncode, upgraded.stderr) == (0, "")
    assert (await run(name, fresh.url("user"), "wait", "--timeout", "5")).returncode == 0


async def test_the_command_line_says_what_is_wrong_without_the_password(fresh: TestDatabase, package, first) -> None:
    name = package(first)
    unset = await run(name, None, "upgrade")
    assert unset.returncode == 1
    assert "DATABASE_URL" in unset.stderr
    wrong = await run(name, "postgresql://user_a:hunter2@127.0.0.1:9/smartcourse", "upgrade")
    assert wrong.returncode == 1
    assert "no connection to the database" in wrong.stderr
    assert "hunter2" not in wrong.stderr + wrong.stdout
    assert "Traceback" not in wrong.stderr
