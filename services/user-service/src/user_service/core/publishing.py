"""What this service tells the others, as ports: business code depends on these, `main` wires the real ones in."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from shared.events.user import UserEvent


@dataclass(frozen=True, slots=True)
class Revocation:
    """Sessions that ended at one moment before their time; their access tokens must not be accepted any more.

    An API key has a session too, and gateways ask about the key anew when that has ended.
    `until`: by then whatever was issued for these sessions has expired by itself.
    """

    sids: tuple[str, ...]
    until: datetime


class AccountPublisher(Protocol):
    """Tells about accounts."""

    async def publish(self, transaction: AsyncSession, event: UserEvent, *, at: datetime) -> None:
        """Say what happened inside the caller's transaction: it leaves if, and only if, that commits."""


class RevocationPublisher(Protocol):
    """Tells the gateways about ended sessions."""

    async def sessions_revoked(self, transaction: AsyncSession, revocation: Revocation) -> None:
        """Say so inside the caller's transaction: it leaves if, and only if, that commits."""

    async def announce(self, revocation: Revocation) -> None:
        """Say now, outside any transaction, what `sessions_revoked` has put on its way. Never raises.

        The way through the outbox is certain but takes longer while the relay is behind or changes its leader.
        """
