"""The operator comes and goes, and there may be two."""

from __future__ import annotations

import asyncio

from shared.testing.controlplane import NAMESPACED_USER, ControlPlane
from smartcourse_operator import rbac
from smartcourse_operator.core import names
from smartcourse_operator.core.objects import DEPLOYMENT, LEASE, Document

from .conftest import Gateways, MakeOperator, MakePlatform, operators
from .test_repairing import WRITES
from .world import Platform, eventually

SHORT_LEASE_SECONDS = 5
"""How soon an operator takes the Lease of one that was killed over; what it takes to renew it is another setting."""


def essence(children: list[Document]) -> set[tuple[str, str]]:
    """Return kinds and names, without the digests in Jobs' names: those hold the digests of random secrets."""
    return {
        (one["kind"], one["metadata"]["name"].rsplit("-", 1)[0] if one["kind"] == "Job" else one["metadata"]["name"])
        for one in children
    }


async def test_what_changed_while_the_operator_was_away_is_applied_on_its_return(
    make_operator: MakeOperator, platform: Platform
) -> None:
    await make_operator().install(platform)
    await platform.change(services={"course": {"replicas": 2}})
    make_operator().start()
    await platform.until_ready()
    found = await platform.cluster.find(DEPLOYMENT, platform.namespace, "academy-course")
    assert found
    assert found["spec"]["replicas"] == 2


async def test_an_edit_of_what_excludes_another_field_does_not_block_a_rollout(
    make_operator: MakeOperator, platform: Platform
) -> None:
    await make_operator().install(platform)
    path = "/spec/template/spec/volumes/0"
    edit: list[Document] = [
        {"op": "remove", "path": f"{path}/emptyDir"},
        {"op": "add", "path": f"{path}/hostPath", "value": {"path": "/"}},
    ]
    await platform.cluster.amend(DEPLOYMENT, platform.namespace, "academy-user", edit)
    await platform.change(services={"user": {"replicas": 2}})
    make_operator().start()
    await platform.until_ready()
    found = await platform.cluster.find(DEPLOYMENT, platform.namespace, "academy-user")
    assert found
    assert found["spec"]["replicas"] == 2
    assert "hostPath" not in found["spec"]["template"]["spec"]["volumes"][0]


async def test_a_new_operator_changes_nothing_where_nothing_is_to_be_done(
    make_operator: MakeOperator, platform: Platform, control_plane: ControlPlane
) -> None:
    first = make_operator()
    first.start()
    await platform.create()
    await platform.until_ready()
    await asyncio.sleep(1)
    await first.stop()
    before = len(control_plane.operator_requests(WRITES))
    make_operator().start()
    await asyncio.sleep(6)
    assert control_plane.operator_requests(WRITES)[before:] == []


async def holder(platform: Platform) -> str:
    lease = await platform.cluster.find(LEASE, "smartcourse-system", "smartcourse-operator")
    return str((lease or {}).get("spec", {}).get("holderIdentity", ""))


async def test_one_of_two_operators_works_and_the_other_takes_over(
    make_operator: MakeOperator, platform: Platform
) -> None:
    first, second = make_operator(), make_operator()
    first.start()

    async def first_leads() -> bool:
        return await holder(platform) == first.settings.identity

    await eventually(first_leads, what="the first to lead")
    second.start()
    await platform.create()
    await platform.until_ready()
    assert await first_leads()
    await first.kill()
    assert await first_leads(), "who is killed gives nothing up"

    async def second_leads() -> bool:
        return await holder(platform) == second.settings.identity

    await eventually(second_leads, what="the second to lead")
    await platform.change(services={"user": {"replicas": 2}})
    await platform.until_ready()


async def test_an_operator_that_lost_its_lease_ends_and_writes_nothing_more(
    make_operator: MakeOperator, platform: Platform, control_plane: ControlPlane
) -> None:
    runner = make_operator()
    runner.start()
    await platform.create()
    await platform.until_ready()
    lease = await platform.cluster.find(LEASE, "smartcourse-system", "smartcourse-operator")
    assert lease
    patch = {"spec": {"holderIdentity": "somebody-else", "leaseTransitions": 99}}
    await platform.cluster.merge(LEASE, "smartcourse-system", "smartcourse-operator", patch)
    await runner.until_ended()
    before = len(control_plane.operator_requests(WRITES))
    await platform.change(services={"user": {"replicas": 2}})
    await asyncio.sleep(2)
    assert control_plane.operator_requests(WRITES)[before:] == []
    release = {"spec": {"holderIdentity": ""}}
    await platform.cluster.merge(LEASE, "smartcourse-system", "smartcourse-operator", release)


async def test_an_operator_for_all_namespaces_serves_two(
    make_operator: MakeOperator, make_platform: MakePlatform
) -> None:
    one, other = make_platform(), make_platform()
    make_operator(watch_namespaces="").start()
    await one.create()
    await other.create(route={"host": "other.localhost"})
    await one.until_ready()
    await other.until_ready()


async def test_bindings_in_the_namespace_that_it_serves_are_enough(
    control_plane: ControlPlane, platform: Platform, gateways: Gateways
) -> None:
    """The chart's with `watchNamespaces`: no ClusterRoleBinding, and nothing of another namespace is asked for."""
    for kind, namespace in (("ClusterRole", platform.namespace), ("Role", names.OPERATOR_NAMESPACE)):
        binding = {
            **rbac.bound(kind, {"name": platform.namespace, "namespace": namespace}),
            "kind": "RoleBinding",
            "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": NAMESPACED_USER}],
        }
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings"
        control_plane.request("POST", path, json=binding).raise_for_status()
    async with operators(control_plane, platform.namespace, gateways, user="namespaced") as make:
        make().start()
        await platform.create()
        await platform.until_ready()
        await platform.delete()
        await platform.until_gone()
    assert await platform.children() == []
