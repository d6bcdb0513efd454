"""Nodes that are drained: what people notice, and what the resource tells.

Needs a cluster with two workers: `NODES=3 make up`, as `make test-full` does for these cases alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from .conftest import NAME
from .kubernetes import Kubectl, eventually
from .people import Platform
from .test_rollout import asking

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(1500)]

INSTANCE = f"app.kubernetes.io/instance={NAME}"
SERVICES = ("gateway", "user", "course", "notification")


def drain(kubectl: Kubectl, node: str) -> None:
    kubectl.run("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=300s", timeout_seconds=330)


def nodes_of(kubectl: Kubectl, service: str) -> list[str]:
    """Return the nodes of a service's pods that are ready, sorted, empty while others are there too."""
    pods = kubectl.list("pods", f"{INSTANCE},app.kubernetes.io/name={service}")
    are_ready = all(
        any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", []))
        for pod in pods
    )
    return sorted(pod["spec"]["nodeName"] for pod in pods) if are_ready else []


def settle(kubectl: Kubectl, *nodes: str) -> None:
    """Wait until each service's pods are on `nodes`, one each, all ready."""

    def elsewhere() -> dict[str, list[str]]:
        found = {service: nodes_of(kubectl, service) for service in SERVICES}
        return {service: names for service, names in found.items() if names != sorted(nodes)}

    eventually(
        lambda: not elsewhere(), timeout_seconds=300, what=lambda: f"a pod on each of {nodes}; there is {elsewhere()}"
    )


@pytest.fixture(scope="module")
def workers(kubectl: Kubectl) -> Iterator[tuple[str, str]]:
    """The node of all that is there once (databases, operator, the cluster's own), and one of services' pods only."""
    found = kubectl.list("nodes", "!node-role.kubernetes.io/control-plane")
    assert len(found) == 2, "these cases need a cluster with two workers: NODES=3 make up"
    home, spare = (node["metadata"]["name"] for node in found)
    sample = kubectl.get("smartcourse", NAME)
    kubectl.merge("smartcourse", NAME, {"spec": {"deletionPolicy": "Delete"}})
    kubectl.run("delete", "smartcourse", NAME, "--timeout=180s", timeout_seconds=200)
    kubectl.run("cordon", spare)

    def is_left_alone() -> bool:
        drain(kubectl, spare)
        return True

    eventually(is_left_alone, timeout_seconds=120, what="what takes the volumes away to end")
    kubectl.apply({key: sample[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": {"name": NAME}})
    kubectl.wait_ready(NAME)
    kubectl.run("uncordon", spare)
    kubectl.run("scale", "smartcourse", NAME, "--replicas=2")
    kubectl.wait_ready(NAME)
    settle(kubectl, home, spare)
    yield home, spare
    for node in (home, spare):
        kubectl.run("uncordon", node)
    kubectl.run("scale", "smartcourse", NAME, "--replicas=1")
    kubectl.wait_ready(NAME)


@pytest.fixture(scope="module")
def people(kubectl: Kubectl, workers: tuple[str, str], base_url: str) -> Iterator[Platform]:
    with httpx.Client(base_url=base_url, timeout=30) as client:
        yield Platform(client, admin=kubectl.secret(f"{NAME}-admin"))


def test_no_request_fails_while_a_node_is_drained(
    people: Platform, kubectl: Kubectl, base_url: str, workers: tuple[str, str]
) -> None:
    home, spare = workers
    with asking(people, base_url) as seen:
        drain(kubectl, spare)
        settle(kubectl, home, home)
        kubectl.wait_ready(NAME)
    assert seen.answers[200] > 100
    assert seen.failed == {}
    kubectl.run("uncordon", spare)


def test_a_database_that_cannot_go_elsewhere_is_told_and_has_its_data_when_its_node_is_back(
    people: Platform, kubectl: Kubectl, workers: tuple[str, str]
) -> None:
    home, _ = workers
    student = people.new_student()
    kubectl.run("cordon", home)
    kubectl.run("delete", "pod", f"{NAME}-postgres-0", timeout_seconds=180)

    def told() -> bool:
        found = kubectl.condition(NAME, "DatabasesReady")
        return found.get("status") == "False" and found.get("reason") == "Unschedulable"

    eventually(told, timeout_seconds=240, what=lambda: f"what is told: {kubectl.condition(NAME, 'DatabasesReady')}")
    assert f"{NAME}-postgres" in kubectl.condition(NAME, "DatabasesReady")["message"]
    kubectl.run("uncordon", home)
    kubectl.wait_ready(NAME)
    assert people.log_in(student.email, student.password).id == student.id


def test_the_node_of_the_databases_is_drained_while_it_sleeps(
    people: Platform, kubectl: Kubectl, workers: tuple[str, str]
) -> None:
    home, _ = workers
    student = people.new_student()
    kubectl.merge("smartcourse", NAME, {"spec": {"hibernated": True}})
    kubectl.run("wait", "smartcourse", NAME, "--for=condition=Hibernated", "--timeout=240s", timeout_seconds=260)
    drain(kubectl, home)
    kubectl.run("uncordon", home)
    kubectl.merge("smartcourse", NAME, {"spec": {"hibernated": False}})
    kubectl.wait_ready(NAME)
    assert people.log_in(student.email, student.password).id == student.id
