"""Migrations, and MongoDB's user."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from fastapi import FastAPI
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

from course_service.config import Settings
from course_service.core.database import Base
from course_service.models import OUTBOX_TABLES
from shared.migrations import Migrations
from shared.testing.servers import MongoServer, TestDatabase

OPENAPI = Path(__file__).parents[2] / "openapi.json"
GUIDE_INDEXES = {
    "idx_enrollments_student",
    "idx_enrollments_course",
    "idx_enrollments_status",
    "idx_enrollments_enrolled_at",
    "idx_enrollments_last_accessed",
    "idx_certificates_number",
    "idx_certificates_verification",
    "idx_certificates_enrollment",
}


async def run(module: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", module, *arguments],
        env={"PATH": os.environ["PATH"]} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_models_and_migrations_agree(database: TestDatabase) -> None:
    migrations = Migrations("course_service", "course")
    assert {table.name for table in OUTBOX_TABLES} <= Base.metadata.tables.keys()
    assert await migrations.differences(database.url("course"), Base.metadata) == []


async def test_the_guides_tables_belong_to_the_owner_role(sql: asyncpg.Connection) -> None:
    rows = await sql.fetch(
        "SELECT tablename, tableowner FROM pg_tables WHERE tablename = ANY($1)", list(Base.metadata.tables)
    )
    assert {row["tablename"] for row in rows} == set(Base.metadata.tables)
    assert {row["tableowner"] for row in rows} == {"course_owner"}
    indexes = await sql.fetch("SELECT indexname FROM pg_indexes WHERE tablename = ANY($1)", list(Base.metadata.tables))
    assert {row["indexname"] for row in indexes} >= GUIDE_INDEXES


async def test_upgrading_twice_changes_nothing(settings: Settings) -> None:
    url = settings.database_url.get_secret_value()
    for command in ("upgrade", "wait"):
        done = await run("course_service.migrations", command, DATABASE_URL=url)
        assert done.returncode == 0, done.stderr
    assert (await run("course_service.migrations", "heads")).stdout == "course_0003\n"


def login(server: MongoServer, password: str, user: str = "course") -> str:
    return f"mongodb://{user}:{password}@{server.host}:{server.port}/smartcourse?authSource=admin"


async def provision(server: MongoServer, url: str, **more: str) -> subprocess.CompletedProcess[str]:
    return await run("course_service.provision", MONGODB_ADMIN_URL=server.admin_url, MONGODB_URL=url, **more)


@pytest.fixture
async def provisioned(app: FastAPI, mongo_server: MongoServer) -> AsyncIterator[MongoServer]:
    """The server, whose one user of the service is `course` with its own password again afterwards."""
    yield mongo_server
    restored = await provision(mongo_server, mongo_server.url)
    assert restored.returncode == 0, restored.stderr


async def test_provisioning_makes_the_user_and_then_changes_its_password(provisioned: MongoServer) -> None:
    async with AsyncMongoClient(provisioned.admin_url) as client:
        await client.admin.command("dropUser", "course")
    first, second = (login(provisioned, f"the-{word}-password%40of-40-characters") for word in ("first", "second"))
    for url in (first, second):
        for _ in range(2):
            done = await provision(provisioned, url)
            assert done.returncode == 0, done.stderr
            assert "password" not in done.stdout + done.stderr
        await can_write(url)
    with pytest.raises(OperationFailure):
        await can_write(first)


async def test_a_password_moves_to_the_other_user_and_back_and_the_old_one_is_void(provisioned: MongoServer) -> None:
    steps = (("course", "course_b", provisioned.password, "second"), ("course_b", "course", "second", "third"))
    for user, other, old, new in steps:
        before, after = login(provisioned, old, user), login(provisioned, new, other)
        for url, spare in ((before, new), (after, old)):  # introduced, promoted
            for _ in range(2):
                done = await provision(provisioned, url, COURSE_MONGODB_SPARE_PASSWORD=spare)
                assert done.returncode == 0, done.stderr
            await can_write(before)
            await can_write(after)
        for _ in range(2):
            done = await provision(provisioned, after)
            assert done.returncode == 0, done.stderr
        await can_write(after)
        with pytest.raises(OperationFailure):
            await can_write(before)
        async with AsyncMongoClient(provisioned.admin_url) as client:
            assert (await client.admin.command("usersInfo", {"user": user, "db": "admin"}))["users"] == []


@pytest.mark.parametrize("account", ["root:hunter2", "course:", "course", ""])
async def test_a_url_of_somebody_else_is_refused(mongo_server: MongoServer, account: str) -> None:
    done = await provision(mongo_server, f"mongodb://{account}@{mongo_server.host}:{mongo_server.port}/smartcourse")
    assert done.returncode == 1
    assert "course or course_b" in done.stderr
    assert "hunter2" not in done.stderr


async def can_write(url: str) -> None:
    async with AsyncMongoClient(url, serverSelectionTimeoutMS=5000) as client:
        await client.get_default_database()["probe"].insert_one({})
        with pytest.raises(OperationFailure):
            await client.admin.command("usersInfo", 1)


async def test_missing_settings_are_named() -> None:
    for module in ("course_service.provision", "course_service.migrations"):
        done = await run(module, *(["upgrade"] if module.endswith("migrations") else []))
        assert done.returncode != 0
        assert "DATABASE_URL" in done.stderr or "MONGODB_ADMIN_URL" in done.stderr


async def test_the_committed_description_is_current() -> None:
    assert (await run("course_service.openapi")).stdout == OPENAPI.read_text(encoding="utf-8")
