"""What is deleted or edited comes back; what is as it should be is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.testing.controlplane import ControlPlane
from smartcourse_operator.adapters.cluster import Cluster
from smartcourse_operator.core.objects import BY_NAME, SECRET, VOLUME_CLAIM, Document

from .conftest import Gateways, operators, platforms
from .world import Machinery, Platform, eventually

WRITES = {"create", "update", "patch", "delete", "deletecollection"}
RESTORE_SECONDS = 15
DATABASE_URL = "DATABASE_URL"


@pytest.fixture(scope="module")
async def academy(control_plane: ControlPlane, admin: Cluster, machinery: Machinery) -> AsyncIterator[Platform]:
    """A Ready SmartCourse `academy` with an operator that looks after it; each case leaves it Ready."""
    async with platforms(control_plane, admin, machinery) as make_platform:
        platform = make_platform()
        async with operators(control_plane, platform.namespace, Gateways()) as make_operator:
            make_operator().start()
            await platform.create()
            await platform.until_ready()
            yield platform


async def test_the_steady_state_writes_nothing(academy: Platform, control_plane: ControlPlane) -> None:
    await asyncio.sleep(3)
    before = control_plane.operator_requests(WRITES)
    reads = len(control_plane.operator_requests({"list"}))
    await asyncio.sleep(7)  # three periods of the timer
    assert control_plane.operator_requests(WRITES)[len(before) :] == []
    assert len(control_plane.operator_requests({"list"})) > reads, "it has looked meanwhile"


async def test_it_never_lists_or_watches_secrets(academy: Platform, control_plane: ControlPlane) -> None:
    asked = control_plane.operator_requests({"list", "watch"})
    assert asked
    assert not [request for request in asked if "/secrets" in request]


@pytest.mark.parametrize(
    "kind",
    [
        "Deployment",
        "StatefulSet",
        "Service",
        "ConfigMap",
        "ServiceAccount",
        "NetworkPolicy",
        "Ingress",
        "PodDisruptionBudget",
    ],
)
async def test_a_deleted_child_comes_back(academy: Platform, kind: str) -> None:
    child = next(one for one in await academy.children() if one["kind"] == kind)
    name, uid = child["metadata"]["name"], child["metadata"]["uid"]
    await academy.cluster.delete(BY_NAME[kind], academy.namespace, name)

    async def restored() -> bool:
        found = await academy.cluster.find(BY_NAME[kind], academy.namespace, name)
        return bool(found) and found["metadata"]["uid"] != uid

    await eventually(restored, what=f"{kind} {name} to come back", timeout_seconds=RESTORE_SECONDS)
    await academy.until_ready()


@pytest.mark.parametrize(
    ("kind", "name", "patch", "path"),
    [
        ("Deployment", "academy-course", {"spec": {"replicas": 3}}, "spec.replicas"),
        ("Service", "academy-user", {"spec": {"selector": {"stray": "label"}}}, "spec.selector"),
        (
            "Deployment",
            "academy-user",
            {"metadata": {"labels": {"app.kubernetes.io/part-of": "mine"}}},
            "metadata.labels",
        ),
        ("Deployment", "academy-user", {"metadata": {"labels": {"smartcourse.io/phase": None}}}, "metadata.labels"),
        ("Deployment", "academy-user", {"metadata": {"ownerReferences": []}}, "metadata.ownerReferences"),
        ("ConfigMap", "academy-postgres-provision", {"data": {"stray": "file"}}, "data"),
        ("NetworkPolicy", "academy-user", {"spec": {"ingress": [{}]}}, "spec.ingress"),
        ("Ingress", "academy-gateway", {"spec": {"ingressClassName": "mine"}}, "spec.ingressClassName"),
        ("PodDisruptionBudget", "academy-user", {"spec": {"maxUnavailable": 9}}, "spec.maxUnavailable"),
        (
            "StatefulSet",
            "academy-postgres",
            {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 1}}}},
            "spec.template",
        ),
        ("ServiceAccount", "academy-user", {"automountServiceAccountToken": True}, "automountServiceAccountToken"),
    ],
)
async def test_an_edited_child_is_reverted(academy: Platform, kind: str, name: str, patch: Document, path: str) -> None:
    async def value() -> Any:
        found: Any = await academy.cluster.find(BY_NAME[kind], academy.namespace, name)
        for step in path.split("."):
            found = (found or {}).get(step)
        return found

    before = await value()
    await academy.cluster.merge(BY_NAME[kind], academy.namespace, name, patch)

    async def reverted() -> bool:
        return bool(await value() == before)

    await eventually(reverted, what=f"{kind} {name} to be reverted", timeout_seconds=RESTORE_SECONDS)
    await academy.until_ready()


POD = "/spec/template/spec"
CONTAINER = f"{POD}/containers/0"


def add(path: str, value: Any) -> Document:
    return {"op": "add", "path": path, "value": value}


def remove(path: str) -> Document:
    return {"op": "remove", "path": path}


@pytest.mark.parametrize(
    ("kind", "name", "operations"),
    [
        ("Deployment", "academy-user", [add(f"{CONTAINER}/command", ["sleep"])]),
        ("Deployment", "academy-user", [add(f"{CONTAINER}/envFrom", [{"secretRef": {"name": "stray"}}])]),
        ("Deployment", "academy-user", [add(f"{CONTAINER}/securityContext/capabilities/add", ["NET_ADMIN"])]),
        ("Deployment", "academy-user", [add(f"{CONTAINER}/env/-", {"name": "STRAY", "value": "1"})]),
        ("Deployment", "academy-user", [add(f"{POD}/containers/-", {"name": "stray", "image": "stray"})]),
        ("Deployment", "academy-gateway", [add(f"{POD}/initContainers", [{"name": "stray", "image": "stray"}])]),
        ("Deployment", "academy-user", [add(f"{POD}/hostNetwork", True)]),
        ("Deployment", "academy-user", [add(f"{POD}/nodeSelector", {"stray": "label"})]),
        ("Deployment", "academy-user", [add("/spec/paused", True)]),
        ("StatefulSet", "academy-postgres", [add(f"{CONTAINER}/args", ["--stray"])]),
        ("Ingress", "academy-gateway", [add("/spec/rules/0/host", "mine.example")]),
        ("Ingress", "academy-gateway", [add("/spec/tls", [{"hosts": ["mine.example"], "secretName": "stray"}])]),
        (
            "NetworkPolicy",
            "academy-postgres",
            [add("/spec/egress", [{}]), add("/spec/policyTypes", ["Ingress", "Egress"])],
        ),
        ("NetworkPolicy", "academy-postgres", [add("/spec/ingress/0/from/0/namespaceSelector", {})]),
        ("Service", "academy-user", [add("/spec/externalIPs", ["192.0.2.1"])]),
        ("Service", "academy-user", [add("/spec/type", "NodePort")]),
        (
            "Deployment",
            "academy-user",
            [
                remove(f"{CONTAINER}/env/{DATABASE_URL}/valueFrom"),
                add(f"{CONTAINER}/env/{DATABASE_URL}/value", "postgresql://elsewhere"),
            ],
        ),
        (
            "Deployment",
            "academy-user",
            [remove(f"{POD}/volumes/0/emptyDir"), add(f"{POD}/volumes/0/hostPath", {"path": "/"})],
        ),
        (
            "Deployment",
            "academy-user",
            [
                remove(f"{CONTAINER}/livenessProbe/httpGet"),
                add(f"{CONTAINER}/livenessProbe/exec", {"command": ["true"]}),
            ],
        ),
        (
            "PodDisruptionBudget",
            "academy-user",
            [remove("/spec/maxUnavailable"), add("/spec/minAvailable", 1)],
        ),
    ],
)
async def test_what_somebody_sets_in_a_child_is_taken_out(
    academy: Platform, kind: str, name: str, operations: list[Document]
) -> None:
    before = await academy.cluster.find(BY_NAME[kind], academy.namespace, name)
    assert before
    edited = await academy.cluster.amend(BY_NAME[kind], academy.namespace, name, placed(operations, before))
    assert edited["spec"] != before["spec"]
    await eventually(
        lambda: has_spec(academy, kind, name, before["spec"]),
        what=f"{kind} {name} to be reverted",
        timeout_seconds=RESTORE_SECONDS,
    )
    await academy.until_ready()


def placed(operations: list[Document], document: Document) -> list[Document]:
    """Return the operations with the place of the variable DATABASE_URL in them, which a path can't name."""
    if not any(DATABASE_URL in one["path"] for one in operations):
        return operations
    variables = document["spec"]["template"]["spec"]["containers"][0]["env"]
    place = [one["name"] for one in variables].index(DATABASE_URL)
    return [{**one, "path": one["path"].replace(DATABASE_URL, str(place))} for one in operations]


async def has_spec(platform: Platform, kind: str, name: str, spec: Document) -> bool:
    found = await platform.cluster.find(BY_NAME[kind], platform.namespace, name)
    return bool(found) and found["spec"] == spec


async def test_a_restart_by_hand_is_kept(academy: Platform) -> None:
    kind, restarted = BY_NAME["Deployment"], "kubectl.kubernetes.io/restartedAt"
    patch = {"spec": {"template": {"metadata": {"annotations": {restarted: "2026-01-01T00:00:00Z"}}}}}
    await academy.cluster.merge(kind, academy.namespace, "academy-user", patch)
    await academy.cluster.amend(kind, academy.namespace, "academy-user", [add("/spec/paused", True)])

    async def reverted() -> Document | None:
        found = await academy.cluster.find(kind, academy.namespace, "academy-user")
        return found if found and "paused" not in found["spec"] else None

    found = await eventually(reverted, what="the other edit to be reverted", timeout_seconds=RESTORE_SECONDS)
    assert found["spec"]["template"]["metadata"]["annotations"][restarted] == "2026-01-01T00:00:00Z"
    await academy.until_ready()


async def test_after_all_these_edits_the_steady_state_writes_nothing(
    academy: Platform, control_plane: ControlPlane
) -> None:
    await test_the_steady_state_writes_nothing(academy, control_plane)


async def test_a_field_that_the_spec_no_longer_sets_is_taken_out(academy: Platform) -> None:
    async def variables() -> list[str]:
        found = await academy.cluster.find(BY_NAME["Deployment"], academy.namespace, "academy-user")
        assert found
        return [one["name"] for one in found["spec"]["template"]["spec"]["containers"][0]["env"]]

    await academy.change(services={"user": {"env": {"EXTRA": "1"}}})
    await academy.until_ready()
    assert "EXTRA" in await variables()
    await academy.change(services={"user": {"env": None}})
    await academy.until_ready()
    assert "EXTRA" not in await variables()


async def test_a_secrets_missing_key_is_added_and_its_other_values_stay(academy: Platform) -> None:
    before = await academy.cluster.find(SECRET, academy.namespace, "academy-auth")
    assert before
    await academy.cluster.merge(SECRET, academy.namespace, "academy-auth", {"data": {"identity-key": None}})

    async def completed() -> Document | None:
        found = await academy.cluster.find(SECRET, academy.namespace, "academy-auth")
        return found if found and "identity-key" in found["data"] else None

    after = await eventually(completed, what="the key to come back")
    assert after["data"]["jwt-secret"] == before["data"]["jwt-secret"]
    assert after["data"]["identity-key"] != before["data"]["identity-key"]


@pytest.mark.parametrize(
    ("suffix", "key", "condition"),
    [
        ("admin", "password", "ServicesReady"),
        ("postgres", "password", "DatabasesReady"),
        ("mongodb", "root-password", "DatabasesReady"),
    ],
)
async def test_a_lost_value_that_the_data_was_initialised_with_is_told_and_never_replaced(
    academy: Platform, suffix: str, key: str, condition: str
) -> None:
    name = f"academy-{suffix}"
    before = await academy.cluster.find(SECRET, academy.namespace, name)
    assert before
    await academy.cluster.delete(SECRET, academy.namespace, name)

    async def told() -> bool:
        return (await academy.condition(condition)).get("reason") == "SecretLost"

    await eventually(told, what=f"{condition} to say SecretLost")
    assert name in (await academy.condition("Degraded"))["message"]
    assert await academy.cluster.find(SECRET, academy.namespace, name) is None
    metadata = {"name": name, "namespace": academy.namespace}
    restored = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {key: before["data"][key]}}
    await academy.cluster.create(SECRET, restored)
    await academy.until_ready()
    after = await academy.cluster.find(SECRET, academy.namespace, name)
    assert after
    assert after["data"] == before["data"], "what follows from the value is completed"


async def test_an_empty_volume_in_place_of_a_databases_is_told_and_nothing_is_done(academy: Platform) -> None:
    await academy.create("emptied", route={"host": "emptied.localhost"})
    await academy.until_ready("emptied")
    await academy.cluster.delete(VOLUME_CLAIM, academy.namespace, "data-emptied-postgres-0")

    async def told() -> bool:
        found = await academy.condition("Degraded", "emptied")
        return found.get("reason") == "DataMissing" and "data-emptied-postgres-0" in found["message"]

    await eventually(told, what="Degraded to say DataMissing")
    assert (await academy.condition("Ready", "emptied"))["status"] == "False"
    await academy.delete("emptied")
    await academy.until_gone("emptied")


async def test_a_database_that_is_away_keeps_nothing_else_from_being_repaired(
    academy: Platform, machinery: Machinery
) -> None:
    stateful_sets, deployments = BY_NAME["StatefulSet"], BY_NAME["Deployment"]
    machinery.held.add("datastores")
    away = {"status": {"readyReplicas": 0, "availableReplicas": 0}}
    await academy.cluster.merge(stateful_sets, academy.namespace, "academy-postgres", away, subresource="status")

    async def told() -> bool:
        return (await academy.condition("DatabasesReady")).get("status") == "False"

    await eventually(told, what="DatabasesReady to be False")
    assert (await academy.condition("SchemaMigrated"))["status"] == "True"
    await academy.cluster.delete(deployments, academy.namespace, "academy-user")

    async def restored() -> bool:
        return await academy.cluster.find(deployments, academy.namespace, "academy-user") is not None

    await eventually(restored, what="the Deployment to come back", timeout_seconds=RESTORE_SECONDS)
    machinery.held.clear()
    await academy.until_ready()


async def test_a_version_that_cannot_be_run_is_told_and_keeps_nothing_from_being_repaired(academy: Platform) -> None:
    await academy.change(version="9.9.9")

    async def told() -> bool:
        return (await academy.condition()).get("reason") == "VersionUnknown"

    await eventually(told, what="Ready to say VersionUnknown")
    assert (await academy.condition("ServicesReady"))["status"] == "True"
    assert (await academy.get())["status"]["version"] == "1.0.0"
    deployments = BY_NAME["Deployment"]
    await academy.cluster.delete(deployments, academy.namespace, "academy-user")

    async def restored() -> bool:
        return await academy.cluster.find(deployments, academy.namespace, "academy-user") is not None

    await eventually(restored, what="the Deployment to come back", timeout_seconds=RESTORE_SECONDS)
    await academy.change(version=None)
    await academy.until_ready()


async def test_while_paused_nothing_is_written_whatever_happens(academy: Platform, control_plane: ControlPlane) -> None:
    await academy.change(paused=True)

    async def paused() -> bool:
        return (await academy.condition("Paused")).get("status") == "True"

    await eventually(paused, what="Paused to be True")
    before = len(control_plane.operator_requests(WRITES))
    await academy.cluster.delete(BY_NAME["Ingress"], academy.namespace, "academy-gateway")
    scaled = {"spec": {"replicas": 3}}
    await academy.cluster.merge(BY_NAME["Deployment"], academy.namespace, "academy-user", scaled)
    await academy.cluster.delete(SECRET, academy.namespace, "academy-push")
    await asyncio.sleep(4)
    assert control_plane.operator_requests(WRITES)[before:] == []
    assert await academy.cluster.find(BY_NAME["Ingress"], academy.namespace, "academy-gateway") is None
    await academy.change(paused=False)
    await academy.until_ready()
    assert await academy.cluster.find(BY_NAME["Ingress"], academy.namespace, "academy-gateway")


async def test_replicas_under_an_autoscaler_are_left_to_it(academy: Platform) -> None:
    await academy.change(services={"user": {"autoscaling": {"minReplicas": 1, "maxReplicas": 5}}})
    await academy.until_ready()
    kind = BY_NAME["Deployment"]
    await academy.cluster.merge(kind, academy.namespace, "academy-user", {"spec": {"replicas": 4}})
    await asyncio.sleep(4)
    found = await academy.cluster.find(kind, academy.namespace, "academy-user")
    assert found
    assert found["spec"]["replicas"] == 4
    await academy.change(services={"user": {"autoscaling": None}})
    await academy.until_ready()


async def test_what_is_no_longer_rendered_is_removed(academy: Platform) -> None:
    autoscaler = BY_NAME["HorizontalPodAutoscaler"]
    await academy.change(services={"user": {"autoscaling": {"minReplicas": 1, "maxReplicas": 5}}})
    await academy.until_ready()
    assert await academy.cluster.find(autoscaler, academy.namespace, "academy-user")
    await academy.change(services={"user": {"autoscaling": None}})

    async def removed() -> bool:
        return await academy.cluster.find(autoscaler, academy.namespace, "academy-user") is None

    await eventually(removed, what="the autoscaler to be removed")


async def test_a_job_of_an_earlier_rollout_is_removed_once_the_new_one_is_ready(academy: Platform) -> None:
    async def jobs() -> set[str]:
        return {one["metadata"]["name"] for one in await academy.children() if one["kind"] == "Job"}

    before = await jobs()
    await academy.change(images={"user": "registry.example/user-service:2"})
    await academy.until_ready()

    async def replaced() -> bool:
        now = await jobs()
        return len(now) == len(before) and now != before

    await eventually(replaced, what="the earlier Jobs to be removed")
