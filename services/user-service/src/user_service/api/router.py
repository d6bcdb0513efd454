"""Every route of this service."""

from user_service.api import auth, instructors, users

TITLE = "SmartCourse user service"
DESCRIPTION = "Accounts, authentication and instructor profiles."
ROUTERS = (auth.router, users.router, instructors.router)
