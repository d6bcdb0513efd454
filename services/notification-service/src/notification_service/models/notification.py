"""What people were told, and so the in-app list of each."""

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
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

from notification_service.core.database import Base, one_of
from notification_service.models.user import users
from notification_service.schemas.notification import NotificationType

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
    link: Mapped[str] = mapped_column(Text, comment="path of what it is about")
    is_listed: Mapped[bool] = mapped_column(server_default=true(), comment="false: its person does not want it in-app")
    is_read: Mapped[bool] = mapped_column(server_default=false())
    read_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    __table_args__ = (
        UniqueConstraint("user_id", "event_id"),
        one_of("type", NotificationType),
        CheckConstraint("is_read = (read_at IS NOT NULL)", name="read_at"),
        Index("ix_notifications_listed", "user_id", *NEWEST_FIRST, postgresql_where=text("is_listed")),
        Index("ix_notifications_unread", "user_id", *NEWEST_FIRST, postgresql_where=text("is_listed AND NOT is_read")),
        Index("ix_notifications_created_at", "created_at", postgresql_where=text("is_read OR NOT is_listed")),
    )
