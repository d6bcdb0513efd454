"""When backups are due, which go, and what is told of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from smartcourse_operator.core import backup_schedule
from smartcourse_operator.core.backup_schedule import Made, ScheduleError
from smartcourse_operator.core.backups import Backup, BackupPhase, BackupStatus, BackupSummary
from smartcourse_operator.core.status import ConditionStatus

NOW = datetime(2026, 5, 10, 12, 30, tzinfo=UTC)
DAILY = Backup(schedule="0 3 * * *", keep=2)


def at(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def made(name: str, hours_ago: float, phase: BackupPhase = BackupPhase.COMPLETED, **fields: Any) -> Made:
    moment = at(NOW - timedelta(hours=hours_ago))
    status = BackupStatus(phase=phase, taken_at=moment, completed_at=moment, **fields)
    return Made(name, status, is_scheduled=not name.startswith("hand"), created_at=moment)


def summary(hours_ago: float) -> BackupSummary:
    return BackupSummary(scheduled_until=at(NOW - timedelta(hours=hours_ago)))


def test_a_moment_of_the_schedule_that_has_come_is_due() -> None:
    assert backup_schedule.due(DAILY, summary(24), [], NOW) == datetime(2026, 5, 10, 3, 0, tzinfo=UTC)


def test_of_several_that_were_missed_the_last_one_is_made_up_for() -> None:
    assert backup_schedule.due(DAILY, summary(24 * 9), [], NOW) == datetime(2026, 5, 10, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("backup", "before", "others"),
    [
        (DAILY, summary(9.5), []),
        (DAILY, BackupSummary(), []),
        (Backup(), summary(24), []),
        (DAILY, summary(24), [made("s1", 1, BackupPhase.RUNNING)]),
    ],
    ids=["made already", "the schedule begins now", "no schedule", "one is being made"],
)
def test_nothing_is_due(backup: Backup, before: BackupSummary, others: list[Made]) -> None:
    assert backup_schedule.due(backup, before, others, NOW) is None


def test_the_very_minute_of_the_schedule_counts() -> None:
    three = datetime(2026, 5, 10, 3, 0, 20, tzinfo=UTC)
    assert backup_schedule.latest("0 3 * * *", three) == three.replace(second=0)


def test_a_schedule_without_a_moment_is_told() -> None:
    with pytest.raises(ScheduleError, match="0 0 31 2"):
        backup_schedule.latest("0 0 31 2 *", NOW)


def test_good_scheduled_backups_beyond_those_kept_go_and_the_last_good_one_never() -> None:
    good = [made(f"s{number}", number) for number in range(4)]
    failed = [made(f"f{number}", number, BackupPhase.FAILED) for number in range(5)]
    by_hand = [made("hand", 99)]
    assert backup_schedule.expired(DAILY, [*good, *failed, *by_hand]) == ["s2", "s3", "f3", "f4"]
    assert backup_schedule.expired(Backup(keep=1), [made("s9", 900), *failed[:2]]) == []


@pytest.mark.parametrize(
    ("backups", "status", "reason", "text"),
    [
        ([], ConditionStatus.UNKNOWN, "Progressing", "No backup"),
        ([made("s1", 9)], ConditionStatus.TRUE, "BackedUp", "s1"),
        ([made("s1", 33), made("s2", 9, BackupPhase.FAILED, message="disk full")], ConditionStatus.FALSE,
         "BackupFailed", "s2 failed: disk full; the last good one is s1"),
        ([made("s2", 9, BackupPhase.FAILED, message="m")], ConditionStatus.FALSE, "BackupFailed", "no good one"),
        ([made("s1", 40)], ConditionStatus.FALSE, "BackupOverdue", "s1"),
        ([made("s2", 20, BackupPhase.FAILED), made("hand", 1)], ConditionStatus.TRUE, "BackedUp", "hand"),
    ],
)  # fmt: skip
def test_the_condition_says_how_the_backups_are(
    backups: list[Made], status: ConditionStatus, reason: str, text: str
) -> None:
    found = backup_schedule.verdict(DAILY, backups, NOW, is_hibernated=False)
    assert (found.status, found.reason) == (status, reason)
    assert text in found.message


@pytest.mark.parametrize(
    ("backups", "status", "reason"),
    [
        ([], ConditionStatus.UNKNOWN, "Progressing"),
        ([made("s1", 400)], ConditionStatus.TRUE, "Hibernated"),
        ([made("s1", 40), made("s2", 9, BackupPhase.FAILED)], ConditionStatus.FALSE, "BackupFailed"),
    ],
)
def test_none_is_overdue_while_the_platform_is_hibernated(
    backups: list[Made], status: ConditionStatus, reason: str
) -> None:
    found = backup_schedule.verdict(DAILY, backups, NOW, is_hibernated=True)
    assert (found.status, found.reason) == (status, reason)


def test_the_name_of_a_scheduled_backup_is_that_of_its_moment() -> None:
    name = backup_schedule.name_of("academy", datetime(2026, 5, 10, 3, 0, tzinfo=UTC))
    document = backup_schedule.document("academy", "here", name, is_scheduled=True)
    assert document["metadata"]["name"] == "academy-202605100300"
