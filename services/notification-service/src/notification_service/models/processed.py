"""Which events have had their effect here."""

from notification_service.core.database import Base
from shared.events.inbox import processed_table

PROCESSED = processed_table(Base.metadata, "notification")
