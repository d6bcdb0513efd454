"""Tables of notification-service; importing this package declares them all in `core.database.Base.metadata`."""

from notification_service.models.notification import Notification
from notification_service.models.processed import PROCESSED

__all__ = ["PROCESSED", "Notification"]
