"""Lessons: what is read, watched or answered. Their bodies are revisions in MongoDB."""

from datetime import datetime

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Identity, Integer, String, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from course_service.core.database import Base
from course_service.models.columns import one_of
from course_service.schemas.lesson import LessonKind


class Lesson(Base):
    """A lesson; `current_revision_id` is the `_id` of its body in MongoDB's `lesson_revisions`, as text.

    Positions count from 1 without gaps among the lessons of a module that are not archived.
    """

    __tablename__ = "lessons"

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    module_id: Mapped[int] = mapped_column(ForeignKey("modules.id"))
    title: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(20))
    position: Mapped[int | None]
    is_published: Mapped[bool] = mapped_column(server_default="false")
    is_required: Mapped[bool] = mapped_column(server_default="true")
    is_preview: Mapped[bool] = mapped_column(server_default="false")
    current_revision_id: Mapped[str] = mapped_column(String(24))
    duration_minutes: Mapped[int | None]
    archived_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    version: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    __table_args__ = (
        UniqueConstraint("module_id", "position", deferrable=True),
        CheckConstraint(one_of("kind", LessonKind), name="kind"),
        CheckConstraint("position > 0", name="position"),
        CheckConstraint("duration_minutes >= 0", name="duration_minutes"),
        CheckConstraint("(archived_at IS NULL) = (position IS NOT NULL)", name="archived_at"),
        CheckConstraint("NOT (is_published AND archived_at IS NOT NULL)", name="published_is_not_archived"),
    )
