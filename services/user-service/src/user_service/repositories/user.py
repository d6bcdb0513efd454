"""Reading and writing accounts."""

from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.dialects.postgresql import insert

from user_service.core.errors import UserNotFound
from user_service.models.user import User
from user_service.repositories.base import BaseRepository
from user_service.schemas.user import UserFilter, UserRole


class UserRepository(BaseRepository):
    """Accounts within one transaction."""

    async def find(self, user_id: int) -> User | None:
        return await self._session.get(User, user_id)

    async def get(self, user_id: int) -> User:
        """Raises UserNotFound."""
        user = await self.find(user_id)
        if user is None:
            raise UserNotFound(user_id)
        return user

    async def get_for_update(self, user_id: int) -> User:
        """Read and lock the row until the transaction ends. Raises UserNotFound."""
        user = await self._session.get(User, user_id, with_for_update=True, populate_existing=True)
        if user is None:
            raise UserNotFound(user_id)
        return user

    async def find_by_email(self, email: str) -> User | None:
        return await self._session.scalar(select(User).where(func.lower(User.email) == email.lower()))

    async def find_active_for_share(self, user_id: int, *, hashed_password: str) -> User | None:
        """The account, if it is still active with this password; neither changes until the transaction ends."""
        statement = (
            select(User)
            .where(User.id == user_id, User.is_active, User.hashed_password == hashed_password)
            .with_for_update(read=True)
            .execution_options(populate_existing=True)
        )
        return await self._session.scalar(statement)

    async def insert(self, *, email: str, hashed_password: str, full_name: str, role: UserRole) -> User | None:
        """Make an account; None if its address is taken, also when somebody else takes it at this moment."""
        statement = (
            insert(User)
            .values(email=email, hashed_password=hashed_password, full_name=full_name, role=role)
            .on_conflict_do_nothing()
            .returning(User)
        )
        return await self._session.scalar(statement)

    async def lock_active_admins(self) -> set[int]:
        """Ids of all active administrators; who of them is one cannot change until the transaction ends."""
        statement = (
            select(User.id).where(User.role == UserRole.ADMIN, User.is_active).order_by(User.id).with_for_update()
        )
        return set(await self._session.scalars(statement))

    async def has_active_admin(self) -> bool:
        statement = select(User.id).where(User.role == UserRole.ADMIN, User.is_active).limit(1)
        return await self._session.scalar(statement) is not None

    def listing(self, wanted: UserFilter) -> Select[Any]:
        """The accounts that `wanted` names, oldest first; to be paginated."""
        return select(User).where(*_conditions(wanted)).order_by(User.id)


def _conditions(wanted: UserFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.role is not None:
        conditions.append(User.role == wanted.role)
    if wanted.is_active is not None:
        conditions.append(User.is_active.is_(wanted.is_active))
    if wanted.q:
        conditions.append(
            or_(User.full_name.icontains(wanted.q, autoescape=True), User.email.icontains(wanted.q, autoescape=True))
        )
    return conditions
