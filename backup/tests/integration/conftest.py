"""A platform's two stores with something in them, and a repository for their backups."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from bson import Binary, Int64, ObjectId
from pydantic import SecretStr
from pymongo import ASCENDING, MongoClient

from shared.testing.servers import MongoServer, PostgresServer, RedisServer, TestDatabase
from smartcourse_backup.config import Settings

CHUNK = os.urandom(200 * 1024)


@dataclass
class Stores:
    """A PostgreSQL database and the MongoDB database of the same name."""

    database: TestDatabase
    mongo: MongoServer
    redis: RedisServer
    root: Path

    def settings(self, **overrides: Any) -> Settings:
        chosen: dict[str, Any] = {
            "postgres_admin_url": SecretStr(self.database.admin_url),
            "mongodb_admin_url": SecretStr(self.mongo.admin_url),
            "redis_url": SecretStr(self.redis.url),
            "database": self.database.name,
            "restic_repository": os.environ["RESTIC_REPOSITORY"],
            "restic_password": SecretStr(os.environ["RESTIC_PASSWORD"]),
            "backup_name": "first",
            "backup_source": "here/academy",
            "backup_release": "1.0.0",
            "scratch": self.root / "scratch",
            "result": self.root / "result",
            **overrides,
        }
        return Settings(**chosen)

    def environment(self, **more: str) -> dict[str, str]:
        """What the program, run as a Job runs it, is told by."""
        return {
            **os.environ,
            "POSTGRES_ADMIN_URL": self.database.admin_url,
            "MONGODB_ADMIN_URL": self.mongo.admin_url,
            "DATABASE": self.database.name,
            "BACKUP_SOURCE": "here/academy",
            "SCRATCH": str(self.root / "scratch"),
            "RESULT": str(self.root / "result"),
            **more,
        }

    async def sql(self, statement: str, *arguments: Any) -> Any:
        connection = await asyncpg.connect(self.database.admin_url)
        try:
            return await connection.fetchval(statement, *arguments)
        finally:
            await connection.close()

    def collection(self, name: str) -> Any:
        return self.client[self.database.name][name]

    def __post_init__(self) -> None:
        self.client: MongoClient[dict[str, Any]] = MongoClient(self.mongo.admin_url)

    async def fill(self, *, people: int = 40, lessons: int = 25) -> None:
        for number in range(people):
            await self.sql(
                "INSERT INTO users (email, hashed_password, full_name, role) VALUES ($1, '-', $2, 'student')",
                f"{secrets.token_hex(8)}@example.org", f"Zoë №{number} 'quoted' \\ \n",
            )  # fmt: skip
        bodies = self.collection("lesson_revisions")
        bodies.create_index([("lesson_id", ASCENDING), ("number", ASCENDING)], unique=True, name="lesson_number")
        start = bodies.count_documents({})
        bodies.insert_many(
            {"lesson_id": Int64(start + number), "number": 1, "body": "é" * 500, "at": datetime.now(UTC), "none": None}
            for number in range(lessons)
        )
        file = ObjectId()
        self.collection("fs.files").insert_one({"_id": file, "length": len(CHUNK), "filename": "notes.pdf"})
        self.collection("fs.chunks").insert_one({"files_id": file, "n": 0, "data": Binary(CHUNK)})


@pytest.fixture
def root() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:  # its path is short: a socket's must be
        Path(directory).chmod(0o711)  # the user postgres passes through
        yield Path(directory)


@pytest.fixture
async def stores(
    postgres_server: PostgresServer, mongo_server: MongoServer, redis_server: RedisServer, root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Stores]:  # fmt: skip
    monkeypatch.setenv("RESTIC_REPOSITORY", str(root / "repository"))
    monkeypatch.setenv("RESTIC_PASSWORD", secrets.token_hex(16))
    made = Stores(
        await postgres_server.fresh_database("user", "course", "notification"), mongo_server, redis_server, root
    )
    await made.fill()
    yield made
    made.client.drop_database(made.database.name)
    made.client.close()


@pytest.fixture
async def others(stores: Stores, postgres_server: PostgresServer, root: Path) -> AsyncIterator[Stores]:
    """Another platform's stores, empty, as those of a new SmartCourse are."""
    made = Stores(await postgres_server.fresh_database(), stores.mongo, stores.redis, root)
    yield made
    made.client.drop_database(made.database.name)
    made.client.close()
