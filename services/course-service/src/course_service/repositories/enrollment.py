"""Queries of enrollments."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from course_service.models import Course, Enrollment, EnrollmentStatus, users

NEWEST_FIRST = (Enrollment.enrolled_at.desc(), Enrollment.id.desc())


class EnrollmentRepository:
    """Enrollments of all states. Whoever locks one and its course locks the course first."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def find(self, enrollment_id: int) -> Enrollment | None:
        """Return the enrollment, or None."""
        return await self._session.get(Enrollment, enrollment_id)

    async def find_for_update(self, enrollment_id: int) -> Enrollment | None:
        """Return the enrollment as it is now, locked until the transaction ends."""
        return await self._session.scalar(_locked(select(Enrollment).where(Enrollment.id == enrollment_id)))

    async def find_of(self, *, student_id: int, course_id: int, for_update: bool = False) -> Enrollment | None:
        """Return that person's enrollment in that course, or None; locked if that is asked for."""
        query = select(Enrollment).where(Enrollment.student_id == student_id, Enrollment.course_id == course_id)
        return await self._session.scalar(_locked(query) if for_update else query)

    async def count_places(self, course_id: int) -> int:
        """Return how many places of a course are taken: every enrollment that was not dropped has one."""
        query = select(func.count()).where(
            Enrollment.course_id == course_id, Enrollment.status != EnrollmentStatus.DROPPED
        )
        return await self._session.scalar(query) or 0

    async def add(self, enrollment: Enrollment) -> None:
        """Insert `enrollment`; it then has its id and defaults."""
        self._session.add(enrollment)
        await self._session.flush()
        await self._session.refresh(enrollment)

    async def set_source(self, enrollment_id: int, source: str) -> None:
        """Note where the enrollment comes from; nothing else of it changes."""
        query = update(Enrollment).where(Enrollment.id == enrollment_id)
        await self._session.execute(query.values(enrollment_source=source))


def of_student(student_id: int, status: EnrollmentStatus | None) -> Select[Enrollment, Course]:
    """Return the query of a person's enrollments with their courses, the newest first."""
    return (
        select(Enrollment, Course)
        .join(Course, Course.id == Enrollment.course_id)
        .where(Enrollment.student_id == student_id, *_in(status))
        .order_by(*NEWEST_FIRST)
    )


def of_course(course_id: int, status: EnrollmentStatus | None) -> Select[Enrollment, str]:
    """Return the query of a course's enrollments with their students' names, the newest first."""
    return (
        select(Enrollment, users.c.full_name)
        .join(users, users.c.id == Enrollment.student_id)
        .where(Enrollment.course_id == course_id, *_in(status))
        .order_by(*NEWEST_FIRST)
    )


def _in(status: EnrollmentStatus | None) -> list[ColumnElement[bool]]:
    return [] if status is None else [Enrollment.status == status]


def _locked(query: Select[Enrollment]) -> Select[Enrollment]:
    return query.with_for_update().execution_options(populate_existing=True)
