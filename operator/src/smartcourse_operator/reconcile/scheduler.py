"""Keeping a SmartCourse's scheduled backups: made when due, removed when they are too many, and told of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog

from smartcourse_operator.adapters import metrics
from smartcourse_operator.adapters.cluster import ApiError, Cluster
from smartcourse_operator.core import backup_schedule
from smartcourse_operator.core.backup_schedule import Made, ScheduleError
from smartcourse_operator.core.backups import Backup, BackupStatus, BackupSummary
from smartcourse_operator.core.conditions import Verdict
from smartcourse_operator.core.fields import timestamp
from smartcourse_operator.core.objects import BACKUP, Document
from smartcourse_operator.core.status import ConditionStatus

log = structlog.get_logger()


@dataclass(frozen=True)
class BackedUp:
    """What there is to tell of a SmartCourse's backups."""

    summary: BackupSummary
    verdict: Verdict


class BackupScheduler:
    """Makes and removes SmartCourseBackups; what they ask for is others' work."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def backups_of(self, name: str, namespace: str) -> list[Document]:
        """Return the SmartCourseBackups of a SmartCourse, those made by hand too, which have no label."""
        found = await self._cluster.select(BACKUP, namespace, "")
        return [one for one in found if one["spec"]["smartCourse"] == name]

    async def keep(
        self, name: str, namespace: str, backup: Backup, before: BackupSummary | None, now: datetime, *,
        is_hibernated: bool,
    ) -> BackedUp:  # fmt: skip
        """Make the backup that is due, remove those that are not kept, and return what there is to tell.

        Of a platform that is hibernated none is made; it stays due.
        """
        made = [Made.of(one) for one in await self.backups_of(name, namespace)]
        # The schedule begins now: nothing was missed before it was there.
        summary = before or BackupSummary(scheduled_until=timestamp(now))
        try:
            if not is_hibernated and (moment := backup_schedule.due(backup, summary, made, now)):
                await self._make(name, namespace, backup_schedule.name_of(name, moment), is_scheduled=True)
                summary = summary.model_copy(update={"scheduled_until": timestamp(moment)})
            found = backup_schedule.verdict(backup, made, now, is_hibernated=is_hibernated)
        except ScheduleError as error:
            found = Verdict(ConditionStatus.FALSE, "ScheduleInvalid", str(error))
        for old in backup_schedule.expired(backup, made):
            log.info("removing", namespace=namespace, name=name, backup=old, cause="retention")
            await self._cluster.delete(BACKUP, namespace, old)
        return BackedUp(self._measured(name, namespace, summary, made, found), found)

    @staticmethod
    def forget(name: str, namespace: str) -> None:
        """Take away what is measured of backups that are not asked for any more."""
        metrics.forget(metrics.OF_BACKUPS, namespace, name)

    async def made(self, name: str, namespace: str, backup: str) -> BackupStatus:
        """Return how far the SmartCourseBackup `backup` is; it is made unless it is there."""
        found = await self._cluster.find(BACKUP, namespace, backup)
        if found is None:
            log.info("making", namespace=namespace, name=name, backup=backup)
            await self._make(name, namespace, backup, is_scheduled=False)
        return BackupStatus.model_validate((found or {}).get("status") or {})

    async def _make(self, name: str, namespace: str, backup: str, *, is_scheduled: bool) -> None:
        document = backup_schedule.document(name, namespace, backup, is_scheduled=is_scheduled)
        try:
            await self._cluster.create(BACKUP, document)
        except ApiError as error:
            if not error.is_conflict:  # made before this process could note that it was
                raise

    @staticmethod
    def _measured(name: str, namespace: str, summary: BackupSummary, made: list[Made], found: Verdict) -> BackupSummary:
        metrics.BACKUP_FAILING.labels(namespace, name).set(found.status is ConditionStatus.FALSE)
        good = backup_schedule.newest_good(made)
        if good is None:
            return summary.model_copy(update={"last_completed_at": None, "last_name": None})
        moment = datetime.fromisoformat(str(good.status.taken_at))
        metrics.BACKUP_TAKEN.labels(namespace, name).set(moment.timestamp())
        return summary.model_copy(update={"last_completed_at": good.status.taken_at, "last_name": good.name})
