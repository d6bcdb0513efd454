"""What a test can do around the service."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
from fastapi import FastAPI

from notification_service.main import Pace
from notification_service.services.delivering import DelivererSettings
from notification_service.services.housekeeping import HousekeeperSettings
from shared.events.consumer import ConsumerSettings
from shared.events.enrollment import EnrollmentCreated
from shared.events.envelope import Event
from shared.events.outbox import EVENT_FIELD
from shared.events.user import UserRegistered
from shared.identity import Role
from shared.testing.identity import GatewayAuth

STREAMS = (UserRegistered.event_type.stream, EnrollmentCreated.event_type.stream)
GROUP = "notification"
QUICK = Pace(
    consuming=ConsumerSettings(
        wait_seconds=0.1,
        attempts=3,
        first_backoff_seconds=0.02,
        longest_backoff_seconds=0.1,
        claim_seconds=0.1,
        claim_idle_seconds=0.3,
    ),
    delivering=DelivererSettings(
        poll_seconds=0.1,
        send_seconds=10.0,
        claim_seconds=15.0,
        attempts=3,
        first_backoff_seconds=0.05,
        longest_backoff_seconds=0.1,
        first_pause_seconds=0.05,
        longest_pause_seconds=0.2,
    ),
    housekeeping=HousekeeperSettings(observe_seconds=0.1),
)


async def eventually(is_so: Callable[[], Awaitable[bool]], *, seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not await is_so():  # noqa: ASYNC110 - servers set no asyncio.Event
            await asyncio.sleep(0.02)


class World:
    """One running service, seen from outside; ``sql`` is the database's administrator."""

    def __init__(self, app: FastAPI, key: str, sql: Any, redis: Any) -> None:
        self.app, self._key, self.sql, self.redis = app, key, sql, redis

    def client(self, user_id: int | None = None, role: Role | str = Role.STUDENT) -> httpx.AsyncClient:
        """Somebody whose requests come through the gateway; nobody in particular without an id."""
        auth = GatewayAuth(self._key, user_id=user_id, role=role if user_id else Role.ANONYMOUS)
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://service", auth=auth)

    def stranger(self) -> httpx.AsyncClient:
        """Somebody who reached the service around the gateway."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://service")

    async def new_user(self, full_name: str = "Ada") -> int:
        """A row of `users`, as user-service would have made it; no event is published."""
        user_id: int = await self.sql.fetchval(
            "INSERT INTO users (email, hashed_password, full_name, role) VALUES ($1, 'x', $2, 'student') RETURNING id",
            f"{secrets.token_hex(6)}@school.example",
            full_name,
        )
        return user_id

    async def address(self, user_id: int) -> str:
        address: str = await self.sql.fetchval("SELECT email FROM users WHERE id = $1", user_id)
        return address

    def registration(self, user_id: int) -> Event[UserRegistered]:
        data = UserRegistered(user_id=user_id, email="ada@school.example", full_name="Ada", role="student")
        return Event.of(data)

    def enrollment(self, user_id: int, title: str = "Analytical Engines") -> Event[EnrollmentCreated]:
        data = EnrollmentCreated(
            enrollment_id=7,
            student_id=user_id,
            course_id=3,
            course_title=title,
            enrolled_at=datetime.now(UTC),
            is_renewed=False,
        )
        return Event.of(data)

    async def deliver(self, *events: Event[Any]) -> None:
        for event in events:
            await self.redis.xadd(event.data.event_type.stream, {EVENT_FIELD: event.model_dump_json()})

    async def welcomed(self, count: int = 1) -> list[int]:
        """People whose registrations have arrived and had their effect."""
        people = [await self.new_user() for _ in range(count)]
        await self.deliver(*map(self.registration, people))
        await self.settled()
        return people

    async def settled(self) -> None:
        """Wait until every event of both streams was acknowledged."""

        async def is_settled(stream: str) -> bool:
            if not await self.redis.exists(stream) or not (groups := await self.redis.xinfo_groups(stream)):
                return False
            last = (await self.redis.xinfo_stream(stream))["last-generated-id"]
            return bool(groups[0]["pending"] == 0 and groups[0]["last-delivered-id"] == last)

        for stream in STREAMS:
            await eventually(lambda stream=stream: is_settled(stream))

    async def delivered(self, *, seconds: float = 15) -> None:
        """Wait until every event was acknowledged and nothing is left to be delivered."""
        await self.settled()

        async def is_drained() -> bool:
            return "pending" not in await self.deliveries()

        await eventually(is_drained, seconds=seconds)

    async def deliveries(self) -> list[str]:
        """The states of all deliveries, oldest first."""
        rows = await self.sql.fetch("SELECT state FROM notification_deliveries ORDER BY created_at, id")
        return [row["state"] for row in rows]

    async def titles(self, user_id: int) -> list[str]:
        async with self.client(user_id) as client:
            return [item["title"] for item in (await client.get("/api/notifications")).json()["items"]]

    async def prefer(self, user_id: int, kind: str, **channels: bool) -> httpx.Response:
        async with self.client(user_id) as client:
            return await client.patch(
                "/api/notifications/preferences", json={"preferences": [{"type": kind, **channels}]}
            )
