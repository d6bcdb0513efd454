"""All of this service's use cases, as `main` puts them together and routes find them."""

from dataclasses import dataclass

from notification_service.services.dead_letter import DeadDeliveryService, DeadEventService
from notification_service.services.notification import NotificationService
from notification_service.services.preference import PreferenceService
from notification_service.services.push import PushService


@dataclass(frozen=True, slots=True)
class Services:
    """One instance of each use case class; they hold no state of a request."""

    notifications: NotificationService
    preferences: PreferenceService
    push: PushService
    dead_events: DeadEventService
    dead_deliveries: DeadDeliveryService
