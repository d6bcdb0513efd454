"""Files that belong to lessons. Their bytes are in MongoDB's GridFS."""

from datetime import datetime

from sqlalchemy import CHAR, BigInteger, CheckConstraint, DateTime, ForeignKey, Identity, Index, Integer, String, func
from sqlalchemy.orm import Mapped, mapped_column

from course_service.core.database import Base
from course_service.models.user import users


class Attachment(Base):
    """A file as it was uploaded; `file_id` is the `_id` of its immutable bytes in GridFS, as text."""

    __tablename__ = "attachments"

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    lesson_id: Mapped[int] = mapped_column(ForeignKey("lessons.id"))
    file_id: Mapped[str] = mapped_column(String(24), unique=True)
    filename: Mapped[str] = mapped_column(String(255))
    content_type: Mapped[str] = mapped_column(String(127))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(CHAR(64))
    uploaded_by_id: Mapped[int] = mapped_column(ForeignKey(users.c.id))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    archived_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    __table_args__ = (
        CheckConstraint("size_bytes > 0", name="size_bytes"),
        Index("ix_attachments_lesson_id", "lesson_id"),
    )
