"""Modules: the ordered parts of a course."""

from datetime import datetime

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Identity, Integer, String, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from course_service.core.database import Base


class Module(Base):
    """A part of a course.

    Positions count from 1 without gaps among the modules of a course that are not archived; an archived one has
    none, and is kept because progress and certificates refer to its id.
    """

    __tablename__ = "modules"

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id"))
    title: Mapped[str] = mapped_column(String(200))
    position: Mapped[int | None]
    archived_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    version: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    __table_args__ = (
        # Deferrable, so that one UPDATE may shift several rows: each is checked when the statement ends.
        UniqueConstraint("course_id", "position", deferrable=True),
        CheckConstraint("position > 0", name="position"),
        CheckConstraint("(archived_at IS NULL) = (position IS NOT NULL)", name="archived_at"),
    )
