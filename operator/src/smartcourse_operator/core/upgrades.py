"""Going from one release to another: expand the schema, roll out, keep the way back open, contract the schema.

    expanding → rollingOut → soaking → backingUp → contracting → completed
    └────── one can go back ───────────────────┘

The schema of a release serves the release before it too until it is contracted. What leads from release to release is
taken step by step, each completed before the next begins. Pure: the time is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from smartcourse_operator.core.backups import BackupPhase, BackupStatus
from smartcourse_operator.core.conditions import UPGRADING, Problem, Verdict, verdict
from smartcourse_operator.core.fields import timestamp
from smartcourse_operator.core.phases import ESSENTIAL, Board
from smartcourse_operator.core.readiness import PROGRESSING, Progress, State
from smartcourse_operator.core.spec import UpdateStrategy
from smartcourse_operator.core.status import Phase, SmartCourseStatus, Upgrade, UpgradePhase
from smartcourse_operator.core.versions import (
    Release,
    Releases,
    RollbackRefusedError,
    UpgradeRefusedError,
    VersionError,
    order,
    path,
)

UNSERVED = (UpgradePhase.EXPANDING, UpgradePhase.ROLLING_OUT)
HURRIED = (*UNSERVED, UpgradePhase.BACKING_UP, UpgradePhase.CONTRACTING)
"""Phases that are looked at often; soaking takes long."""


@dataclass(frozen=True)
class Plan:
    """The release to run now."""

    release: Release
    upgrade: Upgrade | None = None
    problem: Problem | None = None
    wanted: str | None = None
    """A release that more steps lead to, once this one is completed."""

    @property
    def contracts(self) -> list[str]:
        """The services whose schema is to be contracted now, or has been."""
        if self.upgrade and is_forward(self.upgrade) and not self.upgrade.is_contracted:
            return []
        return self.release.contracts()


def is_forward(upgrade: Upgrade) -> bool:
    return order(upgrade.to) > order(upgrade.before)


def is_under_way(upgrade: Upgrade | None) -> bool:
    return upgrade is not None and upgrade.phase is not UpgradePhase.COMPLETED


def standing(current: str | None, upgrade: Upgrade | None) -> str | None:
    """Return the release that pods are, or are being, made of; `current` is the one that serves."""
    return upgrade.to if upgrade and is_under_way(upgrade) else current


def can_go_back(upgrade: Upgrade | None, wanted: str) -> bool:
    """Whether `wanted` is the release before, and the schema still serves it."""
    return upgrade is not None and is_forward(upgrade) and wanted == upgrade.before and not upgrade.is_contracted


def oldest_served(status: SmartCourseStatus) -> str | None:
    """Return the oldest release that the schema serves: a backup of it can be restored into that one."""
    upgrade = status.upgrade
    if upgrade and is_forward(upgrade) and not upgrade.is_contracted:
        return upgrade.before
    return status.version


def plan(releases: Releases, *, wanted: str | None, before: SmartCourseStatus, now: datetime, is_held: bool) -> Plan:
    """Return the release to run now: where what is asked for can't be, what is run goes on, and it is told.

    `is_held`: nothing new is begun (of a platform that is hibernated or being restored).

    Raises:
        VersionError: there is none that could go on.
    """
    upgrade, current = before.upgrade, before.version
    if current is None:
        return Plan(releases.get(wanted) if wanted else releases.newest())
    going_on = Plan(releases.get(standing(current, upgrade) or current), upgrade)
    if wanted is None or wanted == going_on.release.version or is_held:
        return going_on
    try:
        return _next(releases, going_on, wanted, now)
    except VersionError as error:
        return Plan(going_on.release, upgrade, Problem(error.reason, str(error)))


def _next(releases: Releases, going_on: Plan, wanted: str, now: datetime) -> Plan:
    """Return what comes after `going_on` on the way to `wanted`, or `going_on` where that is to be completed first."""
    target, runs, upgrade = releases.get(wanted), going_on.release.version, going_on.upgrade
    if can_go_back(upgrade, wanted):
        return Plan(target, _begun(runs, wanted, UpgradePhase.ROLLING_OUT, now))
    if upgrade and is_forward(upgrade) and wanted == upgrade.before:
        raise RollbackRefusedError(runs, wanted, upgrade.backup)
    steps = path(releases.known(), current=runs, wanted=wanted)
    if not steps:
        raise UpgradeRefusedError(runs, wanted)
    if upgrade and is_under_way(upgrade) and is_forward(upgrade):
        return Plan(going_on.release, upgrade, wanted=wanted)
    begun = _begun(runs, steps[0], UpgradePhase.EXPANDING, now)
    return Plan(releases.get(steps[0]), begun, wanted=wanted if len(steps) > 1 else None)


def _begun(before: str, to: str, phase: UpgradePhase, now: datetime) -> Upgrade:
    return Upgrade(before=before, to=to, phase=phase, started_at=timestamp(now))


@dataclass(frozen=True)
class Seen:
    """What a reconcile has found that decides whether an upgrade gets on."""

    board: Board
    is_serving: bool
    can_back_up: bool
    backup: BackupStatus | None = None
    """The backup that `backup_name` names, if it has been made."""


def backup_name(name: str, upgrade: Upgrade) -> str:
    """Return the name of the backup to make before the schema is contracted: of each upgrade another one."""
    moment = datetime.fromisoformat(upgrade.served_at or upgrade.started_at)
    return f"{name}-{upgrade.to.replace('.', '-')}-{moment:%Y%m%d%H%M%S}"


def advance(name: str, made: Plan, seen: Seen, strategy: UpdateStrategy, now: datetime) -> Upgrade | None:
    """Return how far the upgrade is after what was seen; each call takes one step at most."""
    upgrade = made.upgrade
    if upgrade is None:
        return None
    match upgrade.phase:
        case UpgradePhase.EXPANDING if seen.board.is_done(Phase.MIGRATIONS) and seen.board.may_begin(Phase.SERVICES):
            return upgrade.model_copy(update={"phase": UpgradePhase.ROLLING_OUT})
        case UpgradePhase.ROLLING_OUT if seen.is_serving:
            is_last = not is_forward(upgrade) or not made.release.contracts()
            phase = UpgradePhase.COMPLETED if is_last else UpgradePhase.SOAKING
            return upgrade.model_copy(update={"phase": phase, "served_at": timestamp(now)})
        case UpgradePhase.SOAKING if made.wanted or now >= soaked_at(upgrade, strategy):
            return _at(upgrade, UpgradePhase.BACKING_UP)
        case UpgradePhase.BACKING_UP if not strategy.backup:
            return _contracted(upgrade, None)
        case UpgradePhase.BACKING_UP if seen.backup and seen.backup.phase is BackupPhase.COMPLETED:
            return _contracted(upgrade, backup_name(name, upgrade))
        case UpgradePhase.CONTRACTING if seen.is_serving and seen.board.is_done(Phase.CONTRACT):
            return _at(upgrade, UpgradePhase.COMPLETED)
    return upgrade


def soaked_at(upgrade: Upgrade, strategy: UpdateStrategy) -> datetime:
    """Return until when one can go back at least."""
    return datetime.fromisoformat(upgrade.served_at or upgrade.started_at) + timedelta(
        minutes=strategy.rollback_minutes
    )


def _at(upgrade: Upgrade, phase: UpgradePhase) -> Upgrade:
    return upgrade.model_copy(update={"phase": phase})


def _contracted(upgrade: Upgrade, backup: str | None) -> Upgrade:
    """Return it without a way back: this is noted before anything is removed."""
    return upgrade.model_copy(update={"phase": UpgradePhase.CONTRACTING, "is_contracted": True, "backup": backup})


def told(name: str, made: Plan, seen: Seen, strategy: UpdateStrategy) -> Verdict | None:
    """Return what the condition Upgraded says; None where nothing has ever been upgraded."""
    upgrade = made.upgrade
    if upgrade is None:
        return None
    way, back = f"{upgrade.before} → {upgrade.to}", f"`version: {upgrade.before}` goes back"
    state = _hindrance(seen.board, upgrade)
    match upgrade.phase:
        case UpgradePhase.EXPANDING | UpgradePhase.ROLLING_OUT:
            reason = state.reason if state and state.reason != PROGRESSING else UPGRADING
            doing = "the schema is expanded" if upgrade.phase is UpgradePhase.EXPANDING else "pods are replaced"
            where = f"{way}: {doing}: {state.message}" if state else f"{way}: {doing}"
            kept = f"{upgrade.before} goes on serving; {back}." if is_forward(upgrade) else "It is going back."
            return verdict(False, reason, f"{where}. {kept}")
        case UpgradePhase.SOAKING:
            until = timestamp(soaked_at(upgrade, strategy))
            return verdict(True, "RollbackPossible", f"{way}: {upgrade.to} serves; until {until} {back}.")
        case UpgradePhase.BACKING_UP:
            return _backing_up(name, upgrade, seen, way, back)
        case UpgradePhase.CONTRACTING if state and state.progress is Progress.FAILED:
            return verdict(False, state.reason, f"{way}: {upgrade.to} serves; the schema holds more than it needs: "
                                                f"{state.message}")  # fmt: skip
        case UpgradePhase.CONTRACTING:
            gone = f"{way}: what only {upgrade.before} needs is removed from the schema; there is no way back."
            return verdict(True, "Contracting", gone)
    if not is_forward(upgrade):
        return verdict(True, "RolledBack", f"{way}: gone back, {upgrade.to} serves.")
    return verdict(True, "UpToDate", f"{way}: completed." if upgrade.is_contracted else f"{way}: completed; {back}.")


def _hindrance(board: Board, upgrade: Upgrade) -> State | None:
    return board.pending(ESSENTIAL if upgrade.phase in UNSERVED else (Phase.CONTRACT,))


def _backing_up(name: str, upgrade: Upgrade, seen: Seen, way: str, back: str) -> Verdict:
    wanted = backup_name(name, upgrade)
    if not seen.can_back_up:
        remedy = "set spec.backup, or spec.updateStrategy.backup to false"
        message = f"{way}: {upgrade.to} serves; before the schema is contracted a backup has to be made: {remedy}"
        return verdict(False, "BackupNeeded", f"{message}. Until then {back}.")
    if seen.backup and seen.backup.phase is BackupPhase.FAILED:
        remedy = f"delete SmartCourseBackup {wanted} to have it made again"
        message = f"{way}: {upgrade.to} serves; the backup before the schema is contracted failed: {remedy}"
        return verdict(False, "BackupFailed", f"{message}. Until then {back}. {seen.backup.message or ''}".strip())
    return verdict(True, "BackingUp", f"{way}: {upgrade.to} serves; SmartCourseBackup {wanted} is made. {back}.")
