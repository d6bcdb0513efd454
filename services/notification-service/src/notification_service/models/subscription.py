"""Where people's browsers listen."""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, Index, Text, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from notification_service.core.database import Base
from notification_service.models.user import users


class PushSubscription(Base):
    """One browser's subscription; it belongs to whoever subscribed with it last."""

    __tablename__ = "push_subscriptions"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(users.c.id, ondelete="CASCADE"))
    endpoint: Mapped[str] = mapped_column(Text)
    p256dh: Mapped[str] = mapped_column(Text, comment="the browser's public key, base64url")
    auth: Mapped[str] = mapped_column(Text, comment="the secret shared with the browser, base64url")
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    __table_args__ = (UniqueConstraint("endpoint"), Index("ix_push_subscriptions_user_id", "user_id"))
