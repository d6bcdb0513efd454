"""This service's tables. Importing the package declares all of them in `Base.metadata`."""

from shared.events.outbox import outbox_tables
from shared.idempotency.table import idempotency_table
from user_service.core.database import SERVICE, Base
from user_service.models.api_key import ApiKey
from user_service.models.instructor import InstructorProfile
from user_service.models.session import RefreshToken, Session
from user_service.models.user import User

OUTBOX_TABLES = outbox_tables(Base.metadata, SERVICE)
IDEMPOTENCY_KEYS = idempotency_table(Base.metadata, SERVICE)

__all__ = ["IDEMPOTENCY_KEYS", "OUTBOX_TABLES", "ApiKey", "InstructorProfile", "RefreshToken", "Session", "User"]
