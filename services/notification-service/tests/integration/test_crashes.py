"""Killing the service or Redis between any two steps loses nothing and repeats nothing in effect."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import victim
from mail_server import Mailbox
from push_server import PushServer

from notification_service.config import Settings
from shared.testing.servers import RedisServer

SIGKILLED = -9


def run_victim(step: str, settings: Settings, folder: Path, **more: Any) -> int:
    given = {
        "database_url": settings.database_url.get_secret_value(),
        "redis_url": settings.redis_url.get_secret_value(),
        "gateway_identity_key": settings.gateway_identity_key.get_secret_value(),
        "public_url": settings.public_url,
        "metrics_port": 0,
    } | more
    environment = {name.upper(): str(value) for name, value in given.items()}
    with (folder / "log").open("wb") as log:
        return subprocess.run(
            [sys.executable, victim.__file__, step],
            env=environment | {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
            cwd=folder, stdout=log, stderr=log, timeout=60, check=False,
        ).returncode  # fmt: skip


async def prepared(world: Any, push_server: PushServer | None) -> int:
    """A person who is told of enrollments by every channel; with a browser, if there is something to push to."""
    ada: int = await world.new_user()
    async with world.client(ada) as client:
        if push_server is not None:
            await client.post("/api/notifications/push/subscriptions", json=push_server.browser().subscription())
    assert (await world.prefer(ada, "enrolled", push=True)).status_code == 200
    return ada


@pytest.mark.parametrize("step", victim.STEPS)
async def test_a_killed_service_loses_nothing(
    step: str,
    start: Any,
    settings: Settings,
    with_mail: dict[str, Any],
    with_push: dict[str, Any],
    mailbox: Mailbox,
    push_server: PushServer,
    tmp_path: Path,
) -> None:
    options = with_push if "push" in step else with_mail
    async with start(**options) as world:
        ada = await prepared(world, push_server if "push" in step else None)
    await world.deliver(world.enrollment(ada))
    status = await asyncio.to_thread(run_victim, step, settings, tmp_path, **options)
    assert status == SIGKILLED, (tmp_path / "log").read_text()[-3000:]
    async with start(**options) as world:
        await world.delivered()
        assert await world.titles(ada) == ["You are enrolled in Analytical Engines"]
        assert await world.deliveries() == ["sent"]
    sent = mailbox.message_ids + [received.headers["Topic"] for received in push_server.received]
    assert len(set(sent)) == 1, "a repetition can be recognised"
    assert len(sent) <= (2 if step in victim.MAY_REPEAT else 1)


async def test_a_delivery_that_kills_every_process_is_given_up(
    start: Any, settings: Settings, with_mail: dict[str, Any], mailbox: Mailbox, tmp_path: Path
) -> None:
    async with start() as world:
        ada = await world.new_user()
    await world.deliver(world.enrollment(ada))
    for _ in range(3):
        step = "a mail is about to be sent"
        assert await asyncio.to_thread(run_victim, step, settings, tmp_path, **with_mail) == SIGKILLED
    async with start(**with_mail) as world:
        await world.delivered()
        assert await world.deliveries() == ["dead"]
    assert mailbox.messages == []


REDIS_STEPS = [
    step for step, (_, name, _) in victim.STEPS.items() if name in {"take", "tell", "acknowledge", "claim", "carry"}
]


@pytest.mark.parametrize("step", REDIS_STEPS)
async def test_a_killed_redis_loses_nothing(
    step: str,
    start: Any,
    with_mail: dict[str, Any],
    with_push: dict[str, Any],
    mailbox: Mailbox,
    push_server: PushServer,
    redis_server: RedisServer,
) -> None:
    """Redis forgets everything, as it does here when it ends; the publisher's outbox brings the event again."""
    lives, is_dead = 1, asyncio.Event()

    async def kill() -> None:
        nonlocal lives
        if lives:
            lives = 0
            await asyncio.to_thread(redis_server.stop)
            is_dead.set()

    undo = victim.interrupt(*victim.STEPS[step], kill)
    try:
        async with start(**with_mail, **with_push) as world:
            ada = await prepared(world, push_server)
            event = world.enrollment(ada)
            await world.deliver(event)
            async with asyncio.timeout(15):
                await is_dead.wait()
            await asyncio.to_thread(redis_server.start)
            await world.deliver(event)
            await world.delivered()
            assert await world.titles(ada) == ["You are enrolled in Analytical Engines"]
            assert await world.deliveries() == ["sent", "sent"]
    finally:
        undo()
        await asyncio.to_thread(redis_server.restart)  # for the tests that follow, whatever became of this one
    assert len(mailbox.messages) == len(push_server.received) == 1
