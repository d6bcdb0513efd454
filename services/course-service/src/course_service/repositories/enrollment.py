"""Queries of enrollments."""

from __future__ import annotations

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from course_service.models import Enrollment, EnrollmentStatus, PaymentStatus

READING = (EnrollmentStatus.ACTIVE, EnrollmentStatus.COMPLETED)


class EnrollmentRepository:
    """Who may read a course as its student."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def grants_access(self, *, student_id: int | None, course_id: int) -> bool:
        """Return whether that person has an enrollment that is neither ended nor waiting for a payment."""
        if student_id is None:
            return False
        query = select(Enrollment.id).where(
            Enrollment.student_id == student_id,
            Enrollment.course_id == course_id,
            Enrollment.status.in_(READING),
            or_(Enrollment.payment_status.is_(None), Enrollment.payment_status == PaymentStatus.COMPLETED),
        )
        return await self._session.scalar(query) is not None
