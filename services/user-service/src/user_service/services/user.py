"""Accounts, as their owners and administrators see and change them."""

import secrets

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database import Database
from shared.events.user import UserAnonymised, UserDeactivated, UserEvent, UserReactivated, UserRoleChanged
from shared.schemas.pagination import PageQuery, PaginatedResponse, paginate
from shared.utils.datetime import Clock
from shared.utils.hashing import hash_password
from user_service.core.errors import AccountAnonymised, AccountDeactivated, LastAdministrator
from user_service.core.publishing import AccountPublisher, Revocation
from user_service.models.session import RevocationReason
from user_service.models.user import User
from user_service.repositories.api_key import ApiKeyRepository
from user_service.repositories.instructor import InstructorRepository
from user_service.repositories.user import UserRepository
from user_service.schemas.user import ProfileUpdate, UserFilter, UserResponse, UserRole, UserUpdate
from user_service.services.api_key import ApiKeyService
from user_service.services.session import SessionService

ANONYMOUS_NAME = "Former member"
ANONYMOUS_DOMAIN = "anonymised.invalid"
"""Reserved by RFC 2606: no mail ever gets there, and nobody can register there."""


class UserService:
    """Reads and changes accounts; whoever loses a right loses the live sessions that carry it.

    API keys live on: gateways ask about them anew, so that they have the new role, or none while the account is closed.
    """

    def __init__(
        self,
        *,
        database: Database,
        sessions: SessionService,
        api_keys: ApiKeyService,
        publisher: AccountPublisher,
        clock: Clock,
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._api_keys = api_keys
        self._publisher = publisher
        self._clock = clock

    async def me(self, user_id: int) -> UserResponse:
        """One's own account. Raises AccountDeactivated, UserNotFound."""
        async with self._database.read() as reading:
            user = await UserRepository(reading).get(user_id)
            if not user.is_active:
                raise AccountDeactivated(user_id)
            return UserResponse.model_validate(user)

    async def update_me(self, user_id: int, change: ProfileUpdate) -> UserResponse:
        """Change what people may change about themselves. Raises AccountDeactivated, UserNotFound."""
        async with self._database.begin() as transaction:
            user = await UserRepository(transaction).get_for_update(user_id)
            if not user.is_active:
                raise AccountDeactivated(user_id)
            user.full_name, user.updated_at = change.full_name, self._clock.now()
            return UserResponse.model_validate(user)

    async def get(self, user_id: int) -> UserResponse:
        """Raises UserNotFound."""
        async with self._database.read() as reading:
            return UserResponse.model_validate(await UserRepository(reading).get(user_id))

    async def search(self, wanted: UserFilter, params: PageQuery) -> PaginatedResponse[UserResponse]:
        """A page of the accounts that `wanted` names, oldest first."""
        async with self._database.read() as reading:
            page = await paginate(reading, UserRepository(reading).listing(wanted), params)
            return PaginatedResponse[UserResponse].of(page)

    async def update(self, user_id: int, change: UserUpdate) -> UserResponse:
        """Change role or activity; either ends the person's sessions if it takes something away or alters it.

        Raises UserNotFound, AccountAnonymised, LastAdministrator.
        """
        async with self._database.begin() as transaction:
            user = await self._locked(transaction, user_id, change)
            ended = await self._apply(transaction, user, change)
            answer = UserResponse.model_validate(user)
        await self._sessions.announce(ended)
        return answer

    async def anonymise(self, user_id: int) -> UserResponse:
        """Forget who somebody is and close the account for good; the row stays, for others refer to it.

        Raises UserNotFound, LastAdministrator. An account that is anonymous already stays as it is.
        """
        hashed_password = await hash_password(secrets.token_urlsafe(48))
        async with self._database.begin() as transaction:
            closing = UserUpdate(is_active=False)
            try:
                user = await self._locked(transaction, user_id, closing)
            except AccountAnonymised:
                return UserResponse.model_validate(await UserRepository(transaction).get(user_id))
            ended = await self._apply(transaction, user, closing)
            user.email, user.full_name = f"user-{user_id}@{ANONYMOUS_DOMAIN}", ANONYMOUS_NAME
            user.hashed_password, user.anonymised_at = hashed_password, self._clock.now()
            await InstructorRepository(transaction).delete(user_id)
            await ApiKeyRepository(transaction).forget(user_id, user.anonymised_at)
            await self._publisher.publish(transaction, UserAnonymised(user_id=user_id), at=user.anonymised_at)
            answer = UserResponse.model_validate(user)
        await self._sessions.announce(ended)
        return answer

    async def _locked(self, transaction: AsyncSession, user_id: int, change: UserUpdate) -> User:
        """The account, locked, if `change` may be made to it."""
        users = UserRepository(transaction)
        # Before the account itself, always in this order: two administrators who demote each other meet here.
        administrators = await users.lock_active_admins()
        user = await users.get_for_update(user_id)
        if user.anonymised_at is not None:
            raise AccountAnonymised(user_id)
        steps_down = change.is_active is False or change.role not in (None, UserRole.ADMIN)
        if steps_down and administrators == {user_id}:
            raise LastAdministrator(user_id)
        return user

    async def _apply(self, transaction: AsyncSession, user: User, change: UserUpdate) -> Revocation:
        now = self._clock.now()
        reason: RevocationReason | None = None
        happened: list[UserEvent] = []
        if change.role is not None and change.role != user.role:
            happened.append(UserRoleChanged(user_id=user.id, role=change.role, previous_role=user.role))
            user.role, reason = change.role, RevocationReason.ROLE_CHANGE
        if change.is_active is not None and change.is_active != user.is_active:
            user.is_active = change.is_active
            happened.append((UserReactivated if change.is_active else UserDeactivated)(user_id=user.id))
            reason = reason if change.is_active else RevocationReason.DEACTIVATION
        user.updated_at = now
        for event in happened:
            await self._publisher.publish(transaction, event, at=now)
        if reason is None:
            return Revocation((), now)
        ended = await self._sessions.end_all(transaction, user.id, reason=reason)
        outdated = await self._api_keys.begin_generation(transaction, user.id)
        return Revocation(ended.sids + outdated.sids, max(ended.until, outdated.until))
