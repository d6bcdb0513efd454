"""The service on real servers, its clock in the test's hand."""

import json
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx
import jwt
import pytest
from fastapi import FastAPI
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from shared.identity import Role
from shared.testing.identity import GatewayAuth
from shared.testing.servers import PostgresServer, RedisServer, TestDatabase
from shared.utils.datetime import FixedClock
from shared.utils.hashing import hash_password
from user_service.config import Settings
from user_service.main import build

PASSWORD = "correct horse battery"


@dataclass
class Person:
    """Somebody with an account, and the tokens of their last login."""

    id: int
    email: str
    role: str
    tokens: dict[str, Any] = field(default_factory=dict, repr=False)
    password: str = PASSWORD

    @property
    def sid(self) -> str:
        sid: str = claims(self.tokens["access_token"])["sid"]
        return sid


def claims(token: str) -> dict[str, Any]:
    """What a token says, unverified."""
    payload: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return payload


class Service:
    """The application under test, seen as the gateway sees it."""

    def __init__(
        self,
        app: FastAPI,
        settings: Settings,
        clock: FixedClock,
        *,
        sql: asyncpg.Connection,
        redis: Redis,
        cheap_hash: str,
    ) -> None:
        self.app, self.settings, self.clock = app, settings, clock
        self.sql, self.redis, self._cheap_hash = sql, redis, cheap_hash

    @staticmethod
    def claims(token: str) -> dict[str, Any]:
        """What a token says, unverified."""
        return claims(token)

    def client(self, person: Person | None = None) -> httpx.AsyncClient:
        """Requests of `person`, or of nobody."""
        auth = GatewayAuth(self.settings.gateway_identity_key, clock=self.clock)
        if person is not None:
            auth = GatewayAuth(
                self.settings.gateway_identity_key,
                user_id=person.id,
                role=Role(person.role),
                session_id=person.sid if person.tokens else None,
                clock=self.clock,
            )
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://service", auth=auth)

    async def call(self, method: str, path: str, *, by: Person | None = None, **options: Any) -> httpx.Response:
        async with self.client(by) as client:
            return await client.request(method, path, **options)

    async def person(self, *, role: str = "student", is_active: bool = True, full_name: str = "A Person") -> Person:
        """Somebody whose account is there already; their password is `PASSWORD`."""
        email = f"{role}-{secrets.token_hex(4)}@example.org"
        user_id = await self.sql.fetchval(
            "INSERT INTO users (email, hashed_password, full_name, role, is_active)"
            " VALUES ($1, $2, $3, $4, $5) RETURNING id",
            email, self._cheap_hash, full_name, role, is_active,
        )  # fmt: skip
        return Person(user_id, email, role)

    async def log_in(self, person: Person) -> Person:
        answer = await self.call("POST", "/api/auth/login", json={"email": person.email, "password": person.password})
        assert answer.status_code == 200, answer.text
        return Person(person.id, person.email, person.role, answer.json(), person.password)

    async def newly(self, **options: Any) -> Person:
        """A new person who is logged in."""
        return await self.log_in(await self.person(**options))

    async def refresh(self, token: str) -> httpx.Response:
        return await self.call("POST", "/api/auth/refresh", json={"refresh_token": token})

    async def outbox(self) -> list[asyncpg.Record]:
        return await self.sql.fetch("SELECT * FROM user_outbox ORDER BY 1")

    async def announced(self) -> list[tuple[str, dict[str, Any]]]:
        """The type and the data of each event, in order."""
        payloads = [json.loads(row["payload"]) for row in await self.outbox()]
        events = [json.loads(payload["event"]) for payload in payloads if "event" in payload]
        return [(event["type"], event["data"]) for event in events]

    async def revoked_sids(self) -> list[set[str]]:
        """The sids of each entry of the stream of revocations, markers left out."""
        entries = await self.redis.xrange("smartcourse:revocations")
        return [set(fields["sids"].split(",")) for _, fields in entries if fields["sids"]]


@pytest.fixture(scope="session")
async def database(postgres_server: PostgresServer) -> TestDatabase:
    return await postgres_server.fresh_database("user")


@pytest.fixture(scope="session")
async def cheap_hash() -> str:
    """A hash that is quick to compare; tests that are about its cost make their own."""
    return await hash_password(PASSWORD, rounds=4)


@pytest.fixture
async def _empty(database: TestDatabase, redis_server: RedisServer) -> None:
    await database.truncate()
    await redis_server.flush()


@pytest.fixture
def settings(database: TestDatabase, redis_server: RedisServer, secret_settings: dict[str, Any]) -> Settings:
    return Settings(database_url=database.url("user"), redis_url=redis_server.url, **secret_settings)


@pytest.fixture
async def sql(database: TestDatabase, _empty: None) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's connection, to look behind the service's back."""
    connection = await asyncpg.connect(database.admin_url)
    yield connection
    await connection.close()


@pytest.fixture
async def redis(redis_server: RedisServer, _empty: None) -> AsyncIterator[Redis]:
    retry = Retry(NoBackoff(), 1)  # the server may have been stopped and started meanwhile
    async with Redis.from_url(redis_server.url, decode_responses=True, retry=retry) as client:
        yield client


@pytest.fixture
async def service(settings: Settings, sql: asyncpg.Connection, redis: Redis, cheap_hash: str) -> AsyncIterator[Service]:
    """The service without its background tasks, at a time that stands still."""
    clock = FixedClock()
    app = build(settings, clock=clock)
    yield Service(app, settings, clock, sql=sql, redis=redis, cheap_hash=cheap_hash)
    await app.state.database.dispose()


@pytest.fixture
def problem() -> Callable[..., dict[str, Any]]:
    """Assert that an answer is a problem document of this status and kind, and return it."""

    def check(answer: httpx.Response, status: int, slug: str) -> dict[str, Any]:
        assert answer.status_code == status, f"{answer.status_code} {answer.text}"
        assert answer.headers["content-type"].startswith("application/problem+json")
        document: dict[str, Any] = answer.json()
        assert document["type"] == f"urn:smartcourse:problem:{slug}"
        assert {"type", "title", "status", "detail", "instance", "trace_id"} <= document.keys()
        return document

    return check
