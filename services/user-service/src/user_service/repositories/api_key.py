"""Reading and writing API keys."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select, update

from user_service.core.errors import ApiKeyNotFound
from user_service.models.api_key import ApiKey, session_name
from user_service.models.user import User
from user_service.repositories.base import BaseRepository

FORGOTTEN_NAME = "forgotten"


class ApiKeyRepository(BaseRepository):
    """Keys within one transaction. A key is live until it expires or is revoked."""

    async def add(self, key: ApiKey) -> None:
        """Insert `key`; it has an id afterwards."""
        self._session.add(key)
        await self._session.flush()

    async def count_live(self, user_id: int, at: datetime) -> int:
        statement = select(func.count()).select_from(ApiKey).where(ApiKey.user_id == user_id, *_live(at))
        return (await self._session.execute(statement)).scalar_one()

    def listing(self, user_id: int, *, live_at: datetime | None) -> Select[Any]:
        """A person's keys, the newest first, to be paginated; those that are live at `live_at`, or all."""
        conditions = _live(live_at) if live_at is not None else ()
        return select(ApiKey).where(ApiKey.user_id == user_id, *conditions).order_by(ApiKey.id.desc())

    async def get(self, key_id: int, *, user_id: int) -> ApiKey:
        """Raises ApiKeyNotFound, also for another person's key."""
        key = await self._session.scalar(select(ApiKey).where(ApiKey.id == key_id, ApiKey.user_id == user_id))
        if key is None:
            raise ApiKeyNotFound(key_id)
        return key

    async def revoke(self, key_id: int, *, user_id: int, at: datetime) -> str | None:
        """End a key and return its session; None if it had been revoked before, or there is none."""
        statement = (
            update(ApiKey)
            .where(ApiKey.id == key_id, ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))
            .values(revoked_at=at)
            .returning(ApiKey.id, ApiKey.generation)
        )
        row = (await self._session.execute(statement)).one_or_none()
        return session_name(*row) if row else None

    async def begin_generation(self, user_id: int, at: datetime) -> list[str]:
        """Begin a new generation of each of the person's live keys; return the sessions that end by it."""
        statement = (
            update(ApiKey)
            .where(ApiKey.user_id == user_id, *_live(at))
            .values(generation=ApiKey.generation + 1, generation_since=at)
            .returning(ApiKey.id, ApiKey.generation)
        )
        return [session_name(key_id, now - 1) for key_id, now in await self._session.execute(statement)]

    async def forget(self, user_id: int, at: datetime) -> None:
        """Revoke all of a person's keys and blank out what they called them."""
        statement = update(ApiKey).where(ApiKey.user_id == user_id)
        await self._session.execute(
            statement.values(name=FORGOTTEN_NAME, revoked_at=func.coalesce(ApiKey.revoked_at, at))
        )

    async def find_holder(self, public_id: str, at: datetime) -> tuple[ApiKey, User] | None:
        """The key of this public part with its owner, both as of one moment; None unless it is live and they active."""
        statement = select(ApiKey, User).join(User, User.id == ApiKey.user_id)
        row = (
            await self._session.execute(statement.where(ApiKey.public_id == public_id, User.is_active, *_live(at)))
        ).one_or_none()
        return (row[0], row[1]) if row else None

    async def mark_used(self, key_id: int, at: datetime) -> None:
        await self._session.execute(update(ApiKey).where(ApiKey.id == key_id).values(last_used_at=at))

    async def ended_since(self, since: datetime) -> Sequence[tuple[str, datetime]]:
        """Name and end of every key's session that ended from `since` on.

        Of former generations only the last change's time is known: all of them count as ended by it.
        """
        statement = select(ApiKey.id, ApiKey.generation, ApiKey.generation_since, ApiKey.revoked_at).where(
            or_(ApiKey.revoked_at >= since, ApiKey.generation_since >= since)
        )
        ended: list[tuple[str, datetime]] = []
        for key_id, generation, generation_since, revoked_at in await self._session.execute(statement):
            if generation_since >= since:
                ended += [(session_name(key_id, former), generation_since) for former in range(1, generation)]
            if revoked_at is not None and revoked_at >= since:
                ended.append((session_name(key_id, generation), revoked_at))
        return ended


def _live(at: datetime) -> tuple[ColumnElement[bool], ...]:
    return ApiKey.revoked_at.is_(None), ApiKey.expires_at > at
