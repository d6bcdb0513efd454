"""The schema, as PostgreSQL holds it after the migrations."""

import asyncpg
import pytest

from shared.migrations import Migrations
from shared.testing.servers import TestDatabase
from user_service.models import Base

MIGRATIONS = Migrations("user_service", "user")


async def test_models_and_migrations_agree(database: TestDatabase) -> None:
    assert await MIGRATIONS.differences(database.url("user"), Base.metadata) == []


async def test_upgrading_again_changes_nothing(database: TestDatabase) -> None:
    await MIGRATIONS.upgrade(database.url("user"))
    await MIGRATIONS.wait(database.url("user"), timeout_seconds=5)


async def test_every_table_belongs_to_the_owner_role(sql: asyncpg.Connection) -> None:
    owners = await sql.fetch("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
    assert [row["tableowner"] for row in owners] == ["user_owner"]


@pytest.mark.parametrize("reader", ["course", "notification"])
async def test_other_services_read_the_granted_columns_and_nothing_else(database: TestDatabase, reader: str) -> None:
    connection = await asyncpg.connect(database.url(reader))
    try:
        await connection.fetch("SELECT id, email, full_name, role, is_active FROM users")
        for forbidden in (
            "SELECT hashed_password FROM users",
            "SELECT created_at FROM users",
            "UPDATE users SET role = 'admin'",
            "SELECT * FROM sessions",
            "SELECT * FROM refresh_tokens",
            "SELECT * FROM api_keys",
            "SELECT * FROM user_outbox",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(forbidden)
    finally:
        await connection.close()


@pytest.mark.parametrize("reader", ["course", "notification"])
async def test_other_services_may_refer_to_users(database: TestDatabase, reader: str) -> None:
    connection = await asyncpg.connect(database.url(reader))
    try:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(f"SET ROLE {reader}_owner")
        await connection.execute("CREATE TABLE refers (user_id integer NOT NULL REFERENCES users (id))")
        await transaction.rollback()
    finally:
        await connection.close()


@pytest.mark.parametrize("values", ["'root', true, NULL", "'student', true, now()"])
async def test_the_database_checks_states_as_well(sql: asyncpg.Connection, values: str) -> None:
    columns = "email, hashed_password, full_name, role, is_active, anonymised_at"
    with pytest.raises(asyncpg.CheckViolationError):
        await sql.execute(f"INSERT INTO users ({columns}) VALUES ('a@example.org', 'x', 'A', {values})")


async def test_an_address_is_unique_in_any_case(sql: asyncpg.Connection) -> None:
    insert = "INSERT INTO users (email, hashed_password, full_name, role) VALUES ($1, 'x', 'A', 'student')"
    await sql.execute(insert, "ada@example.org")
    with pytest.raises(asyncpg.UniqueViolationError):
        await sql.execute(insert, "Ada@Example.org")
