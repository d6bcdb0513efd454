"""Routes of enrollments."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response, status

from course_service.api.deps import Admin, Author, CourseId, EnrollmentId, Enrollments
from course_service.schemas.enrollment import (
    EnrollmentCreate,
    EnrollmentDetail,
    EnrollmentStatus,
    RosterEntry,
    Suspension,
)
from shared.access import access
from shared.identity import CurrentUser
from shared.openapi import problems
from shared.schemas.pagination import PageParams, PaginatedResponse

router = APIRouter(prefix="/api", tags=["enrollments"])

ADMINS = access("admin")
EVERYBODY = access("authenticated")

Status = Annotated[EnrollmentStatus | None, Query(alias="status", description="Only in this state")]


@router.post(
    "/enrollments", status_code=status.HTTP_201_CREATED, responses=problems(403, 404, 409), openapi_extra=EVERYBODY
)
async def enroll(
    enrollments: Enrollments, student: CurrentUser, wish: EnrollmentCreate, response: Response
) -> EnrollmentDetail:
    """Take a place in a published course. Whoever dropped it before goes on where they were."""
    enrollment = await enrollments.enroll(student, wish.course_id)
    response.headers["Location"] = f"/api/enrollments/{enrollment.id}"
    return enrollment


@router.get("/enrollments/my-courses", openapi_extra=EVERYBODY)
async def list_my_enrollments(
    enrollments: Enrollments, student: CurrentUser, params: PageParams, status_: Status = None
) -> PaginatedResponse[EnrollmentDetail]:
    """The caller's own enrollments, the newest first."""
    return PaginatedResponse[EnrollmentDetail].of(await enrollments.mine(student, status_, params))


@router.get("/enrollments/{enrollment_id}", openapi_extra=EVERYBODY)
async def get_enrollment(
    enrollments: Enrollments, viewer: CurrentUser, enrollment_id: EnrollmentId
) -> EnrollmentDetail:
    """An enrollment, for its student, the course's instructor and admins."""
    return await enrollments.get(viewer, enrollment_id)


@router.delete(
    "/enrollments/{enrollment_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(403, 409),
    openapi_extra=EVERYBODY,
)
async def drop_enrollment(enrollments: Enrollments, person: CurrentUser, enrollment_id: EnrollmentId) -> None:
    """Leave the course. What was achieved is kept for a return."""
    await enrollments.drop(person, enrollment_id)


@router.post("/enrollments/{enrollment_id}/suspend", responses=problems(409), openapi_extra=ADMINS)
async def suspend_enrollment(
    enrollments: Enrollments, admin: Admin, enrollment_id: EnrollmentId, suspension: Suspension
) -> EnrollmentDetail:
    """Take the student's access away until it is reinstated."""
    return await enrollments.suspend(admin, enrollment_id, suspension.reason)


@router.post("/enrollments/{enrollment_id}/reinstate", responses=problems(409), openapi_extra=ADMINS)
async def reinstate_enrollment(enrollments: Enrollments, admin: Admin, enrollment_id: EnrollmentId) -> EnrollmentDetail:
    """End a suspension."""
    return await enrollments.reinstate(admin, enrollment_id)


@router.get("/courses/{course_id}/enrollments", openapi_extra=access("instructor", "admin"))
async def list_course_enrollments(
    enrollments: Enrollments, author: Author, course_id: CourseId, params: PageParams, status_: Status = None
) -> PaginatedResponse[RosterEntry]:
    """The course's students and how far they have come, the newest first; for its instructor and admins."""
    return PaginatedResponse[RosterEntry].of(await enrollments.roster(author, course_id, status_, params))
