"""What instructors tell about themselves, and who may read it."""

from shared.database import Database
from shared.exceptions.base import ForbiddenError
from shared.schemas.pagination import PageQuery, PaginatedResponse, paginate
from user_service.repositories.instructor import InstructorRepository
from user_service.repositories.user import UserRepository
from user_service.schemas.instructor import InstructorProfileUpdate, InstructorResponse
from user_service.schemas.user import UserRole


class InstructorService:
    """Public profiles; only active instructors have one to show."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def search(self, params: PageQuery) -> PaginatedResponse[InstructorResponse]:
        """A page of all active instructors, by name."""
        async with self._database.read() as reading:
            page = await paginate(reading, InstructorRepository(reading).listing(), params, scalars=False)
            return PaginatedResponse[InstructorResponse].of(page)

    async def get(self, user_id: int) -> InstructorResponse:
        """Raises InstructorNotFound."""
        async with self._database.read() as reading:
            return InstructorResponse.model_validate(await InstructorRepository(reading).get(user_id))

    async def put(self, user_id: int, profile: InstructorProfileUpdate) -> InstructorResponse:
        """Write one's own profile, whole. Raises ForbiddenError for whoever is not an instructor (any more)."""
        async with self._database.begin() as transaction:
            user = await UserRepository(transaction).get_for_update(user_id)
            if user.role != UserRole.INSTRUCTOR or not user.is_active:
                raise ForbiddenError("Only an active instructor has a profile.")
            instructors = InstructorRepository(transaction)
            await instructors.put(user_id, profile)
            return InstructorResponse.model_validate(await instructors.get(user_id))
