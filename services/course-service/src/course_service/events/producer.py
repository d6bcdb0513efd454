"""Publishes through the outbox."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from shared.events import outbox
from shared.events.envelope import Event


class OutboxPublisher:
    """The `EventPublisher` of the running service: the relay carries what it records to `smartcourse:events:course`."""

    async def publish(self, session: AsyncSession, event: Event[Any]) -> None:
        """Record `event` in the caller's transaction."""
        await outbox.add(session, event)
