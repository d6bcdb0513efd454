"""The service as a process of its own that kills itself, once, at a chosen step: `python victim.py "<step>"`."""

import asyncio
import functools
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from notification_world import QUICK

from notification_service.channels.email import EmailCarrier
from notification_service.channels.push import PushCarrier
from notification_service.config import Settings
from notification_service.main import build
from notification_service.repositories.delivery import DeliveryRepository
from notification_service.services.announcing import Announcements
from notification_service.services.delivering import Deliverer, DelivererSettings
from shared.config.settings import load
from shared.events.inbox import Inbox
from shared.events.redis_streams import RedisBroker

BEFORE, AFTER = "before", "after"

HASTY = replace(QUICK, delivering=replace(QUICK.delivering or DelivererSettings(), send_seconds=1.0, claim_seconds=1.5))
"""What it claims is free again soon after its death."""

STEPS: dict[str, tuple[type, str, str]] = {
    "the event was read": (Inbox, "take", BEFORE),
    "the event was marked, in an open transaction": (Inbox, "take", AFTER),
    "everything was written, in an open transaction": (Announcements, "tell", AFTER),
    "the effect was committed, not acknowledged": (RedisBroker, "acknowledge", BEFORE),
    "the event was acknowledged": (RedisBroker, "acknowledge", AFTER),
    "a delivery was claimed, in an open transaction": (DeliveryRepository, "claim", AFTER),
    "the claim was committed": (Deliverer, "_attempt", BEFORE),
    "a mail is about to be sent": (EmailCarrier, "carry", BEFORE),
    "a mail was sent, not recorded": (EmailCarrier, "carry", AFTER),
    "a push is about to be sent": (PushCarrier, "carry", BEFORE),
    "a push was sent, not recorded": (PushCarrier, "carry", AFTER),
    "the outcome was written, in an open transaction": (DeliveryRepository, "finish", AFTER),
    "the outcome was committed": (Deliverer, "_report", BEFORE),
}
MAY_REPEAT = {
    step
    for step, target in STEPS.items()
    if target in {(EmailCarrier, "carry", AFTER), (PushCarrier, "carry", AFTER), (DeliveryRepository, "finish", AFTER)}
    or target[0] is RedisBroker
}
"""Here the other side may have taken the message while nobody knows it yet; the deliverer works beside the consumer."""


def interrupt(where: type, name: str, when: str, act: Callable[[], Awaitable[None] | None]) -> Callable[[], None]:
    """Have ``act`` done before or after a method does its work; returns what undoes it.

    After a method that gives a list, only if there is something in it: an empty claim is no step.
    """
    original = getattr(where, name)

    async def acted() -> None:
        waiting = act()
        if waiting is not None:
            await waiting

    @functools.wraps(original)
    async def asynchronous(*arguments: Any, **options: Any) -> Any:
        if when == BEFORE:
            await acted()
        result = await original(*arguments, **options)
        if when == AFTER and result != []:
            await acted()
        return result

    @functools.wraps(original)
    def synchronous(*arguments: Any, **options: Any) -> Any:
        act()
        return original(*arguments, **options)

    setattr(where, name, asynchronous if asyncio.iscoroutinefunction(original) else synchronous)
    return lambda: setattr(where, name, original)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def main() -> None:
    app = build(load(Settings), HASTY)
    async with app.router.lifespan_context(app):
        await asyncio.sleep(60)


if __name__ == "__main__":
    interrupt(*STEPS[sys.argv[1]], die)
    asyncio.run(main())
