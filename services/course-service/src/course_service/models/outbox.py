"""The outbox, through which course events leave in the transaction that caused them."""

from course_service.core.database import Base
from shared.events.outbox import outbox_tables

OUTBOX_TABLES = outbox_tables(Base.metadata, "course")
