"""The port through which use cases announce what happened."""

from __future__ import annotations

from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from shared.events.envelope import Event


class EventPublisher(Protocol):
    """Announces events in the caller's transaction: they leave if, and only if, it commits."""

    async def publish(self, session: AsyncSession, event: Event[Any]) -> None:
        """Record `event` for publication."""
