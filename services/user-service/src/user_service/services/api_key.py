"""API keys: made and revoked by people, looked up by the gateway."""

import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from shared import api_keys
from shared.database import Database
from shared.identity import Role
from shared.schemas.pagination import PageQuery, PaginatedResponse, paginate
from shared.utils.datetime import Clock
from user_service.core.errors import AccountDeactivated, ApiKeyNotFound, TooManyApiKeys
from user_service.core.publishing import Revocation, RevocationPublisher
from user_service.core.revocations import CLOCK_SKEW, KEY_MEMORY
from user_service.models.api_key import ApiKey
from user_service.repositories.api_key import ApiKeyRepository
from user_service.repositories.user import UserRepository
from user_service.schemas.api_key import ApiKeyCreate, ApiKeyCreated, ApiKeyResponse

_log = structlog.get_logger(__name__)


class ApiKeyService:
    """Keys of people; `limit` is how many live ones a person may have."""

    def __init__(self, *, database: Database, publisher: RevocationPublisher, clock: Clock, limit: int) -> None:
        self._database = database
        self._publisher = publisher
        self._clock = clock
        self._limit = limit

    async def create(self, user_id: int, wanted: ApiKeyCreate) -> ApiKeyCreated:
        """Make a key. The answer is the only place where it is ever whole.

        Raises AccountDeactivated, TooManyApiKeys.
        """
        text, drawn = api_keys.new_api_key()
        async with self._database.begin() as transaction:
            # Locked, so that keys made at once are counted one after the other, and no deactivation misses one.
            user = await UserRepository(transaction).get_for_update(user_id)
            if not user.is_active:
                raise AccountDeactivated(user_id)
            keys, now = ApiKeyRepository(transaction), self._clock.now()
            if await keys.count_live(user_id, now) >= self._limit:
                raise TooManyApiKeys(self._limit)
            key = _made(user_id, wanted, drawn, now)
            await keys.add(key)
            answer = ApiKeyCreated(**ApiKeyResponse.model_validate(key).model_dump(), key=text)
        _log.info("api_key_made", user_id=user_id, key_id=answer.id)
        return answer

    async def search(
        self, user_id: int, params: PageQuery, *, include_ended: bool
    ) -> PaginatedResponse[ApiKeyResponse]:
        """A page of a person's keys, the newest first; live ones only, unless told otherwise. Raises UserNotFound."""
        async with self._database.read() as reading:
            await UserRepository(reading).get(user_id)
            live_at = None if include_ended else self._clock.now()
            listing = ApiKeyRepository(reading).listing(user_id, live_at=live_at)
            return PaginatedResponse[ApiKeyResponse].of(await paginate(reading, listing, params))

    async def get(self, user_id: int, key_id: int) -> ApiKeyResponse:
        """One key of a person, ended or not. Raises ApiKeyNotFound."""
        async with self._database.read() as reading:
            return ApiKeyResponse.model_validate(await ApiKeyRepository(reading).get(key_id, user_id=user_id))

    async def revoke(self, user_id: int, key_id: int) -> None:
        """End a key; gateways refuse it within a second. One that has ended stays as it is. Raises ApiKeyNotFound."""
        async with self._database.begin() as transaction:
            keys, now = ApiKeyRepository(transaction), self._clock.now()
            sid = await keys.revoke(key_id, user_id=user_id, at=now)
            if sid is None:
                await keys.get(key_id, user_id=user_id)
            ended = _ended([sid] if sid else [], now)
            await self._publisher.sessions_revoked(transaction, ended)
        await self._publisher.announce(ended)
        if sid:
            _log.info("api_key_revoked", user_id=user_id, key_id=key_id)

    async def begin_generation(self, transaction: AsyncSession, user_id: int) -> Revocation:
        """Have gateways ask anew about all of a person's keys; `announce` it after the commit.

        The caller holds an exclusive lock on the user's row and has changed what the keys' holder may do.
        """
        now = self._clock.now()
        outdated = _ended(await ApiKeyRepository(transaction).begin_generation(user_id, now), now)
        await self._publisher.sessions_revoked(transaction, outdated)
        return outdated

    async def look_up(self, presented: api_keys.ApiKey) -> api_keys.ApiKeyHolder:
        """Tell whom a key speaks for, and note that it was used. Raises ApiKeyNotFound if it is no good."""
        async with self._database.begin() as transaction:
            keys, now = ApiKeyRepository(transaction), self._clock.now()
            found = await keys.find_holder(presented.public_id, now)
            if found is None or not hmac.compare_digest(found[0].secret_hash, presented.digest):
                raise ApiKeyNotFound(presented.public_id)
            key, user = found
            await keys.mark_used(key.id, now)
            return api_keys.ApiKeyHolder(
                user_id=user.id,
                role=Role(user.role),
                session_id=key.sid,
                scopes=key.scopes,
                good_for_seconds=int(min(KEY_MEMORY, key.expires_at - now).total_seconds()),
            )


def _made(user_id: int, wanted: ApiKeyCreate, drawn: api_keys.ApiKey, now: datetime) -> ApiKey:
    return ApiKey(
        user_id=user_id,
        name=wanted.name,
        public_id=drawn.public_id,
        secret_hash=drawn.digest,
        scopes=[scope.value for scope in wanted.scopes],
        generation=1,
        generation_since=now,
        created_at=now,
        expires_at=now + timedelta(days=wanted.expires_in_days),
    )


def _ended(sids: Sequence[str], now: datetime) -> Revocation:
    return Revocation(tuple(sids), now + KEY_MEMORY + CLOCK_SKEW)
