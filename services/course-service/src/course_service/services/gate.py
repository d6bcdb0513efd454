"""The one way from a person and an id to a course: every use case comes through here."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from course_service.core.errors import (
    CourseArchivedError,
    CourseNotPublishableError,
    NoSuchCourseError,
    NotTheInstructorError,
    StaleVersionError,
)
from course_service.core.visibility import Sight, sight
from course_service.models import Course, Lesson, Module
from course_service.repositories.course import CourseRepository
from course_service.repositories.enrollment import EnrollmentRepository
from course_service.repositories.lesson import LessonRepository
from course_service.repositories.module import ModuleRepository
from course_service.schemas.course import CourseStatus
from shared.identity import Identity


async def is_student_of(session: AsyncSession, viewer: Identity, course: Course) -> bool:
    """Return whether the viewer has an enrollment in the course that lets them read it."""
    return await EnrollmentRepository(session).grants_access(student_id=viewer.user_id, course_id=course.id)


async def get_visible_course(session: AsyncSession, viewer: Identity, course_id: int) -> tuple[Course, Sight]:
    """Return the course and how much of it the viewer sees.

    Raises:
        NoSuchCourseError: there is none, or they see nothing of it.
    """
    course = await CourseRepository(session).find(course_id)
    if course is None:
        raise NoSuchCourseError(course_id)
    seen = _sight(viewer, course)
    if seen is Sight.NOTHING and await is_student_of(session, viewer, course):
        seen = _sight(viewer, course, is_enrolled=True)
    if seen is Sight.NOTHING:
        raise NoSuchCourseError(course_id)
    return course, seen


async def get_course_to_change(session: AsyncSession, author: Identity, course_id: int) -> Course:
    """Return the course, locked until the transaction ends, archived or not.

    Raises:
        NoSuchCourseError: there is none, or they see nothing of it.
        NotTheInstructorError: they see it, but it is not theirs.
    """
    course = await CourseRepository(session).find_for_update(course_id)
    seen = Sight.NOTHING if course is None else _sight(author, course)
    if course is None or seen is Sight.NOTHING:
        raise NoSuchCourseError(course_id)
    if seen is not Sight.EVERYTHING:
        raise NotTheInstructorError(course_id)
    return course


async def get_course_to_edit(session: AsyncSession, author: Identity, course_id: int) -> Course:
    """Return the course like `get_course_to_change`. Raises `CourseArchivedError` if it is archived."""
    course = await get_course_to_change(session, author, course_id)
    if course.status == CourseStatus.ARCHIVED:
        raise CourseArchivedError(course_id)
    return course


def check_version(row: Course | Module | Lesson, expected: int | None) -> None:
    """Raise `StaleVersionError` unless `row` is at the version that the client has seen (None: it doesn't care)."""
    if expected is not None and row.version != expected:
        raise StaleVersionError(type(row).__name__.lower(), row.id, current_version=row.version)


async def check_publishable(session: AsyncSession, course: Course) -> None:
    """Raise `CourseNotPublishableError` unless the course has a module with a published lesson."""
    if not await ModuleRepository(session).count(course.id):
        raise CourseNotPublishableError(course.id, missing="module")
    if not await LessonRepository(session).count_published(course.id):
        raise CourseNotPublishableError(course.id, missing="module with a published lesson")


async def check_still_publishable(session: AsyncSession, course: Course) -> None:
    """Like `check_publishable`, for a change below a course that may be public."""
    if course.status == CourseStatus.PUBLISHED:
        await check_publishable(session, course)


def _sight(viewer: Identity, course: Course, *, is_enrolled: bool = False) -> Sight:
    is_owner = viewer.user_id == course.instructor_id
    return sight(viewer, course.status, is_owner=is_owner, is_enrolled=is_enrolled)
