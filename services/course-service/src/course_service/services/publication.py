"""What a course needs to be public, and to stay so."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from course_service.core.errors import CourseNotPublishableError
from course_service.models import Course
from course_service.repositories.lesson import LessonRepository
from course_service.repositories.module import ModuleRepository
from course_service.schemas.course import CourseStatus

NO_DESCRIPTION = ("blank-description", "It has no description.")
NO_MODULE = ("no-module", "It has no module.")
NO_LESSON = ("no-published-lesson", "It has no published lesson.")


async def check_publishable(session: AsyncSession, course: Course) -> None:
    """Raise `CourseNotPublishableError` with all that the course lacks, if it lacks anything."""
    await session.flush()
    lacks = []
    if not course.description.strip():
        lacks.append(NO_DESCRIPTION)
    if not await ModuleRepository(session).count(course.id):
        lacks.append(NO_MODULE)
    if not await LessonRepository(session).count_published(course.id):
        lacks.append(NO_LESSON)
    if lacks:
        raise CourseNotPublishableError(course.id, dict(lacks))


async def check_still_publishable(session: AsyncSession, course: Course) -> None:
    """Like `check_publishable`, for a change of a course that may be public, or below it."""
    if course.status == CourseStatus.PUBLISHED:
        await check_publishable(session, course)
