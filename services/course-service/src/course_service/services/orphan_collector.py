"""Deleting from MongoDB what interrupted uploads and edits have left there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import ClassVar, Protocol

import structlog
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from course_service.core import metrics
from course_service.repositories.attachment import AttachmentRepository
from course_service.repositories.lesson import LessonRepository
from shared.database import Database
from shared.events.cancellation import is_cancelled, sleep
from shared.utils.datetime import Clock

PERIOD_SECONDS = 600.0
MINIMUM_AGE = timedelta(hours=1)
"""Far more than an upload, an edit or the making of a certificate's file may take: what is still written stays."""

BATCH = 100

_log = structlog.get_logger(__name__)


class Store(Protocol):
    """Where things are written before a row refers to them."""

    async def unsettled(self, *, before: datetime, limit: int) -> list[str]:
        """Return the ids of what was begun before that time and never said to be referred to, the oldest first."""

    async def settle(self, id_: str, /) -> None:
        """Note that a committed row refers to it."""

    async def delete(self, id_: str, /) -> None:
        """Remove it."""


class OrphanCollector(ABC):
    """Looks through what no row was said to refer to; any number of processes may do so."""

    what: ClassVar[str]
    deleted: ClassVar[Counter]

    def __init__(self, database: Database, store: Store, clock: Clock) -> None:
        self._database = database
        self._store = store
        self._clock = clock

    async def run(self) -> None:
        """Collect now and then, until cancelled."""
        while not is_cancelled():
            while await self.collect() == BATCH:
                pass
            await sleep(PERIOD_SECONDS)

    async def collect(self) -> int:
        """Settle or delete the oldest that are unsettled; return how many that were."""
        found = await self._store.unsettled(before=self._clock.now() - MINIMUM_AGE, limit=BATCH)
        if not found:
            return 0
        async with self._database.read() as session:
            referred_to = await self.referred_to(session, found)
        for id_ in found:
            if id_ in referred_to:
                await self._store.settle(id_)
            else:
                await self._store.delete(id_)
                self.deleted.inc()
                _log.info(f"{self.what} deleted: nothing refers to it", id=id_)
        return len(found)

    @abstractmethod
    async def referred_to(self, session: AsyncSession, ids: Collection[str]) -> set[str]:
        """Return those that a row refers to."""


class FileCollector(OrphanCollector):
    """Collects files of lessons and certificates."""

    what = "file"
    deleted = metrics.FILES_COLLECTED

    async def referred_to(self, session: AsyncSession, ids: Collection[str]) -> set[str]:
        """Return those that an attachment or a certificate refers to."""
        return await AttachmentRepository(session).referred_to(ids)


class RevisionCollector(OrphanCollector):
    """Collects bodies that never became a lesson's."""

    what = "revision"
    deleted = metrics.REVISIONS_COLLECTED

    async def referred_to(self, session: AsyncSession, ids: Collection[str]) -> set[str]:
        """Return those that a lesson or an attempt at a quiz refers to."""
        return await LessonRepository(session).referred_to(ids)
