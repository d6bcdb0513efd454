"""What stands in the stream of revocations."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from user_service.core.revocations import SIDS_PER_ENTRY, entries, entries_by_time

UNTIL = datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC)


def test_one_revocation_of_several_sessions_is_one_entry() -> None:
    sids = [str(uuid4()), str(uuid4())]
    assert entries(sids, UNTIL) == [{"sids": f"{sids[0]},{sids[1]}", "until": str(int(UNTIL.timestamp()) + 1)}]


def test_very_many_sessions_are_spread_over_entries() -> None:
    sids = [str(uuid4()) for _ in range(SIDS_PER_ENTRY + 1)]
    made = entries(sids, UNTIL)
    assert [len(entry["sids"].split(",")) for entry in made] == [SIDS_PER_ENTRY, 1]


def test_an_entry_of_several_times_matters_as_long_as_its_last() -> None:
    revoked = [(str(uuid4()), UNTIL - timedelta(minutes=5)), ("k7-1", UNTIL)]
    [entry] = entries_by_time(revoked)
    assert entry["until"] == str(int(UNTIL.timestamp()) + 1)
    assert entry["sids"].split(",") == [sid for sid, _ in revoked]


def test_nothing_revoked_is_no_entry() -> None:
    assert entries([], UNTIL) == entries_by_time([]) == []
