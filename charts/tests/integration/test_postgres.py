"""What the provisioning Job runs, on a real PostgreSQL 15."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest

from shared.testing.servers import PostgresServer

SERVICES = ("user", "course", "notification")
Provision = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def provision(charts: Path, postgres_server: PostgresServer) -> Provision:
    """Run the Job's script with the server's own passwords, but for what is overridden."""

    def run(admin_url: str = postgres_server.admin_url, **overridden: str) -> subprocess.CompletedProcess[str]:
        passwords = {f"{name.upper()}_A_PASSWORD": password for name, password in postgres_server.passwords.items()}
        binaries = Path("/usr/lib/postgresql/15/bin")
        path = f"{binaries}:{os.environ['PATH']}" if binaries.is_dir() else os.environ["PATH"]
        environment = {"PATH": path, "ADMIN_URL": admin_url, "WAIT_SECONDS": "2", **passwords, **overridden}
        files = charts / "postgres/files"
        command = ["sh", str(files / "provision.sh"), str(files / "init.sql")]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)

    return run


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def test_running_it_again_changes_nothing(postgres_server: PostgresServer, provision: Provision) -> None:
    query = """SELECT rolname, rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolconnlimit,
                      ARRAY(SELECT roleid::regrole::text FROM pg_auth_members WHERE member = pg_roles.oid)
                 FROM pg_roles WHERE rolname ~ '^(user|course|notification)_' ORDER BY rolname"""
    async with connected(postgres_server.admin_url) as admin:
        before = await admin.fetch(query)
        done = provision()
        assert done.returncode == 0, done.stderr
        assert await admin.fetch(query) == before
    assert [(row["rolname"], row["rolcanlogin"]) for row in before] == sorted(
        [(f"{name}_{suffix}", suffix == "a") for name in SERVICES for suffix in ("owner", "a", "b")]
    )
    assert not any(row["rolsuper"] or row["rolcreatedb"] or row["rolcreaterole"] for row in before)


async def test_a_database_serves_one_smartcourse_until_it_is_handed_over(
    postgres_server: PostgresServer, provision: Provision
) -> None:
    held = {"SMARTCOURSE_DATABASE": "held"}
    for _ in range(2):
        assert provision(**held, SMARTCOURSE_HOLDER="one/academy").returncode == 0
    refused = provision(**held, SMARTCOURSE_HOLDER="other/academy", USER_A_PASSWORD="another")
    assert refused.returncode
    assert "belongs to the SmartCourse one/academy" in refused.stderr
    async with connected(postgres_server.url("user", database="held")):
        pass  # the password is the first one's still
    async with connected(postgres_server.admin_url) as admin:
        await admin.execute("COMMENT ON DATABASE held IS NULL")
    assert provision(**held, SMARTCOURSE_HOLDER="other/academy").returncode == 0


async def test_a_comment_of_somebody_elses_stays(postgres_server: PostgresServer, provision: Provision) -> None:
    assert provision(SMARTCOURSE_DATABASE="commented").returncode == 0
    async with connected(postgres_server.admin_url) as admin:
        await admin.execute("COMMENT ON DATABASE commented IS 'paid by the faculty'")
        assert provision(SMARTCOURSE_DATABASE="commented", SMARTCOURSE_HOLDER="one/academy").returncode == 0
        query = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'commented'"
        assert await admin.fetchval(query) == "paid by the faculty"


async def test_a_service_owns_what_it_makes_and_cannot_touch_anothers_tables(
    postgres_server: PostgresServer, provision: Provision
) -> None:
    assert provision(SMARTCOURSE_DATABASE="owners").returncode == 0
    async with connected(postgres_server.url("user", database="owners")) as user:
        await user.execute("SET ROLE user_owner; CREATE TABLE users (id int PRIMARY KEY, email text)")
        await user.execute("INSERT INTO users VALUES (1, 'ada@school.example')")
        await user.execute("GRANT REFERENCES (id), SELECT (id) ON users TO course_owner")
    async with connected(postgres_server.url("course", database="owners")) as course:
        await course.execute("SET ROLE course_owner; CREATE TABLE courses (id int, owner int REFERENCES users (id))")
        assert await course.fetchval("SELECT id FROM users") == 1
        for statement in (
            "SELECT email FROM users",
            "INSERT INTO users VALUES (2)",
            "UPDATE users SET id = 2",
            "DELETE FROM users",
            "TRUNCATE users",
            "DROP TABLE users",
            "ALTER TABLE users ADD role text",
            "SET ROLE user_owner",
            "SET ROLE postgres",
            "CREATE ROLE intruder",
            "CREATE DATABASE intruder",
            "CREATE SCHEMA intruder",
            "COPY courses TO PROGRAM 'cat'",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await course.execute(statement)


async def test_a_limit_of_before_is_lifted_and_an_administrators_stays(
    postgres_server: PostgresServer, provision: Provision
) -> None:
    limits = "SELECT rolname, rolconnlimit FROM pg_roles WHERE rolname IN ('course_a', 'course_b')"
    async with connected(postgres_server.admin_url) as admin:
        await admin.execute("ALTER ROLE course_a CONNECTION LIMIT 60; ALTER ROLE course_b CONNECTION LIMIT 50")
        try:
            assert provision().returncode == 0
            assert dict(await admin.fetch(limits)) == {"course_a": -1, "course_b": 50}
        finally:
            await admin.execute("ALTER ROLE course_b CONNECTION LIMIT -1")


async def test_strangers_and_the_spare_roles_cannot_come_in(
    postgres_server: PostgresServer, provision: Provision
) -> None:
    assert provision().returncode == 0
    async with connected(postgres_server.admin_url) as admin:
        await admin.execute("DROP ROLE IF EXISTS stranger; CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
    login = postgres_server.url("user").replace(f"user_a:{postgres_server.passwords['user']}", "{}")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(login.format("stranger:stranger"))
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await asyncpg.connect(login.format("user_b:x"))
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(login.format("user_a:wrong"))


async def test_it_changes_passwords_and_takes_any_characters(
    postgres_server: PostgresServer, provision: Provision
) -> None:
    password = r"""p'a"s\s $w:o@r/d%41 ;--ü"""
    try:
        assert provision(COURSE_A_PASSWORD=password).returncode == 0
        async with connected(
            postgres_server.url("course").replace(postgres_server.passwords["course"], quote(password, safe=""))
        ):
            pass
    finally:
        assert provision().returncode == 0


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
async def test_the_administrators_url_may_hold_any_characters_and_parameters(
    postgres_server: PostgresServer, provision: Provision, scheme: str
) -> None:
    user, password = "root of: all@/", r"""a'b"c\d #%e:f@g/h?i&j=k ü"""
    async with connected(postgres_server.admin_url) as admin:
        literal = await admin.fetchval("SELECT quote_literal($1::text)", password)
        await admin.execute(f'DROP ROLE IF EXISTS "{user}"; CREATE ROLE "{user}" SUPERUSER LOGIN PASSWORD {literal}')
    address = f"{postgres_server.host}:{postgres_server.port}"
    account = f"{quote(user, safe='')}:{quote(password, safe='')}"
    done = provision(f"{scheme}://{account}@{address}/postgres?sslmode=prefer&application_name=a%20b")
    assert done.returncode == 0, done.stderr
    assert password not in done.stdout + done.stderr


async def test_an_administrator_who_is_no_superuser_is_enough(provision: Provision) -> None:
    """As managed services give them: CREATEROLE and CREATEDB. Roles are the server's: it takes a server of its own."""
    server = PostgresServer()
    try:
        async with connected(server.admin_url) as admin:
            for name in SERVICES:
                for suffix in ("a", "b", "owner"):
                    await admin.execute(f"DROP OWNED BY {name}_{suffix}; DROP ROLE {name}_{suffix}")
            await admin.execute("CREATE ROLE manager LOGIN CREATEROLE CREATEDB PASSWORD 'manager'")
        passwords = {f"{name.upper()}_A_PASSWORD": password for name, password in server.passwords.items()}
        url = f"postgresql://manager:manager@{server.host}:{server.port}/postgres"
        done = provision(url, SMARTCOURSE_DATABASE="managed", **passwords)
        assert done.returncode == 0, done.stderr
        async with connected(server.url("user", database="managed")) as user:
            await user.execute("SET ROLE user_owner; CREATE TABLE users (id int)")
    finally:
        server.close()


def test_a_missing_password_is_named_and_no_password_is_printed(
    provision: Provision, postgres_server: PostgresServer
) -> None:
    done = provision(COURSE_A_PASSWORD="")
    assert done.returncode != 0
    assert "COURSE_A_PASSWORD" in done.stderr
    assert not [each for each in postgres_server.passwords.values() if each in done.stdout + done.stderr]


def test_a_server_that_lets_nobody_in_is_reported_after_the_deadline(
    provision: Provision, postgres_server: PostgresServer
) -> None:
    done = provision(f"postgresql://postgres:wrong@{postgres_server.host}:{postgres_server.port}/postgres")
    assert done.returncode != 0
    assert "password authentication failed" in done.stderr
    assert "wrong" not in done.stderr


def test_something_that_is_no_url_is_refused(provision: Provision) -> None:
    done = provision("mysql://root:secret@db/")
    assert done.returncode != 0
    assert "postgresql://" in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize("url", ["postgresql://a:b@one,two:6432/db", "postgresql://a:b@[::1]/db", "postgresql://db"])
def test_hosts_ports_and_addresses_are_taken_apart_as_libpq_does(charts: Path, tmp_path: Path, url: str) -> None:
    (tmp_path / "psql").write_text('#!/bin/sh\ncat "$PGSERVICEFILE"\n')
    (tmp_path / "psql").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "ADMIN_URL": url}
    command = [shutil.which("sh") or "sh", str(charts / "postgres/files/provision.sh"), "init.sql"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    account = {"user": "a", "password": "b", "dbname": "db"}
    assert (
        found
        == {
            "postgresql://a:b@one,two:6432/db": {**account, "host": "one,two", "port": "5432,6432"},
            "postgresql://a:b@[::1]/db": {**account, "host": "::1", "port": "5432"},
            "postgresql://db": {"host": "db", "port": "5432"},
        }[url]
    )


async def test_a_password_moves_to_the_idle_role_and_the_old_one_is_made_void(
    postgres_server: PostgresServer, provision: Provision
) -> None:
    first = postgres_server.url("course")
    second = first.replace(f"course_a:{postgres_server.passwords['course']}", "course_b:second")
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'course_a'"
    old = await asyncpg.connect(first)
    try:
        assert provision(COURSE_B_PASSWORD="second").returncode == 0
        assert await old.fetchval("SELECT 1") == 1, "both roles are good while services change over"
        async with connected(second) as new, connected(postgres_server.admin_url) as admin:
            await new.execute("SET ROLE course_owner; RESET ROLE")
            done = provision(COURSE_A_PASSWORD="", COURSE_B_PASSWORD="second")
            assert done.returncode == 0, done.stderr
            assert await new.fetchval("SELECT 1") == 1
            for _ in range(100):  # ending a session is asked for, not waited for
                if not await admin.fetchval(sessions):
                    break
                await asyncio.sleep(0.05)
            assert await admin.fetchval(sessions) == 0
        with pytest.raises((asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError)):
            await asyncpg.connect(first)
        async with connected(postgres_server.admin_url) as admin:
            query = "SELECT rolcanlogin, rolpassword FROM pg_authid WHERE rolname = 'course_a'"
            assert tuple(await admin.fetchrow(query)) == (False, None)
    finally:
        old.terminate()
        assert provision().returncode == 0
    async with connected(first):
        pass
