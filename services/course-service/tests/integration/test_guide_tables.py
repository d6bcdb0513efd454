"""The tables of the guide are here as it wrote them: its own DDL is executed beside ours and both are compared."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from shared.testing.servers import TestDatabase

GUIDE = Path(__file__).resolve().parents[4] / "docs" / "SmartCourse-Week1-Implementation-Guide.md"
TABLES = ("enrollments", "certificates")
COLUMNS = """
SELECT column_name, data_type, udt_name, character_maximum_length, numeric_precision, numeric_scale, is_nullable,
       regexp_replace(regexp_replace(column_default, 'nextval\\(.*', 'serial'),
                      '::[a-z ]+(\\[\\])?(\\(\\d+\\))?', '') AS "default"
FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2
"""
# Foreign keys are told by what they refer to; other constraints by their definitions, whatever they are called.
CONSTRAINTS = """
SELECT regexp_replace(pg_get_constraintdef(oid), '(guide|public)\\.', '', 'g')
FROM pg_constraint WHERE conrelid = $1::regclass
"""
INDEXES = """
SELECT indexname, regexp_replace(indexdef, ' ON [a-z]+\\.', ' ON ') FROM pg_indexes
WHERE schemaname = $1 AND tablename = $2 AND indexname LIKE 'idx\\_%'
"""


def ddl() -> str:
    text = GUIDE.read_text(encoding="utf-8")
    blocks: list[str] = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    return "\n".join(blocks)


@pytest.fixture
async def sql(database: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    """The guide's tables in the schema `guide`, beside ours in `public`."""
    connection = await asyncpg.connect(database.admin_url)
    await connection.execute("CREATE SCHEMA guide; SET search_path = guide")
    await connection.execute("CREATE TABLE users (id serial PRIMARY KEY); CREATE TABLE courses (id serial PRIMARY KEY)")
    await connection.execute(ddl())
    await connection.execute("SET search_path = public")
    yield connection
    await connection.execute("DROP SCHEMA guide CASCADE")
    await connection.close()


async def columns(sql: asyncpg.Connection, schema: str, table: str) -> dict[str, tuple[Any, ...]]:
    return {row[0]: tuple(row)[1:] for row in await sql.fetch(COLUMNS, schema, table)}


def with_zone(column: tuple[Any, ...]) -> tuple[Any, ...]:
    """ADR 0002: instants have a zone."""
    kind, name, *rest = column
    if name == "timestamp":
        kind, name = "timestamp with time zone", "timestamptz"
    return kind, name, *rest


@pytest.mark.parametrize("table", TABLES)
async def test_every_column_of_the_guide_is_here_as_it_was_written(sql: asyncpg.Connection, table: str) -> None:
    wanted, ours = await columns(sql, "guide", table), await columns(sql, "public", table)
    assert {name: with_zone(column) for name, column in wanted.items()} == {name: ours.get(name) for name in wanted}


@pytest.mark.parametrize("table", TABLES)
async def test_every_constraint_and_index_of_the_guide_is_here(sql: asyncpg.Connection, table: str) -> None:
    wanted = {row[0] for row in await sql.fetch(CONSTRAINTS, f"guide.{table}")}
    assert wanted - {row[0] for row in await sql.fetch(CONSTRAINTS, f"public.{table}")} == set()
    indexes = {tuple(row) for row in await sql.fetch(INDEXES, "guide", table)}
    assert indexes - {tuple(row) for row in await sql.fetch(INDEXES, "public", table)} == set()


async def test_progress_is_a_part_of_the_enrollment_and_a_certificate_refers_to_nothing_else(
    sql: asyncpg.Connection,
) -> None:
    assert not {"student_id", "course_id"} & (await columns(sql, "public", "certificates")).keys()
    tables = {row[0] for row in await sql.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    assert not {name for name in tables if "progress" in name}
