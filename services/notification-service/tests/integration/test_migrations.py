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
from shared.testing.servers import PostgresServer, TestDatabase

MIGRATIONS = Migrations("notification_service", "notification")


def run(database: TestDatabase, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "notification_service.migrations", *arguments],
        env={"PATH": os.environ["PATH"], "DATABASE_URL": database.url("notification")},
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


async def test_models_and_migrations_agree(database: TestDatabase) -> None:
    assert {
        models.Delivery.__tablename__,
        models.Notification.__tablename__,
        models.Preference.__tablename__,
        models.PushSubscription.__tablename__,
        models.DEAD_LETTERS.name,
        models.IDEMPOTENCY_KEYS.name,
        models.PROCESSED.name,
    } == set(Base.metadata.tables)
    assert await MIGRATIONS.differences(database.url("notification"), Base.metadata) == []


async def test_upgrade_can_be_repeated_and_wait_returns(database: TestDatabase) -> None:
    for arguments in (["upgrade"], ["wait", "--timeout", "5"], ["heads"]):
        done = await asyncio.to_thread(run, database, *arguments)
        assert done.returncode == 0, done.stderr
    assert tuple(done.stdout.split()) == MIGRATIONS.heads()


async def test_the_owner_role_owns_the_tables(database: TestDatabase) -> None:
    connection = await asyncpg.connect(database.admin_url)
    owners = await connection.fetch(
        "SELECT tablename, tableowner FROM pg_tables WHERE tablename LIKE 'notification%' OR tablename LIKE 'push%'"
    )
    await connection.close()
    assert {owner for _, owner in owners} == {"notification_owner"}
    assert {name for name, _ in owners} == {
        "notifications",
        "notification_dead_letters",
        "notification_deliveries",
        "notification_idempotency_keys",
        "notification_preferences",
        "notification_processed_events",
        "push_subscriptions",
        "notification_alembic_version",
    }


ADA = (
    "WITH person AS (INSERT INTO users (email, hashed_password, full_name, role)"
    " VALUES ('ada@school.example', 'x', 'Ada', 'student') RETURNING id)"
    " INSERT INTO notifications (user_id, event_id, type, title, body)"
    " SELECT id, gen_random_uuid(), 'welcome', 'Hello', 'Hello Ada' FROM person"
)
"""What revision 0001 wrote, and what its code still writes while 0002 is rolled out."""

MORE = (
    "INSERT INTO push_subscriptions (user_id, endpoint, p256dh, auth) SELECT id, 'https://p.test', '', '' FROM users",
    "INSERT INTO notification_deliveries (notification_id, channel) SELECT id, 'email' FROM notifications",
    "INSERT INTO notification_preferences SELECT id, 'welcome', 'email', true FROM users",
)


@pytest.mark.parametrize(
    ("table", "change", "constraint"),
    [
        ("notifications", "type = 'gossip'", "ck_notifications_type"),
        ("notifications", "is_read = true", "ck_notifications_read_at"),
        ("notifications", "user_id = -1", "fk_notifications_user_id_users"),
        ("notification_deliveries", "channel = 'pigeon'", "ck_notification_deliveries_channel"),
        ("notification_deliveries", "channel = 'push'", "ck_notification_deliveries_target"),
        ("notification_deliveries", "state = 'lost'", "ck_notification_deliveries_"),
        ("notification_deliveries", "state = 'sent'", "ck_notification_deliveries_finished_at"),
        ("notification_deliveries", "attempts = -1", "ck_notification_deliveries_attempts"),
        ("notification_deliveries", "notification_id = -1", "fk_notification_deliveries_notification_id"),
        ("notification_preferences", "type = 'gossip'", "ck_notification_preferences_type"),
        ("notification_preferences", "channel = 'pigeon'", "ck_notification_preferences_channel"),
        ("push_subscriptions", "user_id = -1", "fk_push_subscriptions_user_id_users"),
    ],
)
async def test_the_database_refuses_what_must_not_be(
    database: TestDatabase, table: str, change: str, constraint: str
) -> None:
    await database.truncate()
    connection = await asyncpg.connect(database.admin_url)
    try:
        for statement in (ADA, *MORE):
            await connection.execute(statement)
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match=constraint):
            await connection.execute(f"UPDATE {table} SET {change}")
    finally:
        await connection.close()


async def test_one_mail_a_notification_whatever_happens(database: TestDatabase) -> None:
    await database.truncate()
    connection = await asyncpg.connect(database.admin_url)
    try:
        for statement in (ADA, *MORE):
            await connection.execute(statement)
        with pytest.raises(asyncpg.UniqueViolationError, match="uq_notification_deliveries_"):
            await connection.execute(MORE[1])
    finally:
        await connection.close()


async def test_welcomes_from_before_lose_the_name_and_gain_a_link(postgres_server: PostgresServer) -> None:
    database = await postgres_server.fresh_database("user")
    await MIGRATIONS.upgrade(database.url("notification"), "0001")
    connection = await asyncpg.connect(database.admin_url)
    try:
        await connection.execute(ADA)
        await MIGRATIONS.upgrade(database.url("notification"))
        [(body, link, is_listed)] = await connection.fetch("SELECT body, link, is_listed FROM notifications")
    finally:
        await connection.close()
    assert ("Ada" in body, link, is_listed) == (False, "/api/courses", True)
