"""The publishing ports over the transactional outbox and the stream of revocations."""

from datetime import datetime, timedelta

import structlog
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncSession

from shared.events import outbox
from shared.events.envelope import Event
from shared.events.user import UserEvent
from user_service.core.database import SERVICE
from user_service.core.publishing import Revocation
from user_service.core.revocations import STREAM, RevocationStream, entries

_log = structlog.get_logger(__name__)


class AccountProducer:
    """Writes events to the outbox; the relay takes them from there."""

    async def publish(self, transaction: AsyncSession, event: UserEvent, *, at: datetime) -> None:
        await outbox.add(transaction, Event.of(event, time=at))


class RevocationProducer:
    """Writes revocations to the outbox and, to save time, to the stream itself; saying it twice does no harm.

    `relevance`: how long a revocation matters.
    """

    def __init__(self, stream: RevocationStream, *, relevance: timedelta) -> None:
        self._stream = stream
        self._relevance = relevance

    async def sessions_revoked(self, transaction: AsyncSession, revocation: Revocation) -> None:
        for fields in self._entries(revocation):
            await outbox.add_stream_entry(
                transaction,
                service=SERVICE,
                stream=STREAM,
                fields=fields,
                keep_seconds=int(self._relevance.total_seconds()),
            )

    async def announce(self, revocation: Revocation) -> None:
        try:
            await self._stream.append(self._entries(revocation))
        except (RedisError, OSError) as error:
            _log.warning("revocation_left_to_the_relay", sessions=len(revocation.sids), error=type(error).__name__)

    def _entries(self, revocation: Revocation) -> list[dict[str, str]]:
        return entries(revocation.sids, revocation.at + self._relevance)
