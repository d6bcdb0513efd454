"""Attempts at quizzes. A quiz is a lesson of kind `quiz`: its definition is that lesson's revision in MongoDB."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Identity, Integer, Numeric, String, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from course_service.core.database import Base


class QuizAttempt(Base):
    """One submission, graded against the revision that was current then; never changed."""

    __tablename__ = "quiz_attempts"

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    enrollment_id: Mapped[int] = mapped_column(ForeignKey("enrollments.id", ondelete="CASCADE"))
    lesson_id: Mapped[int] = mapped_column(ForeignKey("lessons.id"))
    number: Mapped[int]
    revision_id: Mapped[str] = mapped_column(String(24))
    answers: Mapped[dict[str, Any]] = mapped_column(JSONB)
    score_percentage: Mapped[Decimal] = mapped_column(Numeric(5, 2))
    is_passed: Mapped[bool]
    submitted_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))

    __table_args__ = (
        UniqueConstraint("enrollment_id", "lesson_id", "number"),
        CheckConstraint("number > 0", name="number"),
        CheckConstraint("score_percentage BETWEEN 0 AND 100", name="score_percentage"),
    )
