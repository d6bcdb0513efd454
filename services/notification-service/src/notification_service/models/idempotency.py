"""What requests with a key of their own have come to."""

from notification_service.core.database import Base
from shared.idempotency.table import idempotency_table

IDEMPOTENCY_KEYS = idempotency_table(Base.metadata, "notification")
