"""Courses: what the catalogue lists and everything else hangs on."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Computed, DateTime, ForeignKey, Identity, Index, Integer, String, Text, func
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from course_service.core.database import Base
from course_service.models.columns import one_of
from course_service.models.user import users
from course_service.schemas.course import CourseLevel, CourseStatus

# English stems words ("joining" finds "joins"); the simple configuration keeps them whole, which is what a search
# for the beginning of a word needs. A title weighs more than a description.
SEARCH_EXPRESSION = (
    "setweight(to_tsvector('english', title), 'A') || setweight(to_tsvector('simple', title), 'A') || "
    "setweight(to_tsvector('english', description), 'B') || setweight(to_tsvector('simple', description), 'B')"
)


class Course(Base):
    """A course; `version` counts the changes of this row and is its ETag."""

    __tablename__ = "courses"

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    slug: Mapped[str] = mapped_column(String(220), unique=True)
    description: Mapped[str] = mapped_column(Text, server_default="")
    instructor_id: Mapped[int] = mapped_column(ForeignKey(users.c.id))
    status: Mapped[str] = mapped_column(String(20), server_default=CourseStatus.DRAFT)
    capacity: Mapped[int | None]
    language: Mapped[str | None] = mapped_column(String(35))
    level: Mapped[str | None] = mapped_column(String(20))
    search: Mapped[str] = mapped_column(TSVECTOR, Computed(SEARCH_EXPRESSION, persisted=True), deferred=True)
    published_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    archived_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    version: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    __table_args__ = (
        CheckConstraint(one_of("status", CourseStatus), name="status"),
        CheckConstraint(one_of("level", CourseLevel), name="level"),
        CheckConstraint("capacity > 0", name="capacity"),
        CheckConstraint("status <> 'published' OR published_at IS NOT NULL", name="published_at"),
        CheckConstraint("(status = 'archived') = (archived_at IS NOT NULL)", name="archived_at"),
        Index("ix_courses_instructor_id", "instructor_id"),
        Index("ix_courses_search", "search", postgresql_using="gin"),
        Index("ix_courses_status_published_at", "status", "published_at"),
    )
