"""Which events have had their effect here, and which were given up."""

from notification_service.core.database import Base
from shared.events.dead_letters import dead_letters_table
from shared.events.inbox import processed_table

PROCESSED = processed_table(Base.metadata, "notification")
DEAD_LETTERS = dead_letters_table(Base.metadata, "notification")
