"""This service's tables. Importing the package declares all of them in `Base.metadata`."""

from shared.events.outbox import outbox_tables
from user_service.core.database import SERVICE, Base
from user_service.models.api_key import ApiKey
from user_service.models.instructor import InstructorProfile
from user_service.models.session import RefreshToken, Session
from user_service.models.user import User

OUTBOX_TABLES = outbox_tables(Base.metadata, SERVICE)

__all__ = ["OUTBOX_TABLES", "ApiKey", "InstructorProfile", "RefreshToken", "Session", "User"]
