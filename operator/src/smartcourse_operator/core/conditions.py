"""The status that a reconcile reports, made from what it found. Pure: the time is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from smartcourse_operator.core.fields import timestamp
from smartcourse_operator.core.phases import ESSENTIAL, Board
from smartcourse_operator.core.readiness import PROGRESSING, Progress, State
from smartcourse_operator.core.status import Condition, ConditionStatus, ConditionType, Phase, SmartCourseStatus

GROUPS = (
    (ConditionType.DATABASES_READY, (Phase.DATASTORES, Phase.PROVISION), "DatabasesServe", "The databases serve."),
    (ConditionType.SCHEMA_MIGRATED, (Phase.MIGRATIONS,), "SchemaCurrent", "The schema is at this version's revision."),
    (ConditionType.SERVICES_READY, (Phase.SERVICES, Phase.GATEWAY), "ServicesServe", "Services and gateway serve."),
    (ConditionType.ROUTE_READY, (Phase.ROUTE, Phase.FORWARD_AUTH), "RouteApplied", "The route is in place."),
    (ConditionType.MONITORING_READY, (Phase.MONITORING,), "MonitorsApplied", "The ServiceMonitors are in place."),
)
OPTIONAL = frozenset({
    ConditionType.MONITORING_READY, ConditionType.BACKED_UP, ConditionType.UPGRADED, ConditionType.HIBERNATED
})  # fmt: skip
"""Conditions that are there only while something of their phases is asked for."""


@dataclass(frozen=True)
class Verdict:
    """A condition without its times."""

    status: ConditionStatus
    reason: str
    message: str


@dataclass(frozen=True)
class Problem:
    """What is wrong beside the objects' own states: something that only a person, or time, can change."""

    reason: str
    message: str
    affects: tuple[ConditionType, ...] = ()


@dataclass(frozen=True)
class Findings:
    """What a reconcile has found.

    `board` is None when it was stopped by `problem` before anything was rendered; with a board, `problem` keeps the
    platform from being as its spec asks and nothing from being repaired. `health` is what the gateway answered, empty
    when it is well, None when it was not asked. `is_asleep`: it is hibernated, and nothing runs any more.
    `shortfall`: something is not as asked for that the platform serves without, and that keeps nothing waiting.
    """

    board: Board | None = None
    problem: Problem | None = None
    health: str | None = None
    phase: Phase = Phase.SECRETS
    is_paused: bool = False
    is_asleep: bool = False
    backed_up: Verdict | None = None
    upgraded: Verdict | None = None
    shortfall: Problem | None = None


RESTORING, HIBERNATED, UPGRADING = "Restoring", "Hibernated", "Upgrading"
PLANNED = frozenset({RESTORING, HIBERNATED, UPGRADING})
"""Reasons of problems that somebody asked for: the platform is not Ready, and nothing is wrong with it."""


@dataclass(frozen=True)
class Context:
    """What a condition is stamped with."""

    generation: int
    now: datetime
    previous: list[Condition] = field(default_factory=list)


def verdict(is_true: bool, reason: str, message: str) -> Verdict:
    return Verdict(ConditionStatus.TRUE if is_true else ConditionStatus.FALSE, reason, message)


def pending_verdict(state: State) -> Verdict:
    return verdict(False, state.reason, state.message)


def group_verdicts(findings: Findings) -> dict[ConditionType, Verdict]:
    """Return the verdict on each group of phases of which there is something.

    On those that a problem stopped before there is none but for its own.
    """
    problem = findings.problem
    told = {kind: verdict(False, problem.reason, problem.message) for kind in problem.affects} if problem else {}
    if findings.board is None:
        return told
    return {
        kind: pending_verdict(state) if (state := findings.board.pending(phases)) else verdict(True, reason, text)
        for kind, phases, reason, text in GROUPS
        if any(findings.board.rendered[phase] for phase in phases)
    } | told


def ready_verdict(findings: Findings) -> Verdict:
    if findings.problem:
        return verdict(False, findings.problem.reason, findings.problem.message)
    if findings.board is None:
        return verdict(False, PROGRESSING, "Not begun yet.")
    if state := findings.board.pending(ESSENTIAL):
        return pending_verdict(state)
    if findings.health:
        return verdict(False, "GatewayUnhealthy", findings.health)
    return verdict(True, "Serving", "The platform serves as its spec asks.")


def hibernated_verdicts(findings: Findings) -> dict[ConditionType, Verdict]:
    problem = findings.problem
    if problem is None or problem.reason != HIBERNATED:
        return {}
    reason = HIBERNATED if findings.is_asleep else PROGRESSING
    return {ConditionType.HIBERNATED: verdict(findings.is_asleep, reason, problem.message)}


def degraded_verdict(findings: Findings) -> Verdict:
    if findings.problem and findings.problem.reason not in PLANNED:
        return verdict(True, findings.problem.reason, findings.problem.message)
    state = findings.board.pending((*ESSENTIAL, Phase.CONTRACT)) if findings.board else None
    if state and (state.progress is Progress.FAILED or state.reason != PROGRESSING):
        return verdict(True, state.reason, state.message)
    if findings.shortfall:
        return verdict(True, findings.shortfall.reason, findings.shortfall.message)
    return verdict(False, "AsExpected", "Nothing has failed.")


def verdicts(findings: Findings) -> dict[ConditionType, Verdict]:
    """Return the conditions that `findings` say something of; the others stay as they were."""
    if findings.is_paused:
        return {ConditionType.PAUSED: verdict(True, "PausedBySpec", "spec.paused is true: nothing is changed.")}
    return {
        ConditionType.READY: ready_verdict(findings),
        **group_verdicts(findings),
        **({ConditionType.BACKED_UP: findings.backed_up} if findings.backed_up else {}),
        **({ConditionType.UPGRADED: findings.upgraded} if findings.upgraded else {}),
        ConditionType.DEGRADED: degraded_verdict(findings),
        ConditionType.PAUSED: verdict(False, "NotPaused", "The operator keeps the platform as its spec asks."),
        **hibernated_verdicts(findings),
    }


def conditions(findings: Findings, context: Context) -> list[Condition]:
    """Return the new conditions; a time changes only with the status it belongs to."""
    found = verdicts(findings)
    dropped = OPTIONAL - found.keys() if findings.board else frozenset()
    previous = {condition.type: condition for condition in context.previous if condition.type not in dropped}
    return [
        stamped(kind, found[kind], previous.get(kind), context) if kind in found else previous[kind]
        for kind in ConditionType
        if kind in found or kind in previous
    ]


def stamped(kind: ConditionType, found: Verdict, previous: Condition | None, context: Context) -> Condition:
    is_changed = previous is None or previous.status is not found.status
    now = timestamp(context.now)
    return Condition(
        type=kind,
        status=found.status,
        reason=found.reason,
        message=found.message,
        last_transition_time=now if is_changed or previous is None else previous.last_transition_time,
        observed_generation=context.generation,
    )


def phase_of(findings: Findings) -> Phase:
    if findings.board is None:
        return findings.phase
    if findings.is_asleep:
        return Phase.HIBERNATED
    current = findings.board.current()
    if current is Phase.READY and findings.problem and findings.problem.reason in PLANNED:
        return Phase.SERVICES
    return Phase.GATEWAY if current is Phase.READY and findings.health else current


TELLING = (
    ConditionType.READY, ConditionType.DEGRADED, ConditionType.MONITORING_READY, ConditionType.BACKED_UP,
    ConditionType.UPGRADED,
)  # fmt: skip
"""Conditions that are worth a warning: none of the others can be bad while all of these are good."""
EXPLAINING = tuple(kind for kind in TELLING if kind is not ConditionType.READY)
"""Conditions of which another reason is news too."""


@dataclass(frozen=True)
class Transition:
    """A condition that changed, worth an Event."""

    kind: ConditionType
    condition: Condition

    @property
    def is_warning(self) -> bool:
        good = ConditionStatus.FALSE if self.kind is ConditionType.DEGRADED else ConditionStatus.TRUE
        is_bad = self.condition.status is not good and self.condition.reason not in PLANNED
        return self.kind in TELLING and is_bad


def transitions(before: SmartCourseStatus, after: SmartCourseStatus) -> list[Transition]:
    """Return the conditions whose status changed, and those whose reason did where that is news."""
    found = []
    for condition in after.conditions:
        old = before.condition(condition.type)
        is_trouble = condition.type in OPTIONAL and condition.reason != PROGRESSING
        if old is None and condition.status is not ConditionStatus.TRUE and not is_trouble:
            continue
        is_new_reason = condition.type in EXPLAINING and old and old.reason != condition.reason
        if old is None or old.status is not condition.status or is_new_reason:
            found.append(Transition(condition.type, condition))
    return found
