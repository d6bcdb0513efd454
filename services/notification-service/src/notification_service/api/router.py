"""Every route of the service."""

from notification_service.api import notifications

TITLE = "SmartCourse Notification Service"
ROUTERS = (notifications.router,)
