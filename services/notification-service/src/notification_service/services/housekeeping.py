"""What is done at intervals: metrics of the queue, and the removal of what is old."""

import time
from dataclasses import dataclass
from datetime import timedelta

import structlog

from notification_service.core import metrics
from notification_service.repositories.delivery import Backlog, DeliveryRepository
from notification_service.repositories.notification import NotificationRepository
from notification_service.repositories.subscription import SubscriptionRepository
from notification_service.schemas.delivery import OUTGOING_CHANNELS, DeliveryState
from shared.database import Database
from shared.events.cancellation import is_cancelled, sleep
from shared.exceptions.base import UnavailableError
from shared.utils.datetime import Clock

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class HousekeeperSettings:
    """How often it looks, and how often it removes."""

    observe_seconds: float = 15.0
    prune_seconds: float = 3600.0


class Housekeeper:
    """Any number of processes may run it: each observes for its own metrics, and removing twice is harmless."""

    def __init__(
        self, *, database: Database, clock: Clock, retention_days: int, settings: HousekeeperSettings | None = None
    ) -> None:
        self._database, self._clock = database, clock
        self._retention, self._settings = timedelta(days=retention_days), settings or HousekeeperSettings()
        self._notifications, self._deliveries = NotificationRepository(), DeliveryRepository()
        self._subscriptions = SubscriptionRepository()
        self._prune_due = 0.0

    async def run(self) -> None:
        """Work until cancelled; an absent database is waited for."""
        while not is_cancelled():
            try:
                await self.observe()
                if time.monotonic() >= self._prune_due:
                    await self.prune()
                    self._prune_due = time.monotonic() + self._settings.prune_seconds
            except UnavailableError as error:
                log.warning("housekeeping waits", reason=str(error))
            await sleep(self._settings.observe_seconds)

    async def observe(self) -> None:
        """Set the gauges of what waits and of what was given up."""
        async with self._database.read() as session:
            found = {(each.channel, each.state): each for each in await self._deliveries.backlog(session)}
        for channel in OUTGOING_CHANNELS:
            for state in (DeliveryState.PENDING, DeliveryState.DEAD):
                backlog = found.get((channel, state), Backlog(channel, state, 0, 0.0))
                metrics.DELIVERIES.labels(channel, state).set(backlog.count)
                if state is DeliveryState.PENDING:
                    metrics.DELIVERIES_OLDEST_SECONDS.labels(channel).set(backlog.oldest_seconds)

    async def prune(self) -> None:
        """Remove what is older than the retention time and of no more use, and subscriptions that have expired."""
        before = self._clock.now() - self._retention
        async with self._database.begin() as session:
            deliveries = await self._deliveries.prune(session, before=before)
        async with self._database.begin() as session:
            notifications = await self._notifications.prune(session, before=before)
        async with self._database.begin() as session:
            await self._subscriptions.delete_expired(session)
        log.info("pruned", notifications=notifications, deliveries=deliveries)
