"""Every route of this service."""

from user_service.api import api_keys, auth, instructors, internal, users

TITLE = "SmartCourse user service"
DESCRIPTION = "Accounts, authentication and instructor profiles."
ROUTERS = (auth.router, api_keys.router, users.router, instructors.router, internal.router)
