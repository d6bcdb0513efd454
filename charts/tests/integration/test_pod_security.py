"""A namespace that enforces the Pod Security standard `restricted` admits our pods, as a real API server decides."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.testing.controlplane import ControlPlane, running
from smartcourse_operator.core import backup_jobs
from smartcourse_operator.core.backup_jobs import Assignment, Task
from smartcourse_operator.core.backups import Backup
from smartcourse_operator.core.spec import SmartCourseSpec

Document = dict[str, Any]
PODS = "/api/v1/namespaces/restricted/pods?dryRun=All"
ENFORCED = {"pod-security.kubernetes.io/enforce": "restricted"}


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with running() as plane:
        plane.create("/api/v1/namespaces", {"metadata": {"name": "restricted", "labels": ENFORCED}})
        yield plane


def admit(plane: ControlPlane, pod: Document) -> None:
    """Raises RuntimeError with the API server's reasons if it refuses the pod."""
    plane.create(PODS, {"metadata": {"name": "asked-about"}, "spec": pod})


def made_by(maker: Document) -> Document:
    """The spec of the pods that a workload's controller makes: a StatefulSet's have its claims as volumes."""
    pod: Document = maker["spec"]["template"]["spec"]
    claims = [each["metadata"]["name"] for each in maker["spec"].get("volumeClaimTemplates", [])]
    claimed = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]
    return {**pod, "volumes": [*pod.get("volumes", []), *claimed]}


def test_every_pod_of_the_platform_is_admitted(plane: ControlPlane, objects: list[Document]) -> None:
    makers = [each for each in objects if "template" in each.get("spec", {})]
    assert makers
    for maker in makers:
        admit(plane, made_by(maker))


def test_the_operators_own_pod_is_admitted(
    plane: ControlPlane, helm: Callable[..., subprocess.CompletedProcess[str]], charts: Path
) -> None:
    done = helm("template", "operator", str(charts / "smartcourse-operator"))
    assert done.returncode == 0, done.stderr
    [deployment] = [each for each in yaml.safe_load_all(done.stdout) if each and each["kind"] == "Deployment"]
    admit(plane, made_by(deployment))


@pytest.mark.parametrize("task", Task)
def test_the_pods_of_backups_are_admitted(plane: ControlPlane, task: Task) -> None:
    owner = {"kind": "SmartCourseBackup", "metadata": {"name": "first", "namespace": "restricted", "uid": "u-1"}}
    repository = backup_jobs.repository_of("academy", "restricted", Backup())
    admit(plane, backup_jobs.pod(Assignment(task, owner, "academy", SmartCourseSpec(), repository, "image:1", "", {})))


@pytest.mark.parametrize(
    "change",
    [
        {"allowPrivilegeEscalation": True},
        {"runAsNonRoot": False},
        {"runAsUser": 0},
        {"capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]}},
        {"seccompProfile": {"type": "Unconfined"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_pod_that_may_more_is_not(
    plane: ControlPlane, render: Callable[..., list[Document]], change: Document
) -> None:
    pod = made_by(next(each for each in render() if each["kind"] == "Deployment"))
    [container, *others] = pod["containers"]
    wider = {**container, "securityContext": {**container["securityContext"], **change}}
    with pytest.raises(RuntimeError, match=r'violates PodSecurity \\"restricted'):
        admit(plane, {**pod, "containers": [wider, *others]})
