"""Tables of notification-service; importing this package declares them all in `core.database.Base.metadata`."""

from notification_service.models.delivery import Delivery
from notification_service.models.idempotency import IDEMPOTENCY_KEYS
from notification_service.models.notification import Notification
from notification_service.models.preference import Preference
from notification_service.models.processed import DEAD_LETTERS, PROCESSED
from notification_service.models.subscription import PushSubscription

__all__ = [
    "DEAD_LETTERS",
    "IDEMPOTENCY_KEYS",
    "PROCESSED",
    "Delivery",
    "Notification",
    "Preference",
    "PushSubscription",
]
