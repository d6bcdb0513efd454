"""The status made from what a reconcile finds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from smartcourse_operator.core import conditions, readiness, stopping
from smartcourse_operator.core.conditions import Context, Findings, Problem
from smartcourse_operator.core.objects import Reference
from smartcourse_operator.core.phases import Board
from smartcourse_operator.core.readiness import DONE, Progress, State, waiting
from smartcourse_operator.core.status import Condition, ConditionType, Phase, SmartCourseStatus
from smartcourse_operator.core.volumes import Volume, missing_data, remembered

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KINDS = {"datastores": "StatefulSet", "provision": "Job", "migrations": "Job", "services": "Deployment",
         "gateway": "Deployment", "route": "Ingress", "forwardAuth": "Middleware", "seed": "Job",
         "monitoring": "ServiceMonitor"}  # fmt: skip
ASKED_FOR = ("forwardAuth", "monitoring")


def document(phase: str) -> dict[str, Any]:
    return {"kind": KINDS[phase], "metadata": {"name": f"a-{phase}", "labels": {"smartcourse.io/phase": phase}}}


def board(**states: State) -> Board:
    """Return a board of all phases; of those that have to be asked for, only if they have a state."""
    phases = [phase for phase in KINDS if phase not in ASKED_FOR or phase in states]
    made = Board.of(document(phase) for phase in phases)
    made.states = {Reference(KINDS[phase], f"a-{phase}"): states.get(phase, DONE) for phase in phases}
    return made


def found(findings: Findings, previous: list[Condition] | None = None) -> dict[str, tuple[str, str]]:
    made = conditions.conditions(findings, Context(3, NOW, previous or []))
    return {one.type.value: (one.status.value, one.reason) for one in made}


def test_all_done_and_a_healthy_gateway_is_ready() -> None:
    told = found(Findings(board=board(), health=""))
    assert {kind: status for kind, (status, _) in told.items()} == {
        "Ready": "True", "DatabasesReady": "True", "SchemaMigrated": "True", "ServicesReady": "True",
        "RouteReady": "True", "Degraded": "False", "Paused": "False",
    }  # fmt: skip
    assert conditions.phase_of(Findings(board=board(), health="")) is Phase.READY


def test_a_gateway_that_does_not_answer_is_not_ready() -> None:
    findings = Findings(board=board(), health="it answers 503")
    assert found(findings)["Ready"] == ("False", "GatewayUnhealthy")
    assert conditions.phase_of(findings) is Phase.GATEWAY


UNKNOWN = readiness.unknown_kind(Reference("ServiceMonitor", "a-monitoring"), "monitoring.coreos.com/v1")


def test_monitors_that_the_cluster_does_not_know_are_told_and_hold_nothing_up() -> None:
    findings = Findings(board=board(monitoring=UNKNOWN), health="")
    told = found(findings)
    assert told["MonitoringReady"] == ("False", "KindUnknown")
    assert (told["Ready"][0], told["Degraded"][0]) == ("True", "False")
    assert conditions.phase_of(findings) is Phase.READY


def test_middlewares_that_the_cluster_does_not_know_are_the_routes_trouble() -> None:
    unknown = readiness.unknown_kind(Reference("Middleware", "a-forwardAuth"), "traefik.io/v1alpha1")
    findings = Findings(board=board(forwardAuth=unknown))
    told = found(findings)
    assert told["RouteReady"] == told["Ready"] == ("False", "KindUnknown")
    assert told["ServicesReady"][0] == told["Degraded"][0] == "True"
    assert "Middleware of traefik.io/v1alpha1" in unknown.message


def test_the_other_door_waits_for_the_gateway_and_the_route_through_the_gateway_does_not() -> None:
    states = board(gateway=readiness.waiting("soon"), forwardAuth=readiness.waiting("later"))
    assert states.may_begin(Phase.ROUTE)
    assert not states.may_begin(Phase.FORWARD_AUTH)


def test_the_condition_of_monitors_goes_when_they_are_no_longer_asked_for() -> None:
    before = conditions.conditions(Findings(board=board(monitoring=DONE), health=""), Context(3, NOW, []))
    assert ConditionType.MONITORING_READY in {condition.type for condition in before}
    assert "MonitoringReady" in found(Findings(problem=Problem("SecretMissing", "x")), before), "nothing was looked at"
    assert "MonitoringReady" not in found(Findings(board=board(), health=""), before)


def test_monitors_that_cannot_be_made_are_worth_a_warning_once() -> None:
    def status(state: State | None) -> SmartCourseStatus:
        states = {"monitoring": state} if state else {}
        made = conditions.conditions(Findings(board=board(**states), health=""), Context(3, NOW, []))
        return SmartCourseStatus(conditions=made)

    for before in (status(None), status(readiness.waiting("soon"))):
        (news,) = conditions.transitions(before, status(UNKNOWN))
        assert (news.condition.reason, news.is_warning) == ("KindUnknown", True)
    assert conditions.transitions(status(UNKNOWN), status(UNKNOWN)) == []
    assert conditions.transitions(status(None), status(readiness.waiting("soon"))) == []


def test_a_failed_job_is_told_before_what_only_waits() -> None:
    states = {"datastores": readiness.waiting("soon"), "migrations": State(Progress.FAILED, "JobFailed", "it failed")}
    told = found(Findings(board=board(**states)))
    assert told["Degraded"] == ("True", "JobFailed")
    assert told["SchemaMigrated"] == ("False", "JobFailed")
    assert told["DatabasesReady"] == ("False", "Progressing")


def test_what_is_in_trouble_is_told_before_what_only_needs_time() -> None:
    trouble = State(Progress.WAITING, "ImagePullBackOff", "no such host")
    told = found(Findings(board=board(services=readiness.waiting("soon"), gateway=trouble)))
    assert told["ServicesReady"] == told["Ready"] == ("False", "ImagePullBackOff")


def test_waiting_is_no_degradation() -> None:
    assert found(Findings(board=board(services=readiness.waiting("soon"))))["Degraded"][0] == "False"


def test_a_problem_before_rendering_leaves_the_other_conditions_as_they_were() -> None:
    previous = conditions.conditions(Findings(board=board(), health=""), Context(2, NOW))
    told = found(Findings(problem=Problem("SecretMissing", "gone", (ConditionType.DATABASES_READY,))), previous)
    assert told["DatabasesReady"] == ("False", "SecretMissing")
    assert told["Ready"] == ("False", "SecretMissing")
    assert told["ServicesReady"][0] == "True"


def test_a_problem_beside_a_platform_that_serves_is_told_and_hides_nothing() -> None:
    told = found(Findings(board=board(), problem=Problem("VersionUnknown", "2.0.0"), health=""))
    assert told["Ready"] == ("False", "VersionUnknown")
    assert told["Degraded"] == ("True", "VersionUnknown")
    assert {told[kind][0] for kind in ("DatabasesReady", "SchemaMigrated", "ServicesReady", "RouteReady")} == {"True"}


def test_a_problem_of_one_group_is_told_of_that_group_alone() -> None:
    told = found(
        Findings(board=board(), problem=Problem("SecretMissing", "tls", (ConditionType.ROUTE_READY,)), health="")
    )
    assert (told["RouteReady"], told["ServicesReady"][0]) == (("False", "SecretMissing"), "True")


def test_a_time_changes_only_with_the_status() -> None:
    first = conditions.conditions(Findings(board=board(), health=""), Context(1, NOW))
    later = Context(1, NOW + timedelta(hours=1), first)
    assert conditions.conditions(Findings(board=board(), health=""), later) == first
    changed = conditions.conditions(Findings(board=board(), health="ill"), later)
    moved = {
        a.type.value for a, b in zip(first, changed, strict=True) if a.last_transition_time != b.last_transition_time
    }
    assert moved == {"Ready"}


def test_only_transitions_are_told_as_events() -> None:
    first = SmartCourseStatus(conditions=conditions.conditions(Findings(board=board(), health=""), Context(1, NOW)))
    assert conditions.transitions(first, first) == []
    second = SmartCourseStatus(conditions=conditions.conditions(Findings(board=board(), health="ill"), Context(1, NOW)))
    (told,) = conditions.transitions(first, second)
    assert (told.kind, told.is_warning) == (ConditionType.READY, True)


def test_a_phase_begins_only_after_those_it_needs() -> None:
    states = board(migrations=State(Progress.FAILED, "JobFailed", ""))
    assert states.may_begin(Phase.MIGRATIONS)
    assert not states.may_begin(Phase.SERVICES)
    assert not states.may_begin(Phase.ROUTE)
    assert states.current() is Phase.MIGRATIONS


@pytest.mark.parametrize(("live", "begins"), [([], True), ([Reference("Deployment", "academy-user")], False)])
def test_where_nothing_serves_yet_all_begins(live: list[Reference], *, begins: bool) -> None:
    states = board(datastores=waiting("volumes bind"), migrations=waiting("its init container waits"))
    states.note_serving([Reference("StatefulSet", "academy-postgres"), *live])
    for phase in (Phase.PROVISION, Phase.MIGRATIONS, Phase.SERVICES, Phase.GATEWAY, Phase.ROUTE, Phase.SEED):
        assert states.may_begin(phase) is begins
    assert states.current() is Phase.DATASTORES


@pytest.mark.parametrize(
    ("status", "is_done"),
    [
        ({}, False),
        ({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, False),
        ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 2}, False),
        ({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 2}, False),
        ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, True),
    ],
)
def test_a_deployment_is_done_when_its_rollout_is(status: dict[str, Any], is_done: bool) -> None:
    live = {"kind": "Deployment", "metadata": {"name": "a", "generation": 2}, "spec": {"replicas": 2}, "status": status}
    assert (readiness.state_of(live) is DONE) is is_done


def test_a_pod_that_cannot_be_scheduled_says_so() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no room"}
    trouble = readiness.trouble_of({"metadata": {"name": "p"}, "status": {"conditions": [condition]}})
    assert trouble
    assert (trouble.reason, trouble.message) == ("Unschedulable", "no room")


def test_the_end_of_a_log_goes_into_the_message() -> None:
    trouble = readiness.Trouble("p", "user", "CrashLoopBackOff", "back-off", has_log=True)
    told = readiness.describe(trouble, Reference("Deployment", "a-user"), "one\ntwo\nJWT_SECRET_KEY is too short\n")
    assert "JWT_SECRET_KEY is too short" in told.message
    told = readiness.describe(trouble, Reference("Deployment", "a-user"), "x" * 5000 + "\nthe cause")
    assert len(told.message) == readiness.MESSAGE_LENGTH
    assert told.message.endswith(" | the cause")


def test_a_recorded_volume_is_remembered_and_another_is_added_to_it() -> None:
    recorded, another = Volume(name="data-a-postgres-0", uid="1"), Volume(name="data-a-mongodb-0", uid="2")
    assert remembered([recorded], []) == [recorded]
    assert remembered([recorded], [recorded.model_copy(update={"uid": "9"}), another]) == [another, recorded]


def test_a_volume_that_was_replaced_or_is_gone_is_missing_data() -> None:
    recorded = [Volume(name="data-a-postgres-0", uid="1")]
    assert missing_data(recorded, recorded) is None
    assert "replaced" in str(missing_data(recorded, [Volume(name="data-a-postgres-0", uid="2")]))
    assert "gone" in str(missing_data(recorded, []))


def test_what_goes_to_sleep_is_not_ready_and_nothing_is_wrong_with_it() -> None:
    going = Findings(board=board(), problem=stopping.hibernated("a", "waits for x", is_set_up=True))
    told = found(going)
    assert told["Hibernated"] == ("False", "Progressing")
    assert told["Ready"] == told["DatabasesReady"] == told["ServicesReady"] == ("False", "Hibernated")
    assert told["Degraded"][0] == "False"
    assert conditions.phase_of(going) is Phase.SERVICES
    asleep = replace(going, is_asleep=True)
    assert found(asleep)["Hibernated"] == ("True", "Hibernated")
    assert conditions.phase_of(asleep) is Phase.HIBERNATED


def test_of_phases_that_nothing_is_rendered_for_nothing_is_said() -> None:
    without_jobs = Board.of(document(phase) for phase in KINDS if KINDS[phase] != "Job" and phase not in ASKED_FOR)
    findings = Findings(board=without_jobs, problem=stopping.hibernated("a", "", is_set_up=True), is_asleep=True)
    assert "SchemaMigrated" not in found(findings)
    before = conditions.conditions(Findings(board=board(), health=""), Context(3, NOW, []))
    assert found(findings, before)["SchemaMigrated"][0] == "True"


def test_sleep_that_somebody_asked_for_is_no_warning_and_its_condition_goes_when_it_wakes() -> None:
    awake = conditions.conditions(Findings(board=board(), health=""), Context(3, NOW, []))
    findings = Findings(board=board(), problem=stopping.hibernated("a", "", is_set_up=True), is_asleep=True)
    asleep = conditions.conditions(findings, Context(4, NOW, awake))
    news = conditions.transitions(SmartCourseStatus(conditions=awake), SmartCourseStatus(conditions=asleep))
    assert ConditionType.HIBERNATED in {one.kind for one in news}
    assert not any(one.is_warning for one in news)
    assert "Hibernated" not in found(Findings(board=board(), health=""), asleep)


def test_a_volume_that_cannot_grow_is_degraded_and_ready_all_the_same() -> None:
    shortfall = Problem("VolumeNotGrown", "the class does not allow it")
    told = found(Findings(board=board(), health="", shortfall=shortfall))
    assert told["Degraded"] == ("True", "VolumeNotGrown")
    assert told["Ready"][0] == told["DatabasesReady"][0] == "True"


def test_what_keeps_it_from_serving_is_told_before_a_volume_that_cannot_grow() -> None:
    shortfall = Problem("VolumeNotGrown", "the class does not allow it")
    told = found(Findings(board=board(), problem=Problem("SecretMissing", "it is missing"), shortfall=shortfall))
    assert told["Degraded"] == ("True", "SecretMissing")
