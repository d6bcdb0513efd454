"""What notification-service refuses, and why."""

from uuid import UUID

from notification_service.schemas.delivery import Channel
from notification_service.schemas.notification import NotificationType
from shared.exceptions.base import ConflictError, NotFoundError, UnprocessableError


class NotificationNotFoundError(NotFoundError):
    """There is no such notification in this person's list; whether another has it is not told."""

    def __init__(self, notification_id: int) -> None:
        super().__init__(f"There is no notification {notification_id} in your list.")


class ChannelLockedError(UnprocessableError):
    """This kind of notification always reaches its person in this way."""

    slug = "preference-locked"
    title = "This cannot be switched off"

    def __init__(self, kind: NotificationType, channel: Channel) -> None:
        super().__init__(
            f"Notifications of the type {kind} cannot be switched off in the channel {channel}.",
            extra={"notification_type": kind, "channel": channel},
        )


class PushOffError(NotFoundError):
    """This installation has no VAPID key."""

    slug = "push-not-configured"
    title = "Push notifications are switched off"

    def __init__(self) -> None:
        super().__init__("This installation sends no push notifications: its administrator has set no VAPID key.")


class EndpointRefusedError(UnprocessableError):
    """Nothing is sent to such an address."""

    slug = "push-endpoint-refused"
    title = "The endpoint is not a push service's"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The endpoint cannot be used: {reason}.")


class SubscriptionNotFoundError(NotFoundError):
    """There is no such subscription among this person's; whether another has it is not told."""

    def __init__(self, subscription_id: int) -> None:
        super().__init__(f"You have no subscription {subscription_id}.")


class DeadDeliveryNotFoundError(NotFoundError):
    """No delivery that was given up has this id."""

    def __init__(self, delivery_id: UUID) -> None:
        super().__init__(f"There is no dead delivery {delivery_id}.")


class ReplayFailedError(ConflictError):
    """The event failed again; it stays a dead letter."""

    slug = "replay-failed"
    title = "The event could not be handled this time either"

    def __init__(self, letter_id: int, reason: str) -> None:
        super().__init__(f"Dead letter {letter_id} failed again: {reason}.", extra={"letter_id": letter_id})
