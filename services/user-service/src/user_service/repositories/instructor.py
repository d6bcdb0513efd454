"""Reading and writing instructor profiles."""

from typing import Any, cast

from sqlalchemy import Select, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert

from user_service.core.errors import InstructorNotFound
from user_service.models.instructor import InstructorProfile
from user_service.models.user import User
from user_service.repositories.base import BaseRepository
from user_service.schemas.instructor import InstructorProfileUpdate
from user_service.schemas.user import UserRole


class InstructorRepository(BaseRepository):
    """Profiles within one transaction. Whoever is not an active instructor has none to show."""

    def listing(self) -> Select[Any]:
        """All active instructors with what they tell about themselves, by name; to be paginated."""
        return _instructors().order_by(User.full_name, User.id)

    async def get(self, user_id: int) -> Any:
        """One row of `listing`. Raises InstructorNotFound."""
        row = (await self._session.execute(_instructors().where(User.id == user_id))).one_or_none()
        if row is None:
            raise InstructorNotFound(user_id)
        return row

    async def put(self, user_id: int, profile: InstructorProfileUpdate) -> None:
        """Make the profile or put this one in its place."""
        values = profile.model_dump()
        statement = insert(InstructorProfile).values(user_id=user_id, **values)
        await self._session.execute(
            statement.on_conflict_do_update(
                index_elements=[InstructorProfile.user_id], set_={**values, "updated_at": statement.excluded.updated_at}
            )
        )

    async def delete(self, user_id: int) -> None:
        """Remove the profile, if there is one."""
        await self._session.execute(delete(InstructorProfile).where(InstructorProfile.user_id == user_id))


def _instructors() -> Select[Any]:
    # Not everybody who was made an instructor has written a profile: an outer join.
    statement = (
        select(
            User.id.label("user_id"),
            User.full_name,
            InstructorProfile.headline,
            InstructorProfile.bio,
            func.coalesce(InstructorProfile.expertise, text("'{}'")).label("expertise"),
            InstructorProfile.website,
        )
        .join(InstructorProfile, InstructorProfile.user_id == User.id, isouter=True)
        .where(User.role == UserRole.INSTRUCTOR, User.is_active)
    )
    return cast("Select[Any]", statement)
