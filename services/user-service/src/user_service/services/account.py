"""How an account comes into being, whoever makes it."""

from sqlalchemy.ext.asyncio import AsyncSession

from shared.events.user import UserRegistered
from shared.utils.datetime import Clock
from user_service.core.publishing import AccountPublisher
from user_service.models.user import User
from user_service.repositories.user import UserRepository
from user_service.schemas.user import UserRole


class AccountService:
    """Makes accounts and announces them."""

    def __init__(self, *, publisher: AccountPublisher, clock: Clock) -> None:
        self._publisher = publisher
        self._clock = clock

    async def create(
        self, transaction: AsyncSession, *, email: str, hashed_password: str, full_name: str, role: UserRole
    ) -> User | None:
        """Make an account and announce it in the caller's transaction; None if the address is taken."""
        user = await UserRepository(transaction).insert(
            email=email, hashed_password=hashed_password, full_name=full_name, role=role
        )
        if user is not None:
            registered = UserRegistered(user_id=user.id, email=email, full_name=full_name, role=role.value)
            await self._publisher.publish(transaction, registered, at=self._clock.now())
        return user
