"""The service on real PostgreSQL and Redis, and the people it tells things."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from redis.asyncio import Redis

from notification_service.config import Settings
from notification_service.main import build
from shared.events.consumer import ConsumerSettings
from shared.events.envelope import Event
from shared.events.outbox import EVENT_FIELD
from shared.events.user import UserRegistered
from shared.identity import Role
from shared.testing.identity import GatewayAuth
from shared.testing.servers import PostgresServer, RedisServer, TestDatabase

STREAM = UserRegistered.event_type.stream
GROUP = "notification"
QUICK = ConsumerSettings(
    wait_seconds=0.2,
    attempts=3,
    first_backoff_seconds=0.02,
    longest_backoff_seconds=0.1,
    claim_seconds=0.1,
    claim_idle_seconds=0.3,
)


class World:
    """What a test can do around the service."""

    def __init__(self, app: FastAPI, key: str, connection: Any, redis: Any) -> None:
        self._app, self._key, self._connection, self.redis = app, key, connection, redis

    def client(self, user_id: int | None = None, role: Role = Role.STUDENT) -> httpx.AsyncClient:
        """Somebody whose requests come through the gateway; nobody in particular without an id."""
        auth = GatewayAuth(self._key, user_id=user_id, role=role if user_id else Role.ANONYMOUS)
        return httpx.AsyncClient(transport=httpx.ASGITransport(self._app), base_url="http://service", auth=auth)

    def stranger(self) -> httpx.AsyncClient:
        """Somebody who reached the service around the gateway."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(self._app), base_url="http://service")

    async def new_user(self) -> int:
        """A row of `users`, as user-service would have made it; no event is published."""
        user_id: int = await self._connection.fetchval(
            "INSERT INTO users (email, hashed_password, full_name, role)"
            " VALUES ($1, 'x', 'Ada', 'student') RETURNING id",
            f"{secrets.token_hex(6)}@school.example",
        )
        return user_id

    def registration(self, user_id: int) -> Event[UserRegistered]:
        data = UserRegistered(user_id=user_id, email="ada@school.example", full_name="Ada", role="student")
        return Event.of(data)

    async def deliver(self, *events: Event[UserRegistered]) -> None:
        for event in events:
            await self.redis.xadd(STREAM, {EVENT_FIELD: event.model_dump_json()})

    async def welcomed(self, count: int = 1) -> list[int]:
        """People whose registrations have arrived and had their effect."""
        people = [await self.new_user() for _ in range(count)]
        await self.deliver(*map(self.registration, people))
        await self.settled()
        return people

    async def settled(self) -> None:
        """Wait until every event of the stream was acknowledged."""

        async def is_settled() -> bool:
            if not await self.redis.exists(STREAM) or not (groups := await self.redis.xinfo_groups(STREAM)):
                return False
            last = (await self.redis.xinfo_stream(STREAM))["last-generated-id"]
            return bool(groups[0]["pending"] == 0 and groups[0]["last-delivered-id"] == last)

        await eventually(is_settled)

    async def titles(self, user_id: int) -> list[str]:
        async with self.client(user_id) as client:
            return [item["title"] for item in (await client.get("/api/notifications")).json()["items"]]


async def eventually(is_so: Callable[[], Awaitable[bool]], *, seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not await is_so():  # noqa: ASYNC110 - servers set no asyncio.Event
            await asyncio.sleep(0.02)


@pytest.fixture(name="eventually")
def eventually_fixture() -> Callable[..., Awaitable[None]]:
    return eventually


@pytest.fixture(scope="session")
async def database(postgres_server: PostgresServer) -> TestDatabase:
    return await postgres_server.fresh_database("user", "notification")


@pytest.fixture
def settings(database: TestDatabase, redis_server: RedisServer) -> Settings:
    return Settings.model_validate(
        {
            "database_url": database.url("notification"),
            "redis_url": redis_server.url,
            "gateway_identity_key": secrets.token_hex(32),
            "metrics_port": 0,
        }
    )


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Any]:
    await redis_server.flush()
    async with Redis.from_url(redis_server.url, decode_responses=True, protocol=2) as client:
        yield client


Start = Callable[[], AbstractAsyncContextManager[World]]


@pytest.fixture
async def start(settings: Settings, database: TestDatabase, redis: Any) -> AsyncIterator[Start]:
    """Run the service; it ends with the context."""
    await database.truncate()
    connection = await asyncpg.connect(database.url("user"))

    @asynccontextmanager
    async def run() -> AsyncIterator[World]:
        app = build(settings, QUICK)
        async with app.router.lifespan_context(app):
            yield World(app, settings.gateway_identity_key.get_secret_value(), connection, redis)

    yield run
    await connection.close()


@pytest.fixture
async def world(start: Start) -> AsyncIterator[World]:
    async with start() as world:
        yield world
