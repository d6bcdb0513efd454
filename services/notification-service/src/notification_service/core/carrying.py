"""The port to what carries a notification to a person: a mail server, a browser's push service."""

from dataclasses import dataclass
from typing import ClassVar, Protocol
from uuid import UUID

from notification_service.schemas.delivery import Channel
from notification_service.schemas.notification import NotificationType


@dataclass(frozen=True, slots=True)
class Person:
    """The recipient, as `users` has them now."""

    email: str
    full_name: str


@dataclass(frozen=True, slots=True)
class PushTarget:
    """Where a browser listens, and its keys in base64url."""

    endpoint: str
    p256dh: str
    auth: str


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is to be carried. ``id`` is the same at every attempt, so that repetitions can be recognised."""

    id: UUID
    notification_id: int
    type: NotificationType
    title: str
    body: str
    link: str
    person: Person
    target: PushTarget | None = None


class CarryingError(Exception):
    """It was not delivered. Messages name neither addresses nor people."""


class CarrierUnavailableError(CarryingError):
    """Nothing can be carried at present; no parcel is at fault."""


class RetryLaterError(CarryingError):
    """This parcel may get through later, not before ``after_seconds`` if that is known."""

    def __init__(self, reason: str, *, after_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.after_seconds = after_seconds


class RejectedError(CarryingError):
    """This parcel never gets through."""


class TargetGoneError(CarryingError):
    """The target has ceased to exist."""


class Carrier(Protocol):
    """One channel."""

    channel: ClassVar[Channel]

    async def carry(self, parcel: Parcel) -> None:
        """Hand it over; returns once the other side has taken responsibility.

        Raises:
            CarrierUnavailableError, RetryLaterError, RejectedError, TargetGoneError
        """
        ...


def display_name(name: str) -> str:
    """A name for a header: one line, without control characters."""
    return " ".join("".join(each if each.isprintable() else " " for each in name).split())
