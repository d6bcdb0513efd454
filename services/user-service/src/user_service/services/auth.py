"""Who somebody is: registration, login and passwords."""

from uuid import UUID

from pydantic import SecretStr

from shared.database import Database
from shared.utils.datetime import Clock
from shared.utils.hashing import hash_password, verify_password
from user_service.core.attempts import LoginAttempts
from user_service.core.errors import AccountDeactivated, EmailTaken, InvalidCredentials
from user_service.models.session import RevocationReason
from user_service.repositories.user import UserRepository
from user_service.schemas.auth import TokenResponse, UserRegister
from user_service.schemas.user import UserResponse, UserRole
from user_service.services.account import AccountService
from user_service.services.session import SessionService


class AuthService:
    """Accounts and their passwords."""

    def __init__(
        self,
        *,
        database: Database,
        accounts: AccountService,
        sessions: SessionService,
        attempts: LoginAttempts,
        clock: Clock,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._sessions = sessions
        self._attempts = attempts
        self._clock = clock

    async def register(self, newcomer: UserRegister) -> UserResponse:
        """Make a student's account and announce it. Raises EmailTaken.

        The password is hashed first in any case: a taken address is not refused any faster than a free one is made.
        """
        hashed_password = await hash_password(newcomer.password)
        async with self._database.begin() as transaction:
            user = await self._accounts.create(
                transaction,
                email=newcomer.email,
                hashed_password=hashed_password,
                full_name=newcomer.full_name,
                role=UserRole.STUDENT,
            )
            if user is None:
                raise EmailTaken
            return UserResponse.model_validate(user)

    async def log_in(self, *, email: str, password: SecretStr) -> TokenResponse:
        """Start a session. The work is the same whether or not there is such an account.

        Raises InvalidCredentials, AccountDeactivated (to those who know the password), RateLimitedError after too
        many failures of one account, UnavailableError while failures cannot be counted.
        """
        account = email.strip().lower()
        async with self._database.read() as reading:
            user = await UserRepository(reading).find_by_email(account)
        await self._prove(account, password, user.hashed_password if user is not None else None)
        if user is None:
            raise InvalidCredentials
        if not user.is_active:
            raise AccountDeactivated(user.id)
        async with self._database.begin() as transaction:
            # Between the look at the password and now the account may have been deactivated, or the password changed.
            still = await UserRepository(transaction).find_active_for_share(
                user.id, hashed_password=user.hashed_password
            )
            if still is None:
                raise InvalidCredentials
            return await self._sessions.start(transaction, still)

    async def change_password(
        self, *, user_id: int, sid: UUID | None, current: SecretStr, replacement: SecretStr
    ) -> None:
        """Replace the password and end the person's other sessions.

        Raises InvalidCredentials if `current` is wrong; that counts as a failed login of the account.
        """
        async with self._database.read() as reading:
            user = await UserRepository(reading).get(user_id)
        await self._prove(user.email, current, user.hashed_password)
        hashed_password = await hash_password(replacement)
        async with self._database.begin() as transaction:
            locked = await UserRepository(transaction).get_for_update(user_id)
            if not locked.is_active or locked.hashed_password != user.hashed_password:
                raise InvalidCredentials
            locked.hashed_password, locked.updated_at = hashed_password, self._clock.now()
            ended = await self._sessions.end_all(
                transaction, user_id, reason=RevocationReason.PASSWORD_CHANGE, spared=sid
            )
        await self._sessions.announce(ended)

    async def _prove(self, account: str, password: SecretStr, hashed_password: str | None) -> None:
        """Compare as one counted attempt; `None`, for an unknown account, takes as long and never matches."""

        async def verify() -> bool:
            return await verify_password(password, hashed_password)

        if not await self._attempts.judge(account, verify):
            raise InvalidCredentials
