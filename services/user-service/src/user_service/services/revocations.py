"""Keeps the stream of revocations in Redis true to PostgreSQL, and forgets sessions that ended long ago."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database import Database
from shared.exceptions.base import UnavailableError
from shared.utils.datetime import Clock
from user_service.core.revocations import CLOCK_SKEW, KEY_MEMORY, RevocationStream, entries_by_time
from user_service.repositories.api_key import ApiKeyRepository
from user_service.repositories.session import SessionRepository

CHECK_EVERY_SECONDS = 2.0
TIDY_EVERY_SECONDS = 300.0
FORGET_AFTER = timedelta(days=1)
FORGET_AT_ONCE = 1000
_KEYS_MATTER = KEY_MEMORY + CLOCK_SKEW

_log = structlog.get_logger(__name__)


class RevocationKeeper:
    """Every replica runs one; what one does, another's doing it too does not harm."""

    def __init__(self, *, database: Database, stream: RevocationStream, clock: Clock) -> None:
        self._database = database
        self._stream = stream
        self._clock = clock

    async def run(self) -> None:
        """Keep the stream until cancelled, through absences of Redis and of the database."""
        loop = asyncio.get_running_loop()
        tidy_at = loop.time()
        is_failing = False
        while True:
            try:
                await self.ensure()
                if loop.time() >= tidy_at:
                    await self.tidy()
                    tidy_at = loop.time() + TIDY_EVERY_SECONDS
                is_failing = False
            except (RedisError, OSError, UnavailableError) as error:
                if not is_failing:
                    _log.warning("revocations_not_kept", error=type(error).__name__)
                is_failing = True
            await asyncio.sleep(CHECK_EVERY_SECONDS)

    async def ensure(self) -> bool:
        """Make the stream, complete, unless it is; returns whether it had to be filled."""
        if await self._stream.is_complete():
            return False
        now = self._clock.now()
        opened = await self._stream.open(now)
        async with self._database.read() as reading:
            revoked = await _still_revoked(reading, now)
        filled = await self._stream.fill(entries_by_time(revoked), opened=opened)
        if filled:
            _log.info("revocations_refilled", sessions=len(revoked))
        return filled

    async def tidy(self) -> None:
        """Trim revocations that no longer matter, and delete sessions that expired more than a day ago."""
        now = self._clock.now()
        async with self._database.read() as reading:
            login = await SessionRepository(reading).oldest_that_matters(now)
            keys = await _ended_keys(reading, now)
        oldest = min([login or now, *(at for _, at in keys)])
        await self._stream.trim(now - oldest + CLOCK_SKEW)
        async with self._database.begin() as transaction:
            before = now - FORGET_AFTER
            await SessionRepository(transaction).delete_expired(before, limit=FORGET_AT_ONCE)


async def _still_revoked(reading: AsyncSession, now: datetime) -> list[tuple[str, datetime]]:
    """Every session, of logins and of API keys, that ended and still matters, and until when; the earliest first."""
    logins = [(str(ended.sid), ended.until) for ended in await SessionRepository(reading).still_revoked(now)]
    keys = [(sid, at + _KEYS_MATTER) for sid, at in await _ended_keys(reading, now)]
    return sorted([*logins, *keys], key=lambda ended: ended[1])


async def _ended_keys(reading: AsyncSession, now: datetime) -> Sequence[tuple[str, datetime]]:
    """Every session of an API key that ended and still matters, and when it ended."""
    return await ApiKeyRepository(reading).ended_since(now - _KEYS_MATTER)
