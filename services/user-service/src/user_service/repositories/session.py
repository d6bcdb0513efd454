"""Reading and writing logins and their refresh tokens."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select, update

from user_service.models.session import RefreshToken, RevocationReason, Session
from user_service.repositories.base import BaseRepository


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

    async def revoke(self, sid: UUID, *, user_id: int, reason: RevocationReason, at: datetime) -> bool:
        """End one login of this person. Returns False if there is no such login or it had ended already."""
        statement = (
            update(Session)
            .where(Session.sid == sid, Session.user_id == user_id, Session.revoked_at.is_(None))
            .values(revoked_at=at, revoked_reason=reason)
            .returning(Session.sid)
        )
        return await self._session.scalar(statement) is not None

    async def revoke_all(
        self, user_id: int, *, reason: RevocationReason, at: datetime, spared: UUID | None = None
    ) -> Sequence[UUID]:
        """End every live login of a person but `spared`; returns the ended ones' sids."""
        statement = (
            update(Session)
            .where(Session.user_id == user_id, Session.revoked_at.is_(None), Session.expires_at > at)
            .values(revoked_at=at, revoked_reason=reason)
            .returning(Session.sid)
        )
        if spared is not None:
            statement = statement.where(Session.sid != spared)
        return (await self._session.scalars(statement)).all()

    async def revoked_since(self, since: datetime) -> Sequence[tuple[UUID, datetime]]:
        """Sid and time of every revocation from `since` on, oldest first."""
        statement = (
            select(Session.sid, Session.revoked_at)
            .where(Session.revoked_at.is_not(None), Session.revoked_at >= since)
            .order_by(Session.revoked_at)
        )
        return [(sid, at) for sid, at in await self._session.execute(statement) if at is not None]

    async def delete_expired(self, before: datetime, *, limit: int) -> int:
        """Forget at most `limit` logins, with their tokens, that ended by themselves before `before`."""
        expired = select(Session.sid).where(Session.expires_at < before).limit(limit).with_for_update(skip_locked=True)
        statement = delete(Session).where(Session.sid.in_(expired)).returning(Session.sid)
        return len((await self._session.scalars(statement)).all())
