"""Deleting what interrupted uploads have left in MongoDB."""

from __future__ import annotations

from datetime import timedelta

import structlog

from course_service.core import metrics
from course_service.repositories.attachment import AttachmentRepository
from course_service.repositories.file import FileRepository
from shared.database import Database
from shared.events.cancellation import is_cancelled, sleep
from shared.utils.datetime import Clock

PERIOD_SECONDS = 600.0
MINIMUM_AGE = timedelta(hours=1)
"""Far more than an upload or the making of a certificate's file may take: nothing that is still written is deleted."""

BATCH = 100

_log = structlog.get_logger(__name__)


class FileCollector:
    """Looks through the files that no row was said to refer to; any number of processes may do so."""

    def __init__(self, database: Database, files: FileRepository, clock: Clock) -> None:
        self._database = database
        self._files = files
        self._clock = clock

    async def run(self) -> None:
        """Collect now and then, until cancelled."""
        while not is_cancelled():
            while await self.collect() == BATCH:
                pass
            await sleep(PERIOD_SECONDS)

    async def collect(self) -> int:
        """Settle or delete the oldest unsettled files; return how many that were."""
        found = await self._files.unsettled(before=self._clock.now() - MINIMUM_AGE, limit=BATCH)
        if not found:
            return 0
        async with self._database.read() as session:
            referred_to = await AttachmentRepository(session).referred_to(found)
        for file_id in found:
            if file_id in referred_to:
                await self._files.settle(file_id)
            else:
                await self._files.delete(file_id)
                metrics.FILES_COLLECTED.inc()
                _log.info("file deleted: nothing refers to it", file_id=file_id)
        return len(found)
