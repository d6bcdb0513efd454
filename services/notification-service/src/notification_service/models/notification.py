"""The in-app list of every person."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    String,
    Text,
    UniqueConstraint,
    Uuid,
    false,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from notification_service.core.database import Base
from notification_service.models.user import users
from notification_service.schemas.notification import NotificationType

TYPES = ", ".join(repr(kind.value) for kind in NotificationType)
NEWEST_FIRST = (text("created_at DESC"), text("id DESC"))


class Notification(Base):
    """Something one person was told, because of one event."""

    __tablename__ = "notifications"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(users.c.id, ondelete="CASCADE"))
    event_id: Mapped[UUID] = mapped_column(Uuid, comment="the event that caused it")
    type: Mapped[NotificationType] = mapped_column(String(50))
    title: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)
    is_read: Mapped[bool] = mapped_column(server_default=false())
    read_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    __table_args__ = (
        UniqueConstraint("user_id", "event_id"),
        CheckConstraint(f"type IN ({TYPES})", name="type"),
        CheckConstraint("is_read = (read_at IS NOT NULL)", name="read_at"),
        Index("ix_notifications_newest", "user_id", *NEWEST_FIRST),
        Index("ix_notifications_unread", "user_id", *NEWEST_FIRST, postgresql_where=text("NOT is_read")),
    )
