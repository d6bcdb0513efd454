"""How MongoDB's pool of connections fares: PyMongo tells what happens, nothing else knows."""

from __future__ import annotations

from pymongo import monitoring

from shared.telemetry.pools import WAIT_SECONDS, watch_pool

POOL = "mongodb"


class PoolWatch(monitoring.ConnectionPoolListener):
    """Counts open and used connections, and how long each was waited for."""

    def __init__(self, *, limit: int) -> None:
        """Publish the counts; `limit` is the pool's largest size."""
        self._open = self._used = 0
        watch_pool(POOL, used=lambda: self._used, idle=lambda: self._open - self._used, limit=limit)

    def connection_created(self, _event: monitoring.ConnectionCreatedEvent) -> None:
        """One more is open."""
        self._open += 1

    def connection_closed(self, _event: monitoring.ConnectionClosedEvent) -> None:
        """One less is open."""
        self._open -= 1

    def connection_checked_out(self, event: monitoring.ConnectionCheckedOutEvent) -> None:
        """Somebody has one."""
        self._used += 1
        WAIT_SECONDS.labels(POOL).observe(event.duration or 0.0)

    def connection_checked_in(self, _event: monitoring.ConnectionCheckedInEvent) -> None:
        """Somebody has given theirs back."""
        self._used -= 1

    def connection_check_out_started(self, _event: monitoring.ConnectionCheckOutStartedEvent) -> None:
        """Told again when it has ended."""

    def connection_check_out_failed(self, event: monitoring.ConnectionCheckOutFailedEvent) -> None:
        """Somebody waited in vain."""
        WAIT_SECONDS.labels(POOL).observe(event.duration or 0.0)

    def connection_ready(self, _event: monitoring.ConnectionReadyEvent) -> None:
        """Counted when it was created."""

    def pool_created(self, _event: monitoring.PoolCreatedEvent) -> None:
        """It opens nothing by itself."""

    def pool_ready(self, _event: monitoring.PoolReadyEvent) -> None:
        """It opens nothing by itself."""

    def pool_cleared(self, _event: monitoring.PoolClearedEvent) -> None:
        """Each connection tells when it is closed."""

    def pool_closed(self, _event: monitoring.PoolClosedEvent) -> None:
        """Each connection tells when it is closed."""
