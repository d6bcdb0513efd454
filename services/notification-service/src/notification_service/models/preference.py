"""What people chose; where there is no row, the kind's default holds."""

from sqlalchemy import ForeignKey, PrimaryKeyConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from notification_service.core.database import Base, one_of
from notification_service.models.user import users
from notification_service.schemas.delivery import Channel
from notification_service.schemas.notification import NotificationType


class Preference(Base):
    """One person's choice about one kind and one channel."""

    __tablename__ = "notification_preferences"

    user_id: Mapped[int] = mapped_column(ForeignKey(users.c.id, ondelete="CASCADE"))
    type: Mapped[NotificationType] = mapped_column(String(50))
    channel: Mapped[Channel] = mapped_column(String(20))
    is_enabled: Mapped[bool]

    __table_args__ = (
        PrimaryKeyConstraint("user_id", "type", "channel"),
        one_of("type", NotificationType),
        one_of("channel", Channel),
    )
