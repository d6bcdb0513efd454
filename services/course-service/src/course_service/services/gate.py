"""The one way from a person and an id to a course, a lesson or an enrollment: every use case comes through here."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from course_service.core.errors import (
    CourseArchivedError,
    EnrollmentRequiredError,
    EnrollmentSuspendedError,
    NoSuchCourseError,
    NoSuchEnrollmentError,
    NoSuchLessonError,
    NotTheInstructorError,
    StaleVersionError,
)
from course_service.core.visibility import Sight, grants_access, may_read_body, may_see_enrollment, sight
from course_service.models import Course, Enrollment, EnrollmentStatus, Lesson, Module
from course_service.repositories.course import CourseRepository
from course_service.repositories.enrollment import EnrollmentRepository
from course_service.repositories.lesson import LessonRepository
from course_service.schemas.course import CourseStatus
from shared.exceptions.base import AuthenticationError
from shared.identity import Identity, UserIdentity


@dataclass(frozen=True, slots=True)
class SeenLesson:
    """A lesson with its course, and how much of that the viewer sees."""

    course: Course
    lesson: Lesson
    seen: Sight

    @property
    def is_visible(self) -> bool:
        """Whether the viewer may know of it."""
        return self.seen is Sight.EVERYTHING or (self.seen is Sight.PUBLISHED and self.lesson.is_published)


async def is_student_of(session: AsyncSession, viewer: Identity, course_id: int) -> bool:
    """Return whether the viewer has an enrollment in the course that lets them read it."""
    enrollment = await _find_own(session, viewer, course_id)
    return enrollment is not None and _grants_access(enrollment)


async def get_visible_course(session: AsyncSession, viewer: Identity, course_id: int) -> tuple[Course, Sight]:
    """Return the course and how much of it the viewer sees.

    Raises:
        NoSuchCourseError: there is none, or they see nothing of it.
    """
    return await _checked_visible(session, viewer, course_id, await CourseRepository(session).find(course_id))


async def get_course_to_join(session: AsyncSession, student: UserIdentity, course_id: int) -> Course:
    """Return the course as `get_visible_course` does, locked until the transaction ends: places are counted below."""
    found = await CourseRepository(session).find_for_update(course_id)
    course, _ = await _checked_visible(session, student, course_id, found)
    return course


async def get_own_course(session: AsyncSession, author: Identity, course_id: int) -> Course:
    """Return the course, for who answers for it.

    Raises:
        NoSuchCourseError: there is none, or they see nothing of it.
        NotTheInstructorError: they see it, but it is not theirs.
    """
    return _checked_own(author, course_id, await CourseRepository(session).find(course_id))


async def get_course_to_change(session: AsyncSession, author: Identity, course_id: int) -> Course:
    """Return the course like `get_own_course`, locked until the transaction ends, archived or not."""
    return _checked_own(author, course_id, await CourseRepository(session).find_for_update(course_id))


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


async def get_visible_lesson(session: AsyncSession, viewer: Identity, lesson_id: int) -> SeenLesson:
    """Return the lesson, its body aside, and its course.

    Raises:
        NoSuchLessonError: there is none, it is not published and not theirs, or they see nothing of its course.
    """
    lesson = await LessonRepository(session).find_by_id(lesson_id)
    course = await CourseRepository(session).find_of_module(lesson.module_id) if lesson else None
    if lesson is None or course is None:
        raise NoSuchLessonError(lesson_id)
    found = SeenLesson(course, lesson, await _sight_of(session, viewer, course))
    if not found.is_visible:
        raise NoSuchLessonError(lesson_id)
    return found


async def get_readable_lesson(session: AsyncSession, viewer: Identity, lesson_id: int) -> SeenLesson:
    """Return the lesson like `get_visible_lesson`, for who may read its body. Raises as `check_readable` does, too."""
    found = await get_visible_lesson(session, viewer, lesson_id)
    await check_readable(session, viewer, found)
    return found


async def check_readable(session: AsyncSession, viewer: Identity, found: SeenLesson) -> None:
    """Refuse who may not read the lesson's body.

    Raises:
        NoSuchLessonError: it is not published, and they are not its author.
        AuthenticationError: nobody is logged in, and it is for students.
        EnrollmentRequiredError, EnrollmentSuspendedError: they are no student of the course, or may not be one now.
    """
    lesson, course = found.lesson, found.course
    if not found.is_visible:
        raise NoSuchLessonError(lesson.id)
    if may_read_body(found.seen, is_published=lesson.is_published, is_preview=lesson.is_preview, is_enrolled=False):
        return
    if viewer.is_anonymous:
        raise AuthenticationError(f"Lesson {lesson.id} is for students of the course: log in to read it.")
    _checked_student(lesson, course, await _find_own(session, viewer, course.id))


async def get_lesson_to_learn(
    session: AsyncSession, student: UserIdentity, lesson_id: int
) -> tuple[SeenLesson, Enrollment]:
    """Return a published lesson and the student's enrollment in its course, locked until the transaction ends.

    Raises:
        NoSuchLessonError: as `get_visible_lesson`; an author's own lesson that is not published is none to learn.
        EnrollmentRequiredError, EnrollmentSuspendedError: they are no student of the course, or may not be one now.
    """
    course = (await get_visible_lesson(session, student, lesson_id)).course
    enrollment = await EnrollmentRepository(session).find_of(
        student_id=student.user_id, course_id=course.id, for_update=True
    )
    found = await get_visible_lesson(session, student, lesson_id)  # again: the lock may have been long in coming
    if not found.lesson.is_published:
        raise NoSuchLessonError(lesson_id)
    return found, _checked_student(found.lesson, course, enrollment)


async def get_enrollment(
    session: AsyncSession, viewer: Identity, enrollment_id: int, *, for_update: bool = False
) -> Enrollment:
    """Return the enrollment, locked until the transaction ends if that is asked for.

    Raises:
        NoSuchEnrollmentError: there is none, or the viewer is neither its student nor answers for its course.
    """
    enrollments = EnrollmentRepository(session)
    find = enrollments.find_for_update if for_update else enrollments.find
    enrollment = await find(enrollment_id)
    if enrollment is None:
        raise NoSuchEnrollmentError(enrollment_id)
    course = await CourseRepository(session).get(enrollment.course_id)
    if not may_see_enrollment(viewer, student_id=enrollment.student_id, instructor_id=course.instructor_id):
        raise NoSuchEnrollmentError(enrollment_id)
    return enrollment


async def _find_own(session: AsyncSession, viewer: Identity, course_id: int) -> Enrollment | None:
    if viewer.user_id is None:
        return None
    return await EnrollmentRepository(session).find_of(student_id=viewer.user_id, course_id=course_id)


async def _sight_of(session: AsyncSession, viewer: Identity, course: Course) -> Sight:
    seen = _sight(viewer, course)
    if seen is Sight.NOTHING and await is_student_of(session, viewer, course.id):
        return _sight(viewer, course, is_enrolled=True)
    return seen


def _sight(viewer: Identity, course: Course, *, is_enrolled: bool = False) -> Sight:
    return sight(viewer, course.status, instructor_id=course.instructor_id, is_enrolled=is_enrolled)


async def _checked_visible(
    session: AsyncSession, viewer: Identity, course_id: int, course: Course | None
) -> tuple[Course, Sight]:
    seen = Sight.NOTHING if course is None else await _sight_of(session, viewer, course)
    if course is None or seen is Sight.NOTHING:
        raise NoSuchCourseError(course_id)
    return course, seen


def _checked_own(author: Identity, course_id: int, course: Course | None) -> Course:
    seen = Sight.NOTHING if course is None else _sight(author, course)
    if course is None or seen is Sight.NOTHING:
        raise NoSuchCourseError(course_id)
    if seen is not Sight.EVERYTHING:
        raise NotTheInstructorError(course_id)
    return course


def _checked_student(lesson: Lesson, course: Course, enrollment: Enrollment | None) -> Enrollment:
    if enrollment is not None and enrollment.status == EnrollmentStatus.SUSPENDED:
        raise EnrollmentSuspendedError(enrollment.id)
    if enrollment is None or not _grants_access(enrollment):
        raise EnrollmentRequiredError(lesson.id, course_id=course.id)
    return enrollment


def _grants_access(enrollment: Enrollment) -> bool:
    return grants_access(enrollment.status, enrollment.payment_status)
