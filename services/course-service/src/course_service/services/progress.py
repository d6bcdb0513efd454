"""Completing lessons, and what that makes of an enrollment."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from course_service.core.errors import QuizNotPassedError
from course_service.core.progress import Standing, measure
from course_service.core.publisher import EventPublisher
from course_service.core.visibility import grants_access
from course_service.models import Course, Enrollment, EnrollmentStatus, Lesson
from course_service.repositories.lesson import LessonRepository
from course_service.schemas.enrollment import LessonCompletion, Progress
from course_service.schemas.lesson import LessonKind
from course_service.schemas.text import MAX_ID
from course_service.services.gate import get_enrollment, get_lesson_to_learn
from course_service.services.transcript import progress_of
from shared.database import Database
from shared.events.enrollment import EnrollmentCompleted
from shared.events.envelope import Event
from shared.events.progress import LessonCompleted
from shared.identity import UserIdentity
from shared.utils.datetime import Clock


class ProgressService:
    """The use cases of progress; each is one transaction, and those that write wait for each other by enrollment."""

    def __init__(self, database: Database, publisher: EventPublisher, clock: Clock) -> None:
        self._database = database
        self._publisher = publisher
        self._clock = clock

    async def get(self, viewer: UserIdentity, enrollment_id: int) -> Progress:
        """Return how far an enrollment has come. Raises `NoSuchEnrollmentError`."""
        async with self._database.read() as session:
            return await progress_of(session, await get_enrollment(session, viewer, enrollment_id))

    async def complete(self, student: UserIdentity, lesson_id: int, said: LessonCompletion) -> Progress:
        """Complete a lesson; one that is completed stays as it is, and what is required now is measured anew.

        Raises:
            NoSuchLessonError, EnrollmentRequiredError, EnrollmentSuspendedError
            QuizNotPassedError: the lesson is a quiz, and passing it is what completes it.
        """
        now = self._clock.now()
        async with self._database.begin() as session:
            found, enrollment = await get_lesson_to_learn(session, student, lesson_id)
            if found.lesson.kind == LessonKind.QUIZ and lesson_id not in (enrollment.completed_quizzes or []):
                raise QuizNotPassedError(lesson_id)
            minutes = (enrollment.time_spent_minutes or 0) + said.time_spent_minutes
            enrollment.time_spent_minutes = min(minutes, MAX_ID)
            visit(enrollment, found.lesson, now=now)
            await complete_lesson(session, enrollment, found.course, found.lesson, self._publisher, now=now)
            await session.flush()
            return await progress_of(session, enrollment)


def visit(enrollment: Enrollment, lesson: Lesson, *, now: datetime) -> None:
    """Note in a locked enrollment that its student works on the lesson."""
    enrollment.started_at = enrollment.started_at or now
    enrollment.last_accessed_at = now
    enrollment.current_module_id, enrollment.current_lesson_id = lesson.module_id, lesson.id


async def complete_lesson(
    session: AsyncSession,
    enrollment: Enrollment,
    course: Course,
    lesson: Lesson,
    publisher: EventPublisher,
    *,
    now: datetime,
) -> Standing:
    """Complete a lesson in a locked enrollment, announcing it the first time, and evaluate the enrollment."""
    is_first = lesson.id not in (enrollment.completed_lessons or [])
    enrollment.completed_lessons = _with(enrollment.completed_lessons, [lesson.id])
    enrollment.completion_dates = _dated(enrollment.completion_dates, "lesson", [lesson.id], now)
    standing = await _take_stock(session, enrollment, now=now)
    if is_first:
        completed = LessonCompleted(
            enrollment_id=enrollment.id,
            student_id=enrollment.student_id,
            course_id=course.id,
            lesson_id=lesson.id,
            module_id=lesson.module_id,
            completed_at=now,
            completion_percentage=standing.percentage,
        )
        await publisher.publish(session, Event.of(completed, time=now))
    await _finish(session, enrollment, course, standing, publisher, now=now)
    return standing


async def evaluate(
    session: AsyncSession, enrollment: Enrollment, course: Course, publisher: EventPublisher, *, now: datetime
) -> Standing:
    """Measure a locked enrollment against what is published now, and declare it completed if it is.

    What was ever completed, and when it first was, is kept. Completion is declared, and announced, once: whatever is
    added to the course later does not take it back.
    """
    standing = await _take_stock(session, enrollment, now=now)
    await _finish(session, enrollment, course, standing, publisher, now=now)
    return standing


async def _take_stock(session: AsyncSession, enrollment: Enrollment, *, now: datetime) -> Standing:
    required = await LessonRepository(session).required_of(enrollment.course_id)
    standing = measure(required, enrollment.completed_lessons or [])
    enrollment.completion_percentage = standing.percentage
    enrollment.total_lessons, enrollment.total_modules = standing.total_lessons, standing.total_modules
    enrollment.completed_modules = _with(enrollment.completed_modules, standing.completed_modules)
    enrollment.completion_dates = _dated(enrollment.completion_dates, "module", standing.completed_modules, now)
    enrollment.updated_at = now
    return standing


async def _finish(
    session: AsyncSession,
    enrollment: Enrollment,
    course: Course,
    standing: Standing,
    publisher: EventPublisher,
    *,
    now: datetime,
) -> None:
    is_open = grants_access(enrollment.status, enrollment.payment_status)
    if not standing.is_complete or not is_open or enrollment.completed_at is not None:
        return
    enrollment.status, enrollment.completed_at = EnrollmentStatus.COMPLETED, now
    completed = EnrollmentCompleted(
        enrollment_id=enrollment.id,
        student_id=enrollment.student_id,
        course_id=course.id,
        course_title=course.title,
        completed_at=now,
    )
    await publisher.publish(session, Event.of(completed, time=now))


def _with(ids: Iterable[int] | None, more: Iterable[int]) -> list[int]:
    return sorted({*(ids or ()), *more})


def _dated(dates: dict[str, Any], kind: str, ids: Iterable[int], now: datetime) -> dict[str, Any]:
    return {f"{kind}:{id_}": now.isoformat() for id_ in ids} | dates
