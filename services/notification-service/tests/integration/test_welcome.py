"""From `user.registered` to one welcome, whatever happens in between."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY

from shared.testing.processes import free_port
from shared.testing.servers import RedisServer

STREAM = "smartcourse:events:user"
GROUP = "notification"


async def test_a_new_person_is_welcomed_once(world: Any) -> None:
    [ada] = await world.welcomed()
    async with world.client(ada) as client:
        [welcome] = (await client.get("/api/notifications")).json()["items"]
    assert welcome["type"] == "welcome"
    assert welcome["title"] == "Welcome to SmartCourse"
    assert welcome["link"] == "/api/courses"
    assert "Ada" not in welcome["body"], "texts hold no personal data"


async def test_an_event_delivered_twice_welcomes_once(world: Any) -> None:
    ada = await world.new_user()
    event = world.registration(ada)
    await world.deliver(event, event)
    await world.settled()
    await world.deliver(event)
    await world.settled()
    assert await world.titles(ada) == ["Welcome to SmartCourse"]


async def test_events_from_before_the_service_ran_are_not_missed(start: Any) -> None:
    async with start() as world:
        first = await world.new_user()
        await world.redis.delete(STREAM)
    await world.deliver(world.registration(first))
    async with start() as world:
        await world.settled()
        assert await world.titles(first) == ["Welcome to SmartCourse"]


async def test_an_event_that_a_crashed_consumer_held_is_delivered_again(start: Any, redis: Any) -> None:
    await redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    async with start() as world:
        ada = await world.new_user()
    await world.deliver(world.registration(ada))
    taken = await redis.xreadgroup(GROUP, "crashed", {STREAM: ">"})
    assert taken, "it is the crashed consumer's now"
    async with start() as world:
        await world.settled()
        assert await world.titles(ada) == ["Welcome to SmartCourse"]


async def test_without_redis_the_list_is_served_and_afterwards_events_arrive(
    world: Any, redis_server: RedisServer, eventually: Any
) -> None:
    [ada] = await world.welcomed()
    await asyncio.to_thread(redis_server.stop)

    async def is_noticed() -> bool:
        return REGISTRY.get_sample_value("smartcourse_events_consuming", {"service": GROUP}) == 0

    await eventually(is_noticed)
    async with world.stranger() as client:
        assert (await client.get("/health/ready")).status_code == 200, "a pod that is not ready serves no list"
    assert await world.titles(ada) == ["Welcome to SmartCourse"], "reading needs no Redis"
    await asyncio.to_thread(redis_server.start)
    [bob] = await world.welcomed()
    assert await world.titles(bob) == ["Welcome to SmartCourse"]


async def test_an_event_about_nobody_is_buried_and_the_next_one_arrives(world: Any) -> None:
    ada = await world.new_user()
    await world.deliver(world.registration(424242), world.registration(ada))
    await world.settled()
    assert await world.titles(ada) == ["Welcome to SmartCourse"]
    letter = await world.sql.fetchrow("SELECT type, stream, reason, attempts FROM notification_dead_letters")
    assert tuple(letter) == (
        "user.registered",
        STREAM,
        "3 attempts failed, the last with IntegrityError 23503",
        3,
    )


@pytest.fixture
def served(settings: Any, tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The process that an image runs."""
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "GATEWAY_IDENTITY_KEY": settings.gateway_identity_key.get_secret_value(),
        "METRICS_PORT": "0",
    }
    command = ["--interface", "asgi", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "granian", *command, "notification_service.main:app"],
            env=environment, cwd=tmp_path, stdout=log, stderr=log,
        )  # fmt: skip
        yield f"http://127.0.0.1:{port}", process
        process.kill()
        process.wait()


async def test_the_image_s_command_serves_and_ends_in_order(
    served: tuple[str, subprocess.Popen[bytes]], redis: Any, eventually: Any
) -> None:
    url, process = served
    async with httpx.AsyncClient(base_url=url) as client:

        async def is_ready() -> bool:
            try:
                return (await client.get("/health/ready")).status_code == 200
            except httpx.TransportError:
                return False

        async def has_joined() -> bool:
            return bool(await redis.exists(STREAM) and await redis.xinfo_groups(STREAM))

        await eventually(is_ready, seconds=30)
        await eventually(has_joined, seconds=30)
        assert (await client.get("/api/notifications")).status_code == 401
    process.terminate()
    assert await asyncio.to_thread(process.wait, 10) == 0
    assert await redis.xinfo_consumers(STREAM, GROUP) == [], "it has left its group"
