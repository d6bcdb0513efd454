"""Certificates; student and course are those of the enrollment."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import Date, DateTime, ForeignKey, Index, Integer, Numeric, String, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from course_service.core.database import Base
from course_service.models.enrollment import Enrollment
from course_service.models.user import users


class Certificate(Base):
    """What a student receives for a completed enrollment.

    `file_id` is the `_id` of the PDF in GridFS, as text; while it is NULL the file has still to be made, not before
    `file_due_at`.
    """

    __tablename__ = "certificates"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    enrollment_id: Mapped[int] = mapped_column(ForeignKey("enrollments.id", ondelete="CASCADE"), unique=True)
    certificate_number: Mapped[str] = mapped_column(String(100), unique=True)
    issue_date: Mapped[date] = mapped_column(Date)
    certificate_url: Mapped[str | None] = mapped_column(String(500))
    verification_code: Mapped[str] = mapped_column(String(50), unique=True)
    grade: Mapped[str | None] = mapped_column(String(10))
    score_percentage: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    issued_by_id: Mapped[int | None] = mapped_column(ForeignKey(users.c.id))
    is_revoked: Mapped[bool | None] = mapped_column(server_default="false")
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revoked_reason: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), server_default=func.now())
    file_id: Mapped[str | None] = mapped_column(String(24))
    file_attempts: Mapped[int] = mapped_column(server_default="0")
    file_due_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), server_default=func.now())

    enrollment: Mapped[Enrollment] = relationship(back_populates="certificate", lazy="raise")

    __table_args__ = (
        Index("idx_certificates_number", "certificate_number", unique=True),
        Index("idx_certificates_verification", "verification_code", unique=True),
        Index("idx_certificates_enrollment", "enrollment_id"),
        Index("ix_certificates_file_due_at", "file_due_at", postgresql_where=text("file_id IS NULL")),
    )

    @property
    def student_id(self) -> int:
        """The student's id; the enrollment must be loaded."""
        return self.enrollment.student_id

    @property
    def course_id(self) -> int:
        """The course's id; the enrollment must be loaded."""
        return self.enrollment.course_id
