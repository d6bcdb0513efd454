"""Each service migrates its own tables, as their owner, one process at a time."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import Column, Identity, Integer, MetaData, String, Table

from shared.database import NAMING_CONVENTION
from shared.migrations import MigrationError, Migrations
from shared.testing.servers import PostgresServer, TestDatabase

CHANGE_A_TABLE = Path(__file__).parents[3] / "docs" / "how-to" / "change-a-table.md"


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


async def columns(database: TestDatabase) -> str:
    """The columns of `things`, sorted: `id, name`."""
    query = "SELECT string_agg(column_name, ', ' ORDER BY column_name) FROM information_schema.columns"
    return str(await fetch(database, f"{query} WHERE table_name = 'things'"))


async def test_an_upgrade_leaves_what_the_release_before_needs_and_contracting_removes_it(
    fresh: TestDatabase, package, first, second, third
) -> None:
    url, migrations = fresh.url("user"), Migrations(package(first, second, third), "user")
    await migrations.upgrade(url)
    assert (await migrations.current(url), await columns(fresh)) == ({"0002"}, "id, name, weight_grams")
    await migrations.wait(url, timeout_seconds=5)
    for _ in range(2):
        await migrations.contract(url)
        assert (await migrations.current(url), await columns(fresh)) == ({"0003"}, "id, weight_grams")


async def test_a_contracted_schema_is_not_brought_back(fresh: TestDatabase, package, first, second, third) -> None:
    url, migrations = fresh.url("user"), Migrations(package(first, second, third), "user")
    await migrations.upgrade(url, "heads")
    await migrations.upgrade(url)
    await migrations.wait(url, timeout_seconds=5)
    assert await migrations.current(url) == {"0003"}


@pytest.mark.parametrize("before", [None, "0001"])
async def test_a_schema_that_was_not_expanded_is_not_contracted(
    fresh: TestDatabase, package, first, second, third, before: str | None
) -> None:
    url, migrations = fresh.url("user"), Migrations(package(first, second, third), "user")
    if before:
        await migrations.upgrade(url, before)
    with pytest.raises(
        MigrationError, match=rf"database is at {before or 'no revision'} and not yet at 0002. Run `upg"
    ):
        await migrations.contract(url)
    assert await migrations.current(url) == ({before} if before else set())


async def test_the_next_release_goes_through_what_the_one_before_contracts(
    fresh: TestDatabase, package, first, second, third, fourth
) -> None:
    url = fresh.url("user")
    await Migrations(package(first, second, third), "user").upgrade(url)
    newer = Migrations(package(first, second, third, fourth), "user")
    assert newer.required() == "0004"
    await newer.upgrade(url)
    assert (await newer.current(url), await columns(fresh)) == ({"0004"}, "colour, id, weight_grams")


async def test_an_older_image_rolled_back_to_leaves_an_expanded_schema_alone(
    fresh: TestDatabase, package, first, second, third, fourth
) -> None:
    url = fresh.url("user")
    older = Migrations(package(first, second, third), "user")
    await older.upgrade(url, "heads")
    await Migrations(package(first, second, third, fourth), "user").upgrade(url)
    await older.upgrade(url)
    await older.contract(url)
    await older.wait(url, timeout_seconds=5)
    assert (await older.current(url), await columns(fresh)) == ({"0004"}, "colour, id, weight_grams")


def test_several_revisions_may_contract_and_those_of_releases_before_are_needed(
    package, first, second, third, fourth
) -> None:
    assert Migrations(package(first), "user").required() == "0001"
    contracting = fourth.replace("\n\ndef", '\nphase = "contract"\n\ndef')
    assert contracting != fourth
    assert Migrations(package(first, second, third, contracting), "user").required() == "0002"


def test_a_history_that_cannot_be_in_two_parts_is_refused(package, first, second, third) -> None:
    branched = third.replace('"0003", "0002"', '"0003", "0001"')
    for sources, message in (
        ([first, second, branched], "must have one newest revision, and has 0002, 0003"),
        ([first.replace("\n\ndef", '\nphase = "contract"\n\ndef')], "no revision that expands"),
        ([first, second, third.replace('"contract"', '"shrink"')], "0003 has phase = 'shrink': say expand or contract"),
        ([], "has no revision"),
    ):
        with pytest.raises(MigrationError, match=message):
            Migrations(package(*sources), "user").required()


async def test_a_server_killed_within_a_revision_has_the_one_before_and_goes_on_from_there(
    fresh: TestDatabase, postgres_server: PostgresServer, package, first, second, third, eventually
) -> None:
    url = fresh.url("user")
    # Tests' servers lose what was committed just before a crash: here a commit lasts, as it does where data counts.
    await fetch(fresh, f"ALTER DATABASE {fresh.name} SET synchronous_commit = on")
    endless = second + "    op.execute('SELECT pg_sleep(600)')\n"
    sleeping = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{fresh.name}' AND wait_event = 'PgSleep'"

    async def is_within() -> bool:
        return await fetch(fresh, sleeping) == 1

    upgrading = asyncio.create_task(Migrations(package(first, endless, third), "user").upgrade(url))
    await eventually(is_within)
    await asyncio.to_thread(postgres_server.kill)
    with pytest.raises(MigrationError):
        await upgrading
    await asyncio.to_thread(postgres_server.start)
    migrations = Migrations(package(first, second, third), "user")
    assert (await migrations.current(url), await columns(fresh)) == ({"0001"}, "id, name")
    await migrations.upgrade(url)
    assert (await migrations.current(url), await columns(fresh)) == ({"0002"}, "id, name, weight_grams")


COURSES = """
from alembic import op
revision, down_revision = "course_0003", None

def upgrade():
    op.execute(
        "CREATE TABLE courses (title text PRIMARY KEY,"
        " capacity integer CONSTRAINT ck_courses_capacity CHECK (capacity > 0))"
    )
    op.execute("INSERT INTO courses VALUES ('before', 1)")
"""


async def test_the_guides_example_keeps_both_columns_in_step_until_it_contracts(fresh: TestDatabase, package) -> None:
    """The code of `docs/how-to/change-a-table.md`, used by a release before it and by its own at the same time."""
    examples = re.findall(r"```python\n(.*?)```", CHANGE_A_TABLE.read_text(encoding="utf-8"), flags=re.DOTALL)
    migrations = Migrations(package(COURSES, *examples), "course")
    await migrations.upgrade(fresh.url("course"))
    connection = await asyncpg.connect(fresh.url("course"))
    try:
        for statement in (
            "INSERT INTO courses (title, capacity) VALUES ('old', 2), ('old, changed', 2), ('old, opened', 2)",
            "INSERT INTO courses (title, seats) VALUES ('new', 3), ('new, changed', 3)",
            "UPDATE courses SET seats = 4 WHERE title = 'old, changed'",
            "UPDATE courses SET seats = NULL WHERE title = 'old, opened'",
            "UPDATE courses SET capacity = 5 WHERE title = 'new, changed'",
        ):
            await connection.execute(statement)
        rows = await connection.fetch("SELECT title, capacity, seats FROM courses")
        assert {(row["title"], row["capacity"]) for row in rows if row["capacity"] == row["seats"]} == {
            ("before", 1), ("old", 2), ("old, changed", 4), ("old, opened", None), ("new", 3), ("new, changed", 5),
        }  # fmt: skip
        await migrations.contract(fresh.url("course"))
        await connection.execute("INSERT INTO courses (title, seats) VALUES ('contracted', 6)")
        assert len(await connection.fetch("SELECT title, seats FROM courses")) == 7
    finally:
        await connection.close()
    assert (migrations.required(), migrations.heads()) == ("course_0005", ("course_0006",))


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


@pytest.mark.parametrize(("command", "printed"), [("required", "0002\n"), ("heads", "0003\n")])
def test_what_the_image_has_is_told_without_a_database(
    package, first, second, third, capsys: pytest.CaptureFixture[str], command: str, printed: str
) -> None:
    assert Migrations(package(first, second, third), "user").main([command]) == 0
    assert capsys.readouterr().out == printed


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


async def test_the_command_line_contracts_after_an_upgrade_or_with_it(
    fresh: TestDatabase, package, first, second, third
) -> None:
    url, before, after = fresh.url("user"), package(first), package(first, second, third)
    await run(before, url, "upgrade")
    too_early = await run(after, url, "contract")
    assert too_early.returncode == 1
    assert "contract: the schema of user cannot be contracted: the database is at 0001" in too_early.stderr
    for arguments, revision in ((["upgrade"], "0002"), (["contract"], "0003"), (["upgrade", "--all"], "0003")):
        done = await run(after, url, *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert await fetch(fresh, "SELECT version_num FROM user_alembic_version") == revision


async def test_the_command_line_brings_an_empty_database_to_the_end_at_once(
    fresh: TestDatabase, package, first, second, third
) -> None:
    done = await run(package(first, second, third), fresh.url("user"), "upgrade", "--all")
    assert (done.returncode, done.stderr) == (0, "")
    assert await columns(fresh) == "id, weight_grams"


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
