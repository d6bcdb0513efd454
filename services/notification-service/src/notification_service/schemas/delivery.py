"""Deliveries: what leaves for a person outside the in-app list."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import Field

from notification_service.schemas.notification import NotificationType
from shared.schemas.base import Schema


class Channel(StrEnum):
    """A way by which a person is told."""

    IN_APP = "in_app"
    EMAIL = "email"
    PUSH = "push"


OUTGOING_CHANNELS = (Channel.EMAIL, Channel.PUSH)
"""Those that need a delivery; the in-app list is the row itself."""


class DeliveryState(StrEnum):
    """``pending`` until it is ``sent``, ``cancelled`` (its person is not to be told any more) or ``dead``."""

    PENDING = "pending"
    SENT = "sent"
    CANCELLED = "cancelled"
    DEAD = "dead"


class DeadDeliveryResponse(Schema):
    """A delivery that was given up. Neither text nor address is in it."""

    id: UUID = Field(description="Also the left part of the mail's Message-ID")
    channel: Channel
    user_id: int
    type: NotificationType
    attempts: int
    reason: str = Field(description="What the last attempt met")
    created_at: datetime
    died_at: datetime


class DeadEventResponse(Schema):
    """An event that could not be handled."""

    id: int
    event_id: UUID | None = Field(description="Null if the entry could not be read at all")
    type: str
    stream: str
    position: str
    fields: dict[str, str] = Field(description="The entry as it arrived; may hold personal data")
    reason: str
    attempts: int
    buried_at: datetime


class ReplayResponse(Schema):
    """What came of another try."""

    outcome: str = Field(
        description="`handled`, `repeated` (it had its effect before) or `pending` (it will be sent soon)",
        examples=["handled"],
    )
