"""Going from one release to another, and back while that is possible."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from smartcourse_operator.core import upgrades
from smartcourse_operator.core.backups import BackupPhase, BackupStatus
from smartcourse_operator.core.fields import changes
from smartcourse_operator.core.phases import Board
from smartcourse_operator.core.readiness import DONE, Progress, State, waiting
from smartcourse_operator.core.spec import UpdateStrategy
from smartcourse_operator.core.status import Phase, SmartCourseStatus, Upgrade, UpgradePhase
from smartcourse_operator.core.upgrades import Plan, Seen
from smartcourse_operator.core.versions import Release, Releases, ReleaseUnknownError

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
SCHEMA = {"user": {"expand": "user_0005", "contract": "user_0006"}}
RELEASES = Releases(
    {
        one["version"]: Release.model_validate({"images": {}, **one})
        for one in (
            {"version": "1.0.0"},
            {"version": "1.1.0", "upgradeFrom": ["1.0.0"], "schema": SCHEMA},
            {"version": "1.2.0", "upgradeFrom": ["1.1.0"]},
            {"version": "3.0.0", "upgradeFrom": ["2.0.0"]},
        )
    }
)
STRATEGY = UpdateStrategy(rollback_minutes=10)


def upgrade(phase: UpgradePhase, *, before: str = "1.0.0", to: str = "1.1.0", contracted: bool = False) -> Upgrade:
    times = {"started_at": "2026-05-01T11:00:00Z", "served_at": "2026-05-01T11:55:00Z"}
    return Upgrade(
        before=before, to=to, phase=phase, is_contracted=contracted, backup="b" if contracted else None, **times
    )


def planned(
    wanted: str | None, current: str | None, under_way: Upgrade | None = None, *, is_held: bool = False
) -> Plan:
    before = SmartCourseStatus(version=current, upgrade=under_way)
    return upgrades.plan(RELEASES, wanted=wanted, before=before, now=NOW, is_held=is_held)


def test_the_first_release_is_the_one_asked_for_else_the_newest_and_stays() -> None:
    assert planned(None, None).release.version == "3.0.0"
    assert planned("1.0.0", None).release.version == "1.0.0"
    assert planned(None, "1.1.0").release.version == "1.1.0"
    assert planned("1.1.0", None).contracts == ["user"], "nothing needs what is contracted"
    with pytest.raises(ReleaseUnknownError):
        planned("9.9.9", None)


def test_an_upgrade_begins_with_the_first_step_and_knows_of_more() -> None:
    made = planned("1.2.0", "1.0.0")
    assert (made.release.version, made.wanted) == ("1.1.0", "1.2.0")
    assert made.upgrade == Upgrade(
        before="1.0.0", to="1.1.0", phase=UpgradePhase.EXPANDING, started_at="2026-05-01T12:00:00Z"
    )
    assert made.contracts == []


@pytest.mark.parametrize("phase", [phase for phase in UpgradePhase if phase is not UpgradePhase.COMPLETED])
def test_a_step_is_completed_before_the_next_begins(phase: UpgradePhase) -> None:
    under_way = upgrade(phase)
    for wanted in ("1.1.0", "1.2.0", None):
        made = planned(wanted, "1.0.0", under_way)
        assert (made.release.version, made.upgrade, made.problem) == ("1.1.0", under_way, None)
    done = planned("1.2.0", "1.1.0", upgrade(UpgradePhase.COMPLETED, contracted=True))
    assert (done.release.version, done.upgrade and done.upgrade.before) == ("1.2.0", "1.1.0")


@pytest.mark.parametrize("phase", [phase for phase in UpgradePhase if phase is not UpgradePhase.CONTRACTING])
def test_one_can_go_back_until_the_schema_is_contracted(phase: UpgradePhase) -> None:
    made = planned("1.0.0", "1.0.0" if phase in upgrades.UNSERVED else "1.1.0", upgrade(phase))
    assert made.release.version == "1.0.0"
    assert made.upgrade
    assert (made.upgrade.before, made.upgrade.to, made.upgrade.phase) == ("1.1.0", "1.0.0", UpgradePhase.ROLLING_OUT)


@pytest.mark.parametrize("phase", [UpgradePhase.CONTRACTING, UpgradePhase.COMPLETED])
def test_afterwards_it_is_refused_with_the_way_out(phase: UpgradePhase) -> None:
    made = planned("1.0.0", "1.1.0", upgrade(phase, contracted=True))
    assert made.release.version == "1.1.0"
    assert made.problem
    assert made.problem.reason == "RollbackRefused"
    assert "SmartCourseBackup b is restored" in made.problem.message


def test_who_went_back_can_go_forward_again() -> None:
    back = upgrade(UpgradePhase.COMPLETED, before="1.1.0", to="1.0.0")
    made = planned("1.1.0", "1.0.0", back)
    assert made.upgrade
    assert (made.upgrade.to, made.upgrade.phase) == ("1.1.0", UpgradePhase.EXPANDING)
    assert planned("1.0.0", "1.0.0", back).upgrade == back


@pytest.mark.parametrize(("wanted", "reason"), [("9.9.9", "VersionUnknown"), ("3.0.0", "UpgradeRefused")])
@pytest.mark.parametrize("under_way", [None, upgrade(UpgradePhase.ROLLING_OUT)])
def test_what_cannot_be_run_is_told_and_what_is_run_goes_on(
    wanted: str, reason: str, under_way: Upgrade | None
) -> None:
    made = planned(wanted, "1.0.0", under_way)
    assert made.release.version == ("1.1.0" if under_way else "1.0.0")
    assert made.upgrade == under_way
    assert made.problem
    assert made.problem.reason == reason


def test_while_it_is_held_no_upgrade_begins() -> None:
    assert planned("1.1.0", "1.0.0", is_held=True).release.version == "1.0.0"


def test_what_only_the_release_before_needs_is_removed_only_when_that_is_noted() -> None:
    release = RELEASES.get("1.1.0")
    for phase in UpgradePhase:
        assert Plan(release, upgrade(phase)).contracts == []
        assert Plan(release, upgrade(phase, contracted=True)).contracts == ["user"]


def document(phase: str, name: str) -> dict[str, object]:
    return {"apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": name, "labels": {"smartcourse.io/phase": phase}}}  # fmt: skip


def seen(done: str = "", *, state: State | None = None, is_serving: bool = False, can_back_up: bool = True,
         backup: BackupStatus | None = None) -> Seen:  # fmt: skip
    board = Board.of([document(phase, phase) for phase in ("migrations", "services", "contract")], is_upgrade=True)
    for one in board.references():
        board.states[one] = DONE if one.name in done.split() else state or waiting(f"{one.name} is not done")
    return Seen(board, is_serving, can_back_up, backup)


COMPLETED, FAILED = (
    BackupStatus(phase=phase, message="no space") for phase in (BackupPhase.COMPLETED, BackupPhase.FAILED)
)


@pytest.mark.parametrize(
    ("phase", "found", "after"),
    [
        (UpgradePhase.EXPANDING, seen(), UpgradePhase.EXPANDING),
        (UpgradePhase.EXPANDING, seen("migrations"), UpgradePhase.ROLLING_OUT),
        (UpgradePhase.ROLLING_OUT, seen("migrations"), UpgradePhase.ROLLING_OUT),
        (UpgradePhase.ROLLING_OUT, seen("migrations services", is_serving=True), UpgradePhase.SOAKING),
        (UpgradePhase.SOAKING, seen(is_serving=True), UpgradePhase.SOAKING),
        (UpgradePhase.BACKING_UP, seen(can_back_up=False), UpgradePhase.BACKING_UP),
        (UpgradePhase.BACKING_UP, seen(), UpgradePhase.BACKING_UP),
        (UpgradePhase.BACKING_UP, seen(backup=FAILED), UpgradePhase.BACKING_UP),
        (UpgradePhase.BACKING_UP, seen(backup=COMPLETED), UpgradePhase.CONTRACTING),
        (UpgradePhase.CONTRACTING, seen(is_serving=True), UpgradePhase.CONTRACTING),
        (UpgradePhase.CONTRACTING, seen("contract"), UpgradePhase.CONTRACTING),
        (UpgradePhase.CONTRACTING, seen("contract", is_serving=True), UpgradePhase.COMPLETED),
        (UpgradePhase.COMPLETED, seen(), UpgradePhase.COMPLETED),
    ],
)
def test_each_step_waits_for_what_it_needs(phase: UpgradePhase, found: Seen, after: UpgradePhase) -> None:
    made = Plan(RELEASES.get("1.1.0"), upgrade(phase))
    result = upgrades.advance("academy", made, found, STRATEGY, NOW)
    assert result
    assert result.phase is after
    assert result.is_contracted == (after is UpgradePhase.CONTRACTING and phase is UpgradePhase.BACKING_UP)
    if result.is_contracted:
        assert result.backup == "academy-1-1-0-20260501115500"


def test_the_way_back_is_kept_open_for_the_time_asked_for_or_until_more_steps_wait() -> None:
    made = Plan(RELEASES.get("1.1.0"), upgrade(UpgradePhase.SOAKING))
    for when, after in ((NOW, UpgradePhase.SOAKING), (NOW + timedelta(minutes=5), UpgradePhase.BACKING_UP)):
        result = upgrades.advance("academy", made, seen(), STRATEGY, when)
        assert result
        assert result.phase is after
    hurried = upgrades.advance("academy", Plan(made.release, made.upgrade, wanted="1.2.0"), seen(), STRATEGY, NOW)
    assert hurried
    assert hurried.phase is UpgradePhase.BACKING_UP


def test_who_wants_no_backup_gets_none() -> None:
    made = Plan(RELEASES.get("1.1.0"), upgrade(UpgradePhase.BACKING_UP))
    result = upgrades.advance("academy", made, seen(can_back_up=False), UpdateStrategy(backup=False), NOW)
    assert result
    assert (result.phase, result.is_contracted, result.backup) == (UpgradePhase.CONTRACTING, True, None)


@pytest.mark.parametrize(
    ("version", "one"),
    [("1.2.0", upgrade(UpgradePhase.ROLLING_OUT, before="1.1.0", to="1.2.0")),
     ("1.0.0", upgrade(UpgradePhase.ROLLING_OUT, before="1.1.0", to="1.0.0"))],
)  # fmt: skip
def test_without_a_contract_and_on_the_way_back_it_is_complete_when_it_serves(version: str, one: Upgrade) -> None:
    result = upgrades.advance("academy", Plan(RELEASES.get(version), one), seen(is_serving=True), STRATEGY, NOW)
    assert result
    assert result.phase is UpgradePhase.COMPLETED


def test_a_backup_is_of_the_oldest_release_that_the_schema_serves() -> None:
    for phase, contracted, oldest in (
        (UpgradePhase.BACKING_UP, False, "1.0.0"),
        (UpgradePhase.CONTRACTING, True, "1.1.0"),
        (UpgradePhase.COMPLETED, True, "1.1.0"),
    ):
        status = SmartCourseStatus(version="1.1.0", upgrade=upgrade(phase, contracted=contracted))
        assert upgrades.oldest_served(status) == oldest
    assert upgrades.oldest_served(SmartCourseStatus(version="1.0.0")) == "1.0.0"
    back = upgrade(UpgradePhase.ROLLING_OUT, before="1.1.0", to="1.0.0")
    assert upgrades.oldest_served(SmartCourseStatus(version="1.0.0", upgrade=back)) == "1.0.0"


TROUBLE = State(Progress.FAILED, "JobFailed", "Job academy-user-migrate failed")


@pytest.mark.parametrize(
    ("one", "found", "status", "reason", "words"),
    [
        (upgrade(UpgradePhase.EXPANDING), seen(), "False", "Upgrading", "is not done. 1.0.0 goes on serving"),
        (upgrade(UpgradePhase.EXPANDING), seen(state=TROUBLE), "False", "JobFailed", "`version: 1.0.0` goes back"),
        (upgrade(UpgradePhase.ROLLING_OUT), seen("migrations"), "False", "Upgrading", "pods are replaced: services"),
        (upgrade(UpgradePhase.SOAKING), seen(), "True", "RollbackPossible", "until 2026-05-01T12:05:00Z"),
        (upgrade(UpgradePhase.BACKING_UP), seen(can_back_up=False), "False", "BackupNeeded", "set spec.backup"),
        (upgrade(UpgradePhase.BACKING_UP), seen(backup=FAILED), "False", "BackupFailed", "no space"),
        (upgrade(UpgradePhase.BACKING_UP), seen(), "True", "BackingUp", "academy-1-1-0-20260501115500 is made"),
        (upgrade(UpgradePhase.CONTRACTING), seen(), "True", "Contracting", "no way back"),
        (upgrade(UpgradePhase.CONTRACTING), seen(state=TROUBLE), "False", "JobFailed", "holds more than it needs"),
        (upgrade(UpgradePhase.COMPLETED), seen(), "True", "UpToDate", "completed; `version: 1.0.0` goes back"),
        (upgrade(UpgradePhase.COMPLETED, contracted=True), seen(), "True", "UpToDate", "completed."),
        (upgrade(UpgradePhase.ROLLING_OUT, before="1.1.0", to="1.0.0"), seen(), "False", "Upgrading", "going back"),
        (upgrade(UpgradePhase.COMPLETED, before="1.1.0", to="1.0.0"), seen(), "True", "RolledBack", "1.0.0 serves"),
    ],
)  # fmt: skip
def test_people_are_told_where_it_stands(one: Upgrade, found: Seen, status: str, reason: str, words: str) -> None:
    made = upgrades.told("academy", Plan(RELEASES.get(one.to), one), found, STRATEGY)
    assert made
    assert (made.status, made.reason) == (status, reason)
    assert words in made.message


def test_what_was_never_upgraded_says_nothing_of_it() -> None:
    assert upgrades.told("academy", Plan(RELEASES.get("1.0.0")), seen(), STRATEGY) is None
    assert upgrades.advance("academy", Plan(RELEASES.get("1.0.0")), seen(), STRATEGY, NOW) is None


def test_in_an_upgrade_the_gateway_follows_the_services() -> None:
    both = [document("services", "services"), document("gateway", "gateway")]
    assert Board.of(both).may_begin(Phase.GATEWAY)
    assert not Board.of(both, is_upgrade=True).may_begin(Phase.GATEWAY)


def test_another_upgrade_in_the_status_keeps_nothing_of_the_one_before() -> None:
    done = SmartCourseStatus(version="1.1.0", upgrade=upgrade(UpgradePhase.COMPLETED, contracted=True))
    begun = planned("1.2.0", "1.1.0", done.upgrade).upgrade
    patch = changes(done, done.model_copy(update={"upgrade": begun}))
    assert patch["upgrade"] == {
        "from": "1.1.0", "to": "1.2.0", "phase": "expanding", "startedAt": "2026-05-01T12:00:00Z", "servedAt": None,
        "backup": None, "contracted": False,
    }  # fmt: skip
    assert changes(done, done) == {}
