"""Instructors, as everybody sees them, and their own profile."""

from fastapi import APIRouter

from shared.access import access
from shared.schemas.pagination import PageParams, PaginatedResponse
from user_service.api.deps import CurrentServices, Instructor, UserId
from user_service.schemas.instructor import InstructorProfileUpdate, InstructorResponse

router = APIRouter(prefix="/api/instructors", tags=["Instructors"])


@router.get(
    "",
    summary="List instructors",
    openapi_extra=access("public", rate="public"),
)
async def list_instructors(params: PageParams, services: CurrentServices) -> PaginatedResponse[InstructorResponse]:
    """All active instructors by name, also those who have not written a profile yet."""
    return await services.instructors.search(params)


@router.put(
    "/me",
    summary="Write one's own profile",
    openapi_extra=access("instructor"),
)
async def put_profile(
    profile: InstructorProfileUpdate, instructor: Instructor, services: CurrentServices
) -> InstructorResponse:
    """Replaces the whole profile: what is left out is emptied."""
    return await services.instructors.put(instructor.user_id, profile)


@router.get(
    "/{user_id}",
    summary="Read an instructor's profile",
    openapi_extra=access("public", rate="public"),
)
async def read_instructor(user_id: UserId, services: CurrentServices) -> InstructorResponse:
    return await services.instructors.get(user_id)
