"""When scheduled backups are due, which may go, and what is to be told of them. Pure: the time is given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cronsim import CronSim, CronSimError

from smartcourse_operator.core import names
from smartcourse_operator.core.backups import Backup, BackupPhase, BackupStatus, BackupSummary
from smartcourse_operator.core.conditions import HIBERNATED, Verdict
from smartcourse_operator.core.objects import Document, labels
from smartcourse_operator.core.readiness import PROGRESSING
from smartcourse_operator.core.status import ConditionStatus

FAILED_KEPT = 3


class ScheduleError(ValueError):
    """The schedule has the form of one and names no moment."""


@dataclass(frozen=True)
class Made:
    """A SmartCourseBackup, as far as the schedule is concerned."""

    name: str
    status: BackupStatus
    is_scheduled: bool
    created_at: str

    @classmethod
    def of(cls, document: Document) -> Made:
        metadata = document["metadata"]
        status = BackupStatus.model_validate(document.get("status") or {})
        return cls(metadata["name"], status, names.LABEL_SCHEDULED in labels(document), metadata["creationTimestamp"])


def latest(schedule: str, now: datetime) -> datetime:
    """Return the schedule's last moment that is not after `now`.

    Raises:
        ScheduleError: it has none.
    """
    try:
        return before(schedule, now.replace(second=0, microsecond=0), including=True)
    except (CronSimError, StopIteration) as error:
        raise ScheduleError(f"spec.backup.schedule {schedule!r} names no moment: {error}") from error


def before(schedule: str, moment: datetime, *, including: bool = False) -> datetime:
    found = next(CronSim(schedule, moment.replace(tzinfo=UTC), reverse=True))
    if including:
        following = next(CronSim(schedule, found))
        return following if following <= moment else found
    return found


def due(backup: Backup, summary: BackupSummary, made: list[Made], now: datetime) -> datetime | None:
    """Return the moment of the schedule that a backup is to be made for now.

    Of several that were missed it is the last. While a scheduled backup is still being made, none is due.

    Raises:
        ScheduleError: the schedule names no moment.
    """
    if backup.schedule is None or summary.scheduled_until is None:
        return None
    moment = latest(backup.schedule, now)
    if moment <= datetime.fromisoformat(summary.scheduled_until):
        return None
    is_busy = any(
        one.is_scheduled and one.status.phase not in (BackupPhase.COMPLETED, BackupPhase.FAILED) for one in made
    )
    return None if is_busy else moment


def expired(backup: Backup, made: list[Made]) -> list[str]:
    """Return the scheduled backups to remove: good ones beyond `keep`, failed ones beyond a few."""
    scheduled = sorted(
        (one for one in made if one.is_scheduled), key=lambda one: (one.created_at, one.name), reverse=True
    )
    good = [one.name for one in scheduled if one.status.phase is BackupPhase.COMPLETED]
    failed = [one.name for one in scheduled if one.status.phase is BackupPhase.FAILED]
    return good[backup.keep :] + failed[FAILED_KEPT:]


def newest_good(made: list[Made]) -> Made | None:
    good = [one for one in made if one.status.phase is BackupPhase.COMPLETED and one.status.taken_at]
    return max(good, key=lambda one: one.status.taken_at or "", default=None)


def verdict(backup: Backup, made: list[Made], now: datetime, *, is_hibernated: bool) -> Verdict:
    """Return what the condition BackedUp says."""
    good = newest_good(made)
    ended = [one for one in made if one.status.phase in (BackupPhase.COMPLETED, BackupPhase.FAILED)]
    last = max(
        ended, key=lambda one: (one.status.completed_at or "", one.status.phase is BackupPhase.FAILED), default=None
    )
    if last and last.status.phase is BackupPhase.FAILED:
        kept = f"the last good one is {good.name}, of {good.status.taken_at}" if good else "there is no good one"
        return Verdict(
            ConditionStatus.FALSE, "BackupFailed", f"{last.name} failed: {last.status.message}; {kept}"[:1000]
        )
    if good is None:
        return Verdict(ConditionStatus.UNKNOWN, PROGRESSING, "No backup has been made yet.")
    if is_hibernated:
        message = (
            f"The last good backup, {good.name}, is of {good.status.taken_at}; none is made while the platform is "
            "hibernated, one that is due then is made when it wakes."
        )
        return Verdict(ConditionStatus.TRUE, HIBERNATED, message)
    if backup.schedule and is_overdue(backup.schedule, good, now):
        message = f"the last good backup, {good.name}, is of {good.status.taken_at}: the schedule asks for newer ones"
        return Verdict(ConditionStatus.FALSE, "BackupOverdue", message)
    return Verdict(
        ConditionStatus.TRUE, "BackedUp", f"The last good backup, {good.name}, is of {good.status.taken_at}."
    )


def is_overdue(schedule: str, good: Made, now: datetime) -> bool:
    """Whether two of the schedule's moments have passed since the last good backup."""
    last_but_one = before(schedule, latest(schedule, now))
    return datetime.fromisoformat(str(good.status.taken_at)) < last_but_one


def name_of(name: str, moment: datetime) -> str:
    """Return the name of the backup for a moment of the schedule: made twice, it is the same."""
    return f"{name}-{moment:%Y%m%d%H%M}"


def document(name: str, namespace: str, backup: str, *, is_scheduled: bool) -> Document:
    """Return the SmartCourseBackup named `backup` of a SmartCourse; one that is not of the schedule is kept."""
    of_schedule = {names.LABEL_SCHEDULED: "true"} if is_scheduled else {}
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.BACKUP_KIND,
        "metadata": {
            "name": backup,
            "namespace": namespace,
            "labels": {
                names.LABEL_INSTANCE: name,
                names.LABEL_PART_OF: names.PART_OF,
                names.LABEL_MANAGED_BY: names.OPERATOR,
                **of_schedule,
            },
        },
        "spec": {"smartCourse": name},
    }
