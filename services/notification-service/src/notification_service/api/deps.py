"""What routes are given."""

from typing import Annotated

from fastapi import Depends

from notification_service.services.notification import NotificationService
from shared.database import CurrentDatabase
from shared.utils.datetime import SystemClock


def notification_service(database: CurrentDatabase) -> NotificationService:
    return NotificationService(database, SystemClock())


Notifications = Annotated[NotificationService, Depends(notification_service)]
