"""Routes of a module's lessons."""

from __future__ import annotations

from fastapi import APIRouter, Response, status

from course_service.api.deps import Author, CourseId, ExpectedVersion, LessonAt, Lessons, ModuleId, set_etag
from course_service.schemas.lesson import LessonCreate, LessonDetail, LessonSummary, LessonUpdate
from shared.access import access
from shared.identity import CurrentIdentity
from shared.openapi import problems

router = APIRouter(prefix="/api/courses/{course_id}/modules/{module_id}/lessons", tags=["lessons"])

AUTHORS = access("instructor", "admin")
PUBLIC = access("public", rate="public")


@router.post("", status_code=status.HTTP_201_CREATED, responses=problems(409), openapi_extra=AUTHORS)
async def create_lesson(
    lessons: Lessons, author: Author, course_id: CourseId, module_id: ModuleId, new: LessonCreate, response: Response
) -> LessonDetail:
    """Add a lesson to the module, at its end unless a position is named."""
    lesson = await lessons.create(author, course_id, module_id, new)
    response.headers["Location"] = f"/api/courses/{course_id}/modules/{module_id}/lessons/{lesson.id}"
    set_etag(response, lesson.version)
    return lesson


@router.get("", openapi_extra=PUBLIC)
async def list_lessons(
    lessons: Lessons, viewer: CurrentIdentity, course_id: CourseId, module_id: ModuleId
) -> list[LessonSummary]:
    """The module's lessons in order, as far as the caller may see them."""
    return await lessons.of_module(viewer, course_id, module_id)


@router.get("/{lesson_id}", responses=problems(401, 403), openapi_extra=PUBLIC)
async def get_lesson(lessons: Lessons, viewer: CurrentIdentity, at: LessonAt, response: Response) -> LessonDetail:
    """A lesson with its body: for its author and the course's students; a published preview is for everybody."""
    lesson = await lessons.get(viewer, at)
    set_etag(response, lesson.version)
    return lesson


@router.patch("/{lesson_id}", responses=problems(409), openapi_extra=AUTHORS)
async def update_lesson(
    lessons: Lessons,
    author: Author,
    at: LessonAt,
    changes: LessonUpdate,
    expected: ExpectedVersion,
    response: Response,
) -> LessonDetail:
    """Change what is named. A body becomes a new revision."""
    lesson = await lessons.update(author, at, changes, expected_version=expected)
    set_etag(response, lesson.version)
    return lesson


@router.delete("/{lesson_id}", status_code=status.HTTP_204_NO_CONTENT, responses=problems(409), openapi_extra=AUTHORS)
async def delete_lesson(lessons: Lessons, author: Author, at: LessonAt, expected: ExpectedVersion) -> None:
    """Take the lesson out of its module."""
    await lessons.delete(author, at, expected_version=expected)
