"""Every route of the service."""

from notification_service.api import dead_letters, notifications, preferences, push

TITLE = "SmartCourse Notification Service"
# The first that matches answers: `/{notification_id}` comes after the paths that have words in its place.
ROUTERS = (preferences.router, push.router, dead_letters.router, notifications.router)
