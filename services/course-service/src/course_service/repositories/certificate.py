"""Queries of certificates, and the queue of those whose file has still to be made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Function, Interval, Select, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from course_service.models import Certificate, Course, Enrollment, Lesson, users
from course_service.schemas.lesson import LessonKind

CHANNEL = "course_certificates"
"""The PostgreSQL notification that a file is to be made."""

LONGEST_CLAIMS = 60


@dataclass(frozen=True, slots=True)
class CertificateCard:
    """A certificate with whose it is and what for."""

    certificate: Certificate
    student_id: int
    student_name: str
    course_id: int
    course_title: str
    course_language: str | None
    instructor_id: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """Certificates whose file has still to be made."""

    count: int
    oldest_seconds: float


class CertificateRepository:
    """Certificates of all states; who may see one is decided by `core.visibility`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def next_id(self) -> int:
        """Reserve the id of a certificate to be: its number is made of it."""
        sequence = func.pg_get_serial_sequence(Certificate.__tablename__, "id")
        return await self._session.scalar(select(func.nextval(sequence))) or 0

    async def add(self, certificate: Certificate) -> None:
        """Insert `certificate`, and wake who makes files when the transaction commits."""
        self._session.add(certificate)
        await self._session.flush()
        await self._session.execute(select(func.pg_notify(CHANNEL, "")))

    async def find_of_enrollment(self, enrollment_id: int) -> int | None:
        """Return the id of the enrollment's certificate, or None."""
        return await self._session.scalar(select(Certificate.id).where(Certificate.enrollment_id == enrollment_id))

    async def find_card(self, certificate_id: int) -> CertificateCard | None:
        """Return the certificate with what is told beside it, or None."""
        return await self._find(cards().where(Certificate.id == certificate_id))

    async def find_card_by_code(self, code: str) -> CertificateCard | None:
        """Return the certificate that has this verification code, or None."""
        return await self._find(cards().where(Certificate.verification_code == code))

    async def find_card_for_update(self, certificate_id: int) -> CertificateCard | None:
        """Return the certificate as it is now, locked until the transaction ends, or None."""
        query = cards().where(Certificate.id == certificate_id).with_for_update(of=Certificate)
        return await self._find(query.execution_options(populate_existing=True))

    async def claim_due(self, *, seconds: int) -> CertificateCard | None:
        """Claim the file that has been due longest, or return None.

        Nobody else is given it before the claim ends: after `seconds`, and that much longer with each attempt before.
        The database's clock counts, so that replicas' clocks need not agree.
        """
        now = func.clock_timestamp()
        due = (
            select(Certificate.id)
            .where(Certificate.file_id.is_(None), Certificate.file_due_at <= now)
            .order_by(Certificate.file_due_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        attempts = Certificate.file_attempts + 1
        claimed = await self._session.scalar(
            update(Certificate)
            .where(Certificate.id == due.scalar_subquery())
            .values(file_attempts=attempts, file_due_at=now + _interval(seconds * func.least(attempts, LONGEST_CLAIMS)))
            .returning(Certificate.id)
            .execution_options(synchronize_session=False)
        )
        return None if claimed is None else await self.find_card(claimed)

    async def postpone(self, certificate_id: int, *, seconds: float) -> None:
        """Give up a claim: the file is due again in so many seconds."""
        await self._session.execute(
            update(Certificate)
            .where(Certificate.id == certificate_id, Certificate.file_id.is_(None))
            .values(file_due_at=func.clock_timestamp() + _interval(literal(seconds)))
        )

    async def point_to(self, certificate_id: int, *, file_id: str, url: str) -> bool:
        """Let the certificate refer to its file; False if it has one already."""
        pointed = await self._session.execute(
            update(Certificate)
            .where(Certificate.id == certificate_id, Certificate.file_id.is_(None))
            .values(file_id=file_id, certificate_url=url)
            .returning(Certificate.id)
        )
        return pointed.first() is not None

    async def forget_file(self, certificate_id: int, *, file_id: str) -> None:
        """Have a file made anew in the place of one that is lost."""
        await self._session.execute(
            update(Certificate)
            .where(Certificate.id == certificate_id, Certificate.file_id == file_id)
            .values(file_id=None, certificate_url=None, file_attempts=0, file_due_at=func.clock_timestamp())
        )
        await self._session.execute(select(func.pg_notify(CHANNEL, "")))

    async def backlog(self) -> Backlog:
        """Count the files that have still to be made."""
        age = func.extract("epoch", func.clock_timestamp() - func.min(Certificate.created_at))
        query = select(func.count(), func.coalesce(age, 0)).where(Certificate.file_id.is_(None))
        count, oldest_seconds = (await self._session.execute(query.select_from(Certificate))).one()
        return Backlog(count, float(oldest_seconds))

    async def best_scores(self, enrollment: Enrollment, required_lessons: Sequence[int]) -> list[Decimal]:
        """Return the student's best scores, in percent, at those of the lessons that are quizzes."""
        query = select(Lesson.id).where(Lesson.id.in_(required_lessons), Lesson.kind == LessonKind.QUIZ)
        scores = enrollment.quiz_scores or {}
        quizzes = (await self._session.scalars(query)).all()
        return [Decimal(str(scores[str(quiz)])) for quiz in quizzes if str(quiz) in scores]

    async def titles(self, lesson_ids: Sequence[int]) -> dict[int, str]:
        """Return the titles of lessons by their ids."""
        rows = await self._session.execute(select(Lesson.id, Lesson.title).where(Lesson.id.in_(lesson_ids)))
        return {row.id: row.title for row in rows}

    async def _find(self, query: Select[Any]) -> CertificateCard | None:
        row = (await self._session.execute(query)).one_or_none()
        return CertificateCard(*row) if row else None


def cards() -> Select[Any]:
    """Return the query of `CertificateCard`s, to be narrowed and ordered."""
    return (
        select(
            Certificate,
            Enrollment.student_id,
            users.c.full_name,
            Course.id,
            Course.title,
            Course.language,
            Course.instructor_id,
        )
        .join(Enrollment, Enrollment.id == Certificate.enrollment_id)
        .join(users, users.c.id == Enrollment.student_id)
        .join(Course, Course.id == Enrollment.course_id)
    )


def of_student(student_id: int) -> Select[Any]:
    """Return the query of a person's certificates, the newest first."""
    return cards().where(Enrollment.student_id == student_id).order_by(Certificate.id.desc())


def _interval(seconds: Any) -> Function[timedelta]:
    return func.make_interval(0, 0, 0, 0, 0, 0, seconds, type_=Interval)
