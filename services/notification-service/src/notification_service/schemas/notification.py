"""A person's notifications."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field, StrictBool

from shared.schemas.base import Schema


class NotificationType(StrEnum):
    """What a notification is about."""

    WELCOME = "welcome"
    ROLE_CHANGED = "role_changed"
    ACCOUNT_REACTIVATED = "account_reactivated"
    ENROLLED = "enrolled"
    ENROLLMENT_SUSPENDED = "enrollment_suspended"
    ENROLLMENT_REINSTATED = "enrollment_reinstated"
    COURSE_COMPLETED = "course_completed"
    QUIZ_GRADED = "quiz_graded"
    CERTIFICATE_ISSUED = "certificate_issued"
    CERTIFICATE_REVOKED = "certificate_revoked"
    CERTIFICATE_RESTORED = "certificate_restored"


class NotificationResponse(Schema):
    """One entry of a person's in-app list."""

    id: int
    type: NotificationType
    title: str
    body: str
    link: str = Field(description="Path of what it is about", examples=["/api/enrollments/7"])
    is_read: bool
    read_at: datetime | None = Field(description="When it was first marked as read; null while unread")
    created_at: datetime


class NotificationUpdate(Schema):
    """What its owner may change."""

    is_read: StrictBool


class ReadAllResponse(Schema):
    """The outcome of marking everything as read."""

    marked: int = Field(description="How many were unread", ge=0)


class UnreadCountResponse(Schema):
    """What a badge shows."""

    unread: int = Field(description="Exact up to 1,000", ge=0)
    is_exact: bool = Field(description="False: there are more than `unread`")
