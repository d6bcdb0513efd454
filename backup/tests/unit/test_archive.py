"""What an archive covers, what it needs, and what of it may go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from smartcourse_backup import archive
from smartcourse_backup.archive import Archive, Base
from smartcourse_backup.manifest import BrokenBackupError

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SIZE = 16 << 20


def base(hours: float, first: str = "000000010000000000000002") -> Base:
    return Base(name=f"at-{hours}", first_segment=first, finished_at=NOON + timedelta(hours=hours))


def made(*bases: Base) -> Archive:
    until = NOON + timedelta(hours=10)
    return Archive(source="a/b", release="1.0.0", system="1", chain="1", covered_until=until, bases=list(bases))


@pytest.mark.parametrize(
    ("hours", "expected"), [(-1, None), (0, "at-0"), (3.9, "at-0"), (4, "at-4"), (10, "at-4"), (10.1, None)]
)
def test_a_moment_is_recovered_from_the_newest_base_backup_before_it(hours: float, expected: str | None) -> None:
    found = made(base(4), base(0)).base_for(NOON + timedelta(hours=hours))
    assert (found.name if found else None) == expected


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        ("000000010000000000000002", "000000010000000000000003"),
        ("0000000100000000000000FF", "000000010000000100000000"),
        ("00000001000000FF000000FF", "000000010000010000000000"),
    ],
)
def test_segments_follow_one_another(segment: str, expected: str) -> None:
    assert archive.following(segment, SIZE) == expected


def write(folder: Path, *names: str, size: int = 4) -> None:
    for name in names:
        (folder / name).write_bytes(b"x" * size)


SIXTEEN = 1 << 24
FIRST, SECOND, THIRD = (f"00000001000000000000000{number}" for number in (2, 3, 4))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    for name in (FIRST, SECOND, f"{THIRD}.partial"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(SIXTEEN)
    return tmp_path


def test_an_unbroken_log_ends_with_the_segment_that_is_being_written(log: Path) -> None:
    assert [path.name for path in archive.unbroken(log, SECOND)] == [SECOND, f"{THIRD}.partial"]


def test_a_gap_is_told_with_the_segment_that_is_missing(log: Path) -> None:
    (log / SECOND).unlink()
    with pytest.raises(BrokenBackupError, match=f"lacks segment {SECOND} .* goes on with {THIRD}"):
        archive.unbroken(log, FIRST)


def test_a_log_that_begins_too_late_is_refused(log: Path) -> None:
    (log / FIRST).unlink()
    with pytest.raises(BrokenBackupError, match=f"lacks segment {FIRST}"):
        archive.unbroken(log, FIRST)


def test_a_segment_that_was_cut_is_refused(log: Path) -> None:
    with (log / SECOND).open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(BrokenBackupError, match=f"segment {SECOND} .* has 1000 bytes"):
        archive.unbroken(log, FIRST)


def test_a_segment_that_was_about_to_be_begun_is_none(log: Path) -> None:
    with (log / f"{THIRD}.partial").open("r+b") as file:
        file.truncate(1000)
    assert [path.name for path in archive.unbroken(log, FIRST)] == [FIRST, SECOND]


def test_a_segment_that_was_never_finished_is_refused_where_others_follow(log: Path) -> None:
    (log / SECOND).rename(log / f"{SECOND}.partial")
    with pytest.raises(BrokenBackupError, match=f"{SECOND} .* never finished"):
        archive.unbroken(log, FIRST)


def test_only_what_is_before_the_oldest_base_backup_may_go(log: Path) -> None:
    assert archive.unneeded(log, []) == []
    assert archive.unneeded(log, [base(0, FIRST)]) == []
    assert [path.name for path in archive.unneeded(log, [base(4, THIRD), base(0, SECOND)])] == [FIRST]


def test_the_newest_base_backups_are_kept() -> None:
    assert [one.name for one in archive.kept([base(2), base(0), base(1)], 2)] == ["at-1", "at-2"]


def test_what_is_staged_stays_when_the_spool_goes_on(log: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    spool = tmp_path_factory.mktemp("spool")
    log.rename(spool / archive.WAL)
    for name in ("a", "b.partial"):
        (spool / archive.BASES / name).mkdir(parents=True)
        write(spool / archive.BASES / name, archive.BASE_TAR)
    write(spool, archive.FILE)
    archive.stage(spool, spool / "stage")
    (spool / archive.WAL / f"{THIRD}.partial").write_bytes(b"")
    assert len(archive.unbroken(spool / "stage" / archive.WAL, FIRST)) == 3
    assert [path.name for path in (spool / "stage" / archive.BASES).iterdir()] == ["a"]
