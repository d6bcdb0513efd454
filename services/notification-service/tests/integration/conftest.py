"""The service on real PostgreSQL, Redis, mail and push servers, and the people it tells things."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from mail_server import Mailbox, running_mailbox
from notification_world import QUICK, World, eventually
from push_server import PushServer, base64url, running_push_server
from redis.asyncio import Redis

from notification_service.config import Settings
from notification_service.main import build
from shared.testing.servers import PostgresServer, RedisServer, TestDatabase

Start = Callable[..., AbstractAsyncContextManager[World]]


@pytest.fixture(name="eventually")
def eventually_fixture() -> Callable[..., Awaitable[None]]:
    return eventually


@pytest.fixture(scope="session")
async def database(postgres_server: PostgresServer) -> TestDatabase:
    return await postgres_server.fresh_database("user", "notification")


@pytest.fixture
def settings(database: TestDatabase, redis_server: RedisServer) -> Settings:
    """An installation with neither mail nor push."""
    return Settings.model_validate(
        {
            "database_url": database.url("notification"),
            "redis_url": redis_server.url,
            "gateway_identity_key": secrets.token_hex(32),
            "public_url": "https://academy.example",
            "metrics_port": 0,
        }
    )


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with running_mailbox() as mailbox:
        yield mailbox


@pytest.fixture
async def push_server() -> AsyncIterator[PushServer]:
    async with running_push_server() as server:
        yield server


@pytest.fixture
def with_mail(mailbox: Mailbox) -> dict[str, Any]:
    """Settings of an installation that sends mail to ``mailbox``."""
    return {"smtp_url": f"smtp://127.0.0.1:{mailbox.port}", "smtp_from": "SmartCourse <no-reply@academy.example>"}


@pytest.fixture
def with_push() -> dict[str, Any]:
    """Settings of an installation that may push to servers on loopback."""
    number = generate_private_key(SECP256R1()).private_numbers().private_value
    return {
        "vapid_private_key": base64url(number.to_bytes(32, "big")),
        "vapid_subject": "mailto:admin@academy.example",
        "push_allow_private": True,
    }


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Any]:
    await redis_server.flush()
    async with Redis.from_url(redis_server.url, decode_responses=True, protocol=2) as client:
        yield client


@pytest.fixture
async def start(settings: Settings, database: TestDatabase, redis: Any) -> AsyncIterator[Start]:
    """Run the service, with these settings changed; it ends with the context."""
    await database.truncate()
    connection = await asyncpg.connect(database.admin_url)

    @asynccontextmanager
    async def run(**changes: Any) -> AsyncIterator[World]:
        app = build(Settings.model_validate(environment(settings) | changes), QUICK)
        async with app.router.lifespan_context(app):
            yield World(app, settings.gateway_identity_key.get_secret_value(), connection, redis)

    yield run
    await connection.close()


def environment(settings: Settings) -> dict[str, Any]:
    """The settings that were given, secrets readable."""
    given = settings.model_dump(exclude_unset=True)
    return {name: getattr(value, "get_secret_value", lambda value=value: value)() for name, value in given.items()}


@pytest.fixture
async def world(start: Start) -> AsyncIterator[World]:
    async with start() as world:
        yield world


@pytest.fixture
async def mail_world(start: Start, with_mail: dict[str, Any]) -> AsyncIterator[World]:
    async with start(**with_mail) as world:
        yield world


@pytest.fixture
async def push_world(start: Start, with_push: dict[str, Any]) -> AsyncIterator[World]:
    async with start(**with_push) as world:
        yield world
