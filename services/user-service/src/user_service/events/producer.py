"""The publishing ports over the transactional outbox and the stream of revocations."""

from datetime import datetime

import structlog
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncSession

from shared.events import outbox
from shared.events.envelope import Event
from shared.events.user import UserEvent
from user_service.core.database import SERVICE
from user_service.core.publishing import Revocation
from user_service.core.revocations import HORIZON, STREAM, RevocationStream, entries

_log = structlog.get_logger(__name__)


class AccountProducer:
    """Writes events to the outbox; the relay takes them from there."""

    async def publish(self, transaction: AsyncSession, event: UserEvent, *, at: datetime) -> None:
        await outbox.add(transaction, Event.of(event, time=at))


class RevocationProducer:
    """Writes revocations to the outbox and, to save time, to the stream itself; saying it twice does no harm."""

    def __init__(self, stream: RevocationStream) -> None:
        self._stream = stream

    async def sessions_revoked(self, transaction: AsyncSession, revocation: Revocation) -> None:
        for fields in entries(revocation.sids, revocation.until):
            await outbox.add_stream_entry(
                transaction,
                service=SERVICE,
                stream=STREAM,
                fields=fields,
                keep_seconds=int(HORIZON.total_seconds()),
            )

    async def announce(self, revocation: Revocation) -> None:
        try:
            await self._stream.append(entries(revocation.sids, revocation.until))
        except (RedisError, OSError) as error:
            _log.warning("revocation_left_to_the_relay", sessions=len(revocation.sids), error=type(error).__name__)
