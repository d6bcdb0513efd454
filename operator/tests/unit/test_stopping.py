"""What is stopped, and what is waited for meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from smartcourse_operator.core import stopping
from smartcourse_operator.core.stopping import Awake

RENDERED: list[dict[str, Any]] = [
    {"kind": "Deployment", "spec": {"replicas": 3}},
    {"kind": "HorizontalPodAutoscaler", "spec": {}},
    {"kind": "StatefulSet", "spec": {"replicas": 1}},
    {"kind": "Job", "spec": {}},
    {"kind": "Ingress", "spec": {}},
]


def pod(component: str, phase: str = "Running") -> dict[str, Any]:
    metadata = {"name": f"{component}-1", "labels": {"app.kubernetes.io/component": component}}
    return {"metadata": metadata, "status": {"phase": phase}}


def deployment(replicas: int, running: int) -> dict[str, Any]:
    return {"metadata": {"name": "a-user"}, "spec": {"replicas": replicas}, "status": {"replicas": running}}


def kinds(documents: list[dict[str, Any]]) -> dict[str, int | None]:
    return {document["kind"]: document["spec"].get("replicas") for document in documents}


def test_while_data_is_replaced_no_deployment_has_a_pod_and_no_autoscaler_brings_one_back() -> None:
    assert kinds(stopping.without_services(RENDERED)) == {
        "Deployment": 0, "StatefulSet": 1, "Job": None, "Ingress": None,
    }  # fmt: skip
    assert RENDERED[0]["spec"] == {"replicas": 3}, "renderings are kept: they must not change"


def test_databases_sleep_when_nothing_uses_them_any_more_and_no_job_is_begun() -> None:
    busy, idle = Awake(["a-user"], ["a-postgres-0"]), Awake([], ["a-postgres-0"])
    assert kinds(stopping.asleep(RENDERED, busy)) == {"Deployment": 0, "StatefulSet": 1, "Ingress": None}
    assert kinds(stopping.asleep(RENDERED, idle)) == {"Deployment": 0, "StatefulSet": 0, "Ingress": None}


def test_what_still_runs_are_deployments_with_pods_jobs_at_work_and_pods_that_have_not_ended() -> None:
    at_work = {"kind": "Job", "metadata": {"name": "b-backup"}, "spec": {}}
    ended = {**at_work, "status": {"conditions": [{"type": "Complete", "status": "True"}]}}
    pods = [pod("course"), pod("user", "Succeeded"), pod("postgres")]
    assert Awake.of([deployment(0, 1)], [at_work, ended], pods) == Awake(
        ["a-user", "b-backup", "course-1"], ["postgres-1"]
    )
    assert str(Awake.of([deployment(0, 0)], [ended], [pod("user", "Failed")])) == ""


@pytest.mark.parametrize(("replicas", "running", "has_pods"), [(1, 0, True), (0, 2, True), (0, 0, False)])
def test_a_deployment_has_pods_while_it_wants_or_has_some(replicas: int, running: int, *, has_pods: bool) -> None:
    assert bool(stopping.with_pods([deployment(replicas, running)])) is has_pods


@pytest.mark.parametrize(("component", "phase", "is_writer"), [
    ("course", "Running", True), ("course", "Succeeded", False), ("postgres", "Running", False),
    ("gateway", "Pending", True), ("backup", "Running", False),
])  # fmt: skip
def test_pods_of_services_and_their_jobs_are_what_may_write(component: str, phase: str, *, is_writer: bool) -> None:
    assert bool(stopping.writers([pod(component, phase)])) is is_writer
