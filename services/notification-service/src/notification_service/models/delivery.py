"""What is to leave by mail or push, and what became of it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from notification_service.core.database import Base, one_of
from notification_service.models.notification import Notification
from notification_service.models.subscription import PushSubscription
from notification_service.schemas.delivery import Channel, DeliveryState


class Delivery(Base):
    """One notification on its way to one target: the person's mailbox, or one browser.

    It is claimed by moving ``due_at`` forward and naming the ``claim``: whoever dies with it loses it in time.
    """

    __tablename__ = "notification_deliveries"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=func.gen_random_uuid())
    notification_id: Mapped[int] = mapped_column(ForeignKey(Notification.id, ondelete="CASCADE"))
    channel: Mapped[Channel] = mapped_column(String(20))
    subscription_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey(PushSubscription.id, ondelete="CASCADE"))
    state: Mapped[DeliveryState] = mapped_column(String(20), server_default=DeliveryState.PENDING)
    attempts: Mapped[int] = mapped_column(server_default="0", comment="those begun")
    claim: Mapped[UUID | None] = mapped_column(Uuid, comment="which attempt is under way")
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    reason: Mapped[str | None] = mapped_column(Text, comment="what the last attempt met")
    traceparent: Mapped[str | None] = mapped_column(Text, comment="the trace that it continues")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    __table_args__ = (
        UniqueConstraint("notification_id", "channel", "subscription_id", postgresql_nulls_not_distinct=True),
        CheckConstraint("channel IN ('email', 'push')", name="channel"),
        CheckConstraint("(channel = 'push') = (subscription_id IS NOT NULL)", name="target"),
        one_of("state", DeliveryState),
        CheckConstraint("(state = 'pending') = (finished_at IS NULL)", name="finished_at"),
        CheckConstraint("attempts >= 0", name="attempts"),
        Index("ix_notification_deliveries_due", "channel", "due_at", postgresql_where=text("state = 'pending'")),
        Index(
            "ix_notification_deliveries_dead", text("finished_at DESC"), "id", postgresql_where=text("state = 'dead'")
        ),
        Index("ix_notification_deliveries_finished_at", "finished_at"),
        Index("ix_notification_deliveries_subscription_id", "subscription_id"),
    )
