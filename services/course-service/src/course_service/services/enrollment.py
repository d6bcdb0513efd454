"""Enrolling in courses, leaving them, and suspensions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from course_service.core.errors import (
    AlreadyEnrolledError,
    CourseFullError,
    CourseNotPublishedError,
    EnrollmentDroppedError,
    NotTheStudentError,
    OwnCourseError,
    SuspensionInForceError,
)
from course_service.core.publisher import EventPublisher
from course_service.core.turns import Turns
from course_service.models import Course, Enrollment, EnrollmentStatus
from course_service.repositories.course import CourseRepository
from course_service.repositories.enrollment import EnrollmentRepository, of_course, of_student
from course_service.repositories.lesson import LessonRepository
from course_service.schemas.course import CourseStatus
from course_service.schemas.enrollment import EnrollmentDetail, RosterEntry
from course_service.services.gate import get_course_to_join, get_enrollment, get_own_course
from course_service.services.progress import evaluate
from course_service.services.transcript import detail_of, enrollment_detail, roster_entry
from shared.database import Database
from shared.events.enrollment import (
    EnrollmentCreated,
    EnrollmentDropped,
    EnrollmentEvent,
    EnrollmentReinstated,
    EnrollmentSuspended,
)
from shared.events.envelope import Event
from shared.identity import UserIdentity
from shared.schemas.pagination import Page, PageQuery, paginate
from shared.utils.datetime import Clock


class EnrollmentService:
    """The use cases of enrollments; each is one transaction, which locks the course before the enrollment."""

    def __init__(self, database: Database, publisher: EventPublisher, clock: Clock) -> None:
        self._database = database
        self._publisher = publisher
        self._clock = clock
        self._turns = Turns()

    async def enroll(self, student: UserIdentity, course_id: int) -> EnrollmentDetail:
        """Take a place in the course. Who dropped it before goes on where they were.

        Raises:
            NoSuchCourseError, CourseNotPublishedError, OwnCourseError, CourseFullError
            AlreadyEnrolledError, SuspensionInForceError
        """
        async with self._turns.turn(course_id), self._database.begin() as session:
            now = self._clock.now()
            course = await get_course_to_join(session, student, course_id)
            former = await _check_admission(session, student, course)
            enrollment = await _take_place(session, student, course_id, former, now=now)
            created = EnrollmentCreated(**_subject(enrollment, course), enrolled_at=now, is_renewed=former is not None)
            await self._publisher.publish(session, Event.of(created, time=now))
            await evaluate(session, enrollment, course, self._publisher, now=now)
            await session.flush()
            return await detail_of(session, enrollment)

    async def drop(self, person: UserIdentity, enrollment_id: int) -> None:
        """Give the place back; progress is kept. Dropping a dropped one changes nothing.

        Raises:
            NoSuchEnrollmentError, SuspensionInForceError
            NotTheStudentError: they see it as the course's instructor.
        """
        now = self._clock.now()
        async with self._database.begin() as session:
            enrollment = await get_enrollment(session, person, enrollment_id, for_update=True)
            if person.user_id != enrollment.student_id and not person.is_admin:
                raise NotTheStudentError(enrollment_id)
            if enrollment.status == EnrollmentStatus.SUSPENDED:
                raise SuspensionInForceError(enrollment_id)
            if enrollment.status == EnrollmentStatus.DROPPED:
                return
            enrollment.status, enrollment.dropped_at = EnrollmentStatus.DROPPED, now
            await self._changed(session, enrollment, now, lambda facts: EnrollmentDropped(**facts, dropped_at=now))

    async def suspend(self, admin: UserIdentity, enrollment_id: int, reason: str) -> EnrollmentDetail:
        """Take the access away; place and progress are kept. One that is suspended stays as it is.

        Raises:
            NoSuchEnrollmentError, EnrollmentDroppedError
        """
        now = self._clock.now()
        async with self._database.begin() as session:
            enrollment = await _get_running(session, admin, enrollment_id)
            if enrollment.status != EnrollmentStatus.SUSPENDED:
                enrollment.status = EnrollmentStatus.SUSPENDED
                enrollment.suspended_at, enrollment.suspended_reason = now, reason
                await self._changed(session, enrollment, now, lambda facts: EnrollmentSuspended(**facts, reason=reason))
            return await detail_of(session, enrollment)

    async def reinstate(self, admin: UserIdentity, enrollment_id: int) -> EnrollmentDetail:
        """End a suspension. One that is not suspended stays as it is.

        Raises:
            NoSuchEnrollmentError, EnrollmentDroppedError
        """
        now = self._clock.now()
        async with self._database.begin() as session:
            enrollment = await _get_running(session, admin, enrollment_id)
            if enrollment.status == EnrollmentStatus.SUSPENDED:
                enrollment.status = _running(enrollment)
                enrollment.suspended_at = enrollment.suspended_reason = None
                await self._changed(session, enrollment, now, lambda facts: EnrollmentReinstated(**facts))
            return await detail_of(session, enrollment)

    async def get(self, viewer: UserIdentity, enrollment_id: int) -> EnrollmentDetail:
        """Return an enrollment. Raises `NoSuchEnrollmentError`."""
        async with self._database.read() as session:
            return await detail_of(session, await get_enrollment(session, viewer, enrollment_id))

    async def mine(
        self, student: UserIdentity, status: EnrollmentStatus | None, params: PageQuery
    ) -> Page[EnrollmentDetail]:
        """Return a page of the person's own enrollments, the newest first."""
        async with self._database.read() as session:
            page = await paginate(
                session, cast("Select[Any]", of_student(student.user_id, status)), params, scalars=False
            )
            course_ids = {course.id for _, course in page.items}
            required = await LessonRepository(session).required_of_all(course_ids)
            return page.map(lambda row: enrollment_detail(row[0], row[1], required[row[1].id]))

    async def roster(
        self, author: UserIdentity, course_id: int, status: EnrollmentStatus | None, params: PageQuery
    ) -> Page[RosterEntry]:
        """Return a page of a course's enrollments, the newest first, for who answers for it.

        Raises:
            NoSuchCourseError, NotTheInstructorError
        """
        async with self._database.read() as session:
            await get_own_course(session, author, course_id)
            required = await LessonRepository(session).required_of(course_id)
            page = await paginate(session, cast("Select[Any]", of_course(course_id, status)), params, scalars=False)
            return page.map(lambda row: roster_entry(row[0], row[1], required))

    async def _changed(
        self,
        session: AsyncSession,
        enrollment: Enrollment,
        now: datetime,
        announcement: Callable[[dict[str, Any]], EnrollmentEvent],
    ) -> None:
        enrollment.updated_at = now
        course = await CourseRepository(session).get(enrollment.course_id)
        event = announcement(_subject(enrollment, course))
        await self._publisher.publish(session, Event.of(event, time=now))


async def _check_admission(session: AsyncSession, student: UserIdentity, course: Course) -> Enrollment | None:
    """Return the enrollment that the student dropped before, if any; raise what keeps them out, as `enroll` says."""
    if course.status != CourseStatus.PUBLISHED:
        raise CourseNotPublishedError(course.id, course.status)
    if course.instructor_id == student.user_id:
        raise OwnCourseError(course.id)
    enrollments = EnrollmentRepository(session)
    if course.capacity is not None and await enrollments.count_places(course.id) >= course.capacity:
        raise CourseFullError(course.id, capacity=course.capacity)
    enrollment = await enrollments.find_of(student_id=student.user_id, course_id=course.id, for_update=True)
    if enrollment is None or enrollment.status == EnrollmentStatus.DROPPED:
        return enrollment
    if enrollment.status == EnrollmentStatus.SUSPENDED:
        raise SuspensionInForceError(enrollment.id)
    raise AlreadyEnrolledError(enrollment.id, course_id=course.id)


async def _take_place(
    session: AsyncSession, student: UserIdentity, course_id: int, former: Enrollment | None, *, now: datetime
) -> Enrollment:
    enrollments = EnrollmentRepository(session)
    if former is None:
        enrollment = Enrollment(student_id=student.user_id, course_id=course_id, enrolled_at=now, created_at=now)
        await enrollments.add(enrollment)
        return enrollment
    former.status, former.enrolled_at, former.dropped_at = _running(former), now, None
    return former


async def _get_running(session: AsyncSession, admin: UserIdentity, enrollment_id: int) -> Enrollment:
    enrollment = await get_enrollment(session, admin, enrollment_id, for_update=True)
    if enrollment.status == EnrollmentStatus.DROPPED:
        raise EnrollmentDroppedError(enrollment_id)
    return enrollment


def _running(enrollment: Enrollment) -> EnrollmentStatus:
    return EnrollmentStatus.ACTIVE if enrollment.completed_at is None else EnrollmentStatus.COMPLETED


def _subject(enrollment: Enrollment, course: Course) -> dict[str, Any]:
    return {
        "enrollment_id": enrollment.id,
        "student_id": enrollment.student_id,
        "course_id": course.id,
        "course_title": course.title,
    }
