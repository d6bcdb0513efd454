"""The service over real PostgreSQL, MongoDB and Redis, and people who use it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import httpx
import pytest
from course_people import Person
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.types import ASGIApp

from course_service.config import Settings
from course_service.main import build
from shared.identity import Role
from shared.testing.identity import GatewayAuth
from shared.testing.servers import MongoServer, PostgresServer, RedisServer, TestDatabase
from shared.utils.datetime import FixedClock

IDENTITY_KEY = secrets.token_hex(32)


@pytest.fixture(scope="session")
async def database(postgres_server: PostgresServer) -> TestDatabase:
    return await postgres_server.fresh_database("user", "course")


@pytest.fixture
async def sql(database: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.admin_url)
    yield connection
    await connection.close()


@pytest.fixture
def settings(database: TestDatabase, mongo_server: MongoServer, redis_server: RedisServer) -> Settings:
    return Settings(
        database_url=SecretStr(database.url("course")),
        mongodb_url=SecretStr(mongo_server.url),
        redis_url=SecretStr(redis_server.url),
        gateway_identity_key=SecretStr(IDENTITY_KEY),
        metrics_port=0,
    )


@pytest.fixture
async def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
async def app(settings: Settings, database: TestDatabase, clock: FixedClock) -> AsyncIterator[FastAPI]:
    await database.truncate()
    service = build(settings, clock=clock)
    async with service.router.lifespan_context(service):
        yield service


@pytest.fixture
async def replica(app: FastAPI, settings: Settings, clock: FixedClock) -> AsyncIterator[FastAPI]:
    """The service once more, over the same datastores: what is kept in a process's memory is not shared with `app`."""
    service = build(settings, clock=clock)
    async with service.router.lifespan_context(service):
        yield service


@pytest.fixture
async def become(
    app: FastAPI, sql: asyncpg.Connection, clock: FixedClock
) -> AsyncIterator[Callable[..., Awaitable[Person]]]:
    """Become somebody: `await become(Role.INSTRUCTOR)`; `at` is who serves them, if not `app`."""
    clients: list[httpx.AsyncClient] = []

    async def become(role: Role, *, user_id: int | None = None, at: ASGIApp = app) -> Person:
        if role is not Role.ANONYMOUS and user_id is None:
            user_id = await insert_user(sql, role)
        auth = GatewayAuth(IDENTITY_KEY, user_id=user_id, role=role, clock=clock)
        client = httpx.AsyncClient(transport=httpx.ASGITransport(at), base_url="http://course-service", auth=auth)
        clients.append(client)
        return Person(user_id, client)

    yield become
    for client in clients:
        await client.aclose()


async def insert_user(sql: asyncpg.Connection, role: Role, *, email: str | None = None) -> int:
    user_id: int = await sql.fetchval(
        "INSERT INTO users (email, hashed_password, full_name, role) VALUES ($1, '-', $2, $3) RETURNING id",
        email or f"{secrets.token_hex(6)}@example.org",
        f"The {role}",
        role,
    )
    return user_id


@pytest.fixture
async def instructor(become: Callable[..., Awaitable[Person]]) -> Person:
    return await become(Role.INSTRUCTOR)


@pytest.fixture
async def other_instructor(become: Callable[..., Awaitable[Person]]) -> Person:
    return await become(Role.INSTRUCTOR)


@pytest.fixture
async def student(become: Callable[..., Awaitable[Person]]) -> Person:
    return await become(Role.STUDENT)


@pytest.fixture
async def admin(become: Callable[..., Awaitable[Person]]) -> Person:
    return await become(Role.ADMIN)


@pytest.fixture
async def anonymous(become: Callable[..., Awaitable[Person]]) -> Person:
    return await become(Role.ANONYMOUS)
