"""The schema in PostgreSQL is the schema in the models, owned by the right role."""

import asyncio
import os
import subprocess
import sys

import asyncpg
import pytest

from notification_service import models
from notification_service.core.database import Base
from shared.migrations import Migrations
from shared.testing.servers import TestDatabase

MIGRATIONS = Migrations("notification_service", "notification")


def run(database: TestDatabase, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "notification_service.migrations", *arguments],
        env={"PATH": os.environ["PATH"], "DATABASE_URL": database.url("notification")},
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


async def test_models_and_migrations_agree(database: TestDatabase) -> None:
    assert {models.Notification.__tablename__, models.PROCESSED.name} == set(Base.metadata.tables)
    assert await MIGRATIONS.differences(database.url("notification"), Base.metadata) == []


async def test_upgrade_can_be_repeated_and_wait_returns(database: TestDatabase) -> None:
    for arguments in (["upgrade"], ["wait", "--timeout", "5"], ["heads"]):
        done = await asyncio.to_thread(run, database, *arguments)
        assert done.returncode == 0, done.stderr
    assert tuple(done.stdout.split()) == MIGRATIONS.heads()


async def test_the_owner_role_owns_the_tables(database: TestDatabase) -> None:
    connection = await asyncpg.connect(database.admin_url)
    owners = await connection.fetch("SELECT tablename, tableowner FROM pg_tables WHERE tablename LIKE 'notification%'")
    await connection.close()
    assert {owner for _, owner in owners} == {"notification_owner"}
    assert {name for name, _ in owners} == {
        "notifications",
        "notification_processed_events",
        "notification_alembic_version",
    }


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("type = 'gossip'", "ck_notifications_type"),
        ("is_read = true", "ck_notifications_read_at"),
        ("user_id = -1", "fk_notifications_user_id_users"),
    ],
)
async def test_the_database_refuses_what_must_not_be(database: TestDatabase, change: str, constraint: str) -> None:
    await database.truncate()
    connection = await asyncpg.connect(database.admin_url)
    try:
        await connection.execute(
            "WITH person AS (INSERT INTO users (email, hashed_password, full_name, role)"
            " VALUES ('ada@school.example', 'x', 'Ada', 'student') RETURNING id)"
            " INSERT INTO notifications (user_id, event_id, type, title, body)"
            " SELECT id, gen_random_uuid(), 'welcome', 'Hello', 'Ada' FROM person"
        )
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match=constraint):
            await connection.execute(f"UPDATE notifications SET {change}")
    finally:
        await connection.close()
