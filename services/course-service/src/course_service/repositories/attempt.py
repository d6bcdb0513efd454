"""Queries of attempts at quizzes."""

from __future__ import annotations

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from course_service.models import Enrollment, QuizAttempt


class AttemptRepository:
    """Attempts are added and read, never changed. Whoever adds one holds the lock of its enrollment."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def count(self, *, enrollment_id: int, lesson_id: int) -> int:
        """Return how many attempts were made; they are numbered without gaps."""
        query = select(func.count()).where(
            QuizAttempt.enrollment_id == enrollment_id, QuizAttempt.lesson_id == lesson_id
        )
        return await self._session.scalar(query) or 0

    async def add(self, attempt: QuizAttempt) -> None:
        """Insert `attempt`; it then has its id."""
        self._session.add(attempt)
        await self._session.flush()


def attempts_of(student_id: int, lesson_id: int) -> Select[QuizAttempt]:
    """Return the query of a person's attempts at a quiz, the last first."""
    return (
        select(QuizAttempt)
        .join(Enrollment, Enrollment.id == QuizAttempt.enrollment_id)
        .where(Enrollment.student_id == student_id, QuizAttempt.lesson_id == lesson_id)
        .order_by(QuizAttempt.number.desc())
    )
