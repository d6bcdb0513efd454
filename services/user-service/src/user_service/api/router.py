"""Every route of this service."""

from user_service.api import auth, instructors, internal, keys, users

TITLE = "SmartCourse user service"
DESCRIPTION = "Accounts, authentication and instructor profiles."
ROUTERS = (auth.router, keys.router, users.router, instructors.router, internal.router)
