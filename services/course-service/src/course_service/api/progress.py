"""Routes of progress."""

from __future__ import annotations

from fastapi import APIRouter

from course_service.api.deps import EnrollmentId, LessonId, ProgressOf
from course_service.schemas.enrollment import LessonCompletion, Progress
from shared.access import access
from shared.identity import CurrentUser
from shared.openapi import problems

router = APIRouter(prefix="/api", tags=["progress"])

EVERYBODY = access("authenticated")


@router.get("/enrollments/{enrollment_id}/progress", openapi_extra=EVERYBODY)
async def get_progress(progress: ProgressOf, viewer: CurrentUser, enrollment_id: EnrollmentId) -> Progress:
    """How far an enrollment has come, module by module, against what is published now."""
    return await progress.get(viewer, enrollment_id)


@router.post("/lessons/{lesson_id}/complete", responses=problems(403, 409), openapi_extra=EVERYBODY)
async def complete_lesson(
    progress: ProgressOf, student: CurrentUser, lesson_id: LessonId, said: LessonCompletion | None = None
) -> Progress:
    """Complete a lesson; doing it again changes nothing. A quiz is completed by passing it."""
    return await progress.complete(student, lesson_id, said or LessonCompletion())
