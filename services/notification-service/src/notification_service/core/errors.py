"""What notification-service refuses, and why."""

from shared.exceptions.base import NotFoundError


class NotificationNotFoundError(NotFoundError):
    """There is no such notification in this person's list; whether another has it is not told."""

    def __init__(self, notification_id: int) -> None:
        super().__init__(f"There is no notification {notification_id} in your list.")
