"""Enrollments with the progress merged into them, and the queue for full courses."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Numeric,
    String,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlalchemy.schema import conv

from course_service.core.database import Base
from course_service.models.columns import one_of
from course_service.models.user import users
from course_service.schemas.enrollment import EnrollmentStatus, PaymentStatus

if TYPE_CHECKING:
    from course_service.models.certificate import Certificate

EMPTY_ARRAY = text("'{}'::integer[]")
EMPTY_OBJECT = text("'{}'::jsonb")


class Enrollment(Base):
    """A student's enrollment and progress in a course.

    `status=active` with `payment_status=pending` is an enrollment that grants no access yet.
    `completion_dates` maps `lesson:<id>` and `module:<id>` to the time each was first completed, in ISO 8601; an
    entry is never changed or removed. `completed_lessons`, `completed_modules` and `completed_quizzes` hold all that
    was ever completed, published now or not; `completion_percentage`, `total_lessons` and `total_modules` are as of the
    last change of the row. `quiz_scores` maps a quiz's id to its best score in percent.
    """

    __tablename__ = "enrollments"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    student_id: Mapped[int] = mapped_column(ForeignKey(users.c.id, ondelete="CASCADE"))
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id", ondelete="CASCADE"))
    status: Mapped[str] = mapped_column(String(20), default=EnrollmentStatus.ACTIVE)
    enrolled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), server_default=func.now())
    started_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    completed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    dropped_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_accessed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    payment_status: Mapped[str | None] = mapped_column(String(20))
    payment_amount: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    enrollment_source: Mapped[str | None] = mapped_column(String(100))
    completed_modules: Mapped[list[int] | None] = mapped_column(ARRAY(Integer), server_default=EMPTY_ARRAY)
    completed_lessons: Mapped[list[int] | None] = mapped_column(ARRAY(Integer), server_default=EMPTY_ARRAY)
    total_modules: Mapped[int] = mapped_column(server_default="0")
    total_lessons: Mapped[int] = mapped_column(server_default="0")
    completion_percentage: Mapped[Decimal | None] = mapped_column(Numeric(5, 2), server_default="0.00")
    completed_quizzes: Mapped[list[int] | None] = mapped_column(ARRAY(Integer), server_default=EMPTY_ARRAY)
    quiz_scores: Mapped[dict[str, Any] | None] = mapped_column(JSONB, server_default=EMPTY_OBJECT)
    time_spent_minutes: Mapped[int | None] = mapped_column(server_default="0")
    current_module_id: Mapped[int | None]
    current_lesson_id: Mapped[int | None]
    created_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), server_default=func.now())
    completion_dates: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=EMPTY_OBJECT)
    suspended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    suspended_reason: Mapped[str | None] = mapped_column(Text)

    certificate: Mapped["Certificate | None"] = relationship(back_populates="enrollment", lazy="raise")

    __table_args__ = (
        UniqueConstraint("student_id", "course_id", name=conv("uq_enrollment_student_course")),
        CheckConstraint(one_of("status", EnrollmentStatus), name=conv("chk_enrollment_status")),
        CheckConstraint(one_of("payment_status", PaymentStatus), name=conv("chk_enrollment_payment_status")),
        CheckConstraint(
            "completion_percentage >= 0 AND completion_percentage <= 100", name=conv("chk_completion_percentage")
        ),
        Index("idx_enrollments_student", "student_id"),
        Index("idx_enrollments_course", "course_id"),
        Index("idx_enrollments_status", "status"),
        Index("idx_enrollments_enrolled_at", "enrolled_at"),
        Index("idx_enrollments_last_accessed", "last_accessed_at"),
    )


class WaitlistEntry(Base):
    """A student's place in the queue for a full course; who came first has the smaller id."""

    __tablename__ = "waitlist_entries"

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    student_id: Mapped[int] = mapped_column(ForeignKey(users.c.id, ondelete="CASCADE"))
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    __table_args__ = (
        UniqueConstraint("student_id", "course_id"),
        Index("ix_waitlist_entries_course_id_id", "course_id", "id"),
    )
