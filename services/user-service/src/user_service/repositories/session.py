"""Reading and writing logins and their refresh tokens."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, func, select, update

from user_service.config import LONGEST_ACCESS_LIFETIME
from user_service.core.revocations import CLOCK_SKEW, HORIZON
from user_service.models.session import RefreshToken, RevocationReason, Session
from user_service.repositories.base import BaseRepository


class Ended(NamedTuple):
    """A login that was revoked, and the time by which all of its access tokens have expired, skew included."""

    sid: UUID
    until: datetime


class SessionRepository(BaseRepository):
    """Logins within one transaction."""

    def add(self, login: Session) -> None:
        self._session.add(login)

    def add_token(self, token: RefreshToken) -> None:
        self._session.add(token)

    async def flush(self) -> None:
        """Send what was added, in an order that satisfies the foreign keys among it."""
        await self._session.flush()

    async def find_for_update(self, sid: UUID) -> Session | None:
        """Read and lock a login: whatever happens to its tokens happens one after the other."""
        return await self._session.get(Session, sid, with_for_update=True, populate_existing=True)

    async def find_token(self, jti: UUID) -> RefreshToken | None:
        return await self._session.get(RefreshToken, jti, populate_existing=True)

    async def revoke(self, sid: UUID, *, user_id: int, reason: RevocationReason, at: datetime) -> Sequence[Ended]:
        """End one login of this person; nothing if there is no such login or it had ended already."""
        statement = (
            update(Session)
            .where(Session.sid == sid, Session.user_id == user_id, Session.revoked_at.is_(None))
            .values(revoked_at=at, revoked_reason=reason)
            .returning(Session.sid, _matters_until())
        )
        return [Ended(*row) for row in await self._session.execute(statement)]

    async def revoke_all(
        self, user_id: int, *, reason: RevocationReason, at: datetime, spared: UUID | None = None
    ) -> Sequence[Ended]:
        """End every live login of a person but `spared`."""
        statement = (
            update(Session)
            .where(Session.user_id == user_id, Session.revoked_at.is_(None), Session.expires_at > at)
            .values(revoked_at=at, revoked_reason=reason)
            .returning(Session.sid, _matters_until())
        )
        if spared is not None:
            statement = statement.where(Session.sid != spared)
        return [Ended(*row) for row in await self._session.execute(statement)]

    async def still_revoked(self, now: datetime) -> Sequence[Ended]:
        """Every login that was revoked and whose access tokens may not all have expired, the first to do so first."""
        until = _matters_until()
        statement = select(Session.sid, until).where(_matters(now)).order_by(until)
        return [Ended(*row) for row in await self._session.execute(statement)]

    async def oldest_that_matters(self, now: datetime) -> datetime | None:
        """When the first of them was revoked; None if there is none."""
        return await self._session.scalar(select(func.min(Session.revoked_at)).where(_matters(now)))

    async def delete_expired(self, before: datetime, *, limit: int) -> int:
        """Forget at most `limit` logins, with their tokens, that ended by themselves before `before`."""
        expired = select(Session.sid).where(Session.expires_at < before).limit(limit).with_for_update(skip_locked=True)
        statement = delete(Session).where(Session.sid.in_(expired)).returning(Session.sid)
        return len((await self._session.scalars(statement)).all())


def _matters_until() -> ColumnElement[datetime]:
    return func.coalesce(Session.access_expires_at, Session.revoked_at + LONGEST_ACCESS_LIFETIME) + CLOCK_SKEW


def _matters(now: datetime) -> ColumnElement[bool]:
    # The first condition says nothing new: it is the one that has an index.
    return and_(Session.revoked_at >= now - HORIZON, _matters_until() > now)
