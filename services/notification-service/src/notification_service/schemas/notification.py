"""A person's notifications."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from shared.schemas.base import Schema


class NotificationType(StrEnum):
    """What a notification is about."""

    WELCOME = "welcome"


class NotificationResponse(Schema):
    """One entry of a person's in-app list."""

    id: int
    type: NotificationType
    title: str
    body: str
    is_read: bool
    read_at: datetime | None = Field(description="When it was first marked as read; null while unread")
    created_at: datetime


class NotificationUpdate(Schema):
    """What its owner may change."""

    is_read: bool


class ReadAllResponse(Schema):
    """The outcome of marking everything as read."""

    marked: int = Field(description="How many were unread", ge=0)
