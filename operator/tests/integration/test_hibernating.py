"""A platform put to sleep and woken, on a real API server."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.testing.controlplane import ControlPlane
from smartcourse_operator.core import names
from smartcourse_operator.core.objects import (
    AUTOSCALER,
    BACKUP,
    DEPLOYMENT,
    EVENT,
    INGRESS,
    JOB,
    POD,
    RESTORE,
    SECRET,
    SMART_COURSE,
    STATEFUL_SET,
    VOLUME_CLAIM,
    Document,
    Kind,
)

from .conftest import Runner
from .test_backing_up import backed_up, make, until, writes_in
from .world import Machinery, Platform, eventually

AUTOSCALING = {"course": {"autoscaling": {"minReplicas": 2, "maxReplicas": 5}}}


async def until_asleep(platform: Platform) -> Document:
    return await platform.until(lambda status: status.get("phase") == "hibernated", "hibernated")


async def wanted(platform: Platform, kind: Kind) -> set[int]:
    found = await platform.cluster.select(kind, platform.namespace, names.instance_selector("academy"))
    return {one["spec"]["replicas"] for one in found}


async def contents(platform: Platform, kind: Kind) -> dict[str, Any]:
    found = await platform.cluster.select(kind, platform.namespace, names.instance_selector("academy"))
    return {one["metadata"]["name"]: (one["metadata"]["uid"], one.get("data")) for one in found}


async def start_pod(platform: Platform, component: str, part_of: str = names.PART_OF) -> None:
    marks = {names.LABEL_INSTANCE: "academy", names.LABEL_COMPONENT: component, names.LABEL_PART_OF: part_of}
    metadata = {"name": f"academy-{component}-1", "namespace": platform.namespace, "labels": marks}
    spec = {"containers": [{"name": component, "image": "i"}]}
    await platform.cluster.create(POD, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})


async def until_it_waits_for(platform: Platform, text: str) -> None:
    async def told() -> bool:
        found = await platform.condition()
        return found.get("reason") == "Hibernated" and f"waits for {text}" in found["message"]

    await eventually(told, what=f"Ready to say that it waits for {text}")


async def test_what_sleeps_runs_nothing_and_keeps_its_data_and_wakes_without_running_a_job_again(
    platform: Platform, operator: Runner
) -> None:
    await platform.create(services=AUTOSCALING)
    before = await platform.until_ready()
    kept = [await contents(platform, kind) for kind in (VOLUME_CLAIM, SECRET, INGRESS)]
    await platform.change(hibernated=True)
    status = (await until_asleep(platform))["status"]
    assert await wanted(platform, DEPLOYMENT) == await wanted(platform, STATEFUL_SET) == {0}
    assert await contents(platform, AUTOSCALER) == await contents(platform, JOB) == {}
    assert [await contents(platform, kind) for kind in (VOLUME_CLAIM, SECRET, INGRESS)] == kept
    told = {one["type"]: (one["status"], one["reason"]) for one in status["conditions"]}
    assert told["Ready"] == told["DatabasesReady"] == told["ServicesReady"] == ("False", "Hibernated")
    assert told["Hibernated"] == ("True", "Hibernated")
    assert (told["SchemaMigrated"][0], told["RouteReady"][0], told["Degraded"][0]) == ("True", "True", "False")
    assert "its data is kept; `kubectl smartcourse wake academy`" in (await platform.condition())["message"]
    events = await platform.cluster.select(EVENT, platform.namespace, "")
    assert [one["type"] for one in events if one["reason"] == "Hibernated"]
    assert not [one for one in events if one["reason"] == "Hibernated" and one["type"] == "Warning"]
    await platform.change(hibernated=False)
    after = await platform.until_ready()
    assert await contents(platform, JOB) == {}, "neither migrations nor seeds ran anew"
    assert after["status"]["completedJobs"] == before["status"]["completedJobs"]
    assert after["status"]["volumes"] == before["status"]["volumes"]
    assert await contents(platform, AUTOSCALER)
    assert await wanted(platform, STATEFUL_SET) == {1}
    assert 0 not in await wanted(platform, DEPLOYMENT)
    assert await platform.condition("Hibernated") == {}


async def test_databases_are_stopped_when_nothing_uses_them_any_more(
    platform: Platform, operator: Runner, machinery: Machinery
) -> None:
    await platform.create(backup={})
    await platform.until_ready()
    machinery.held.add("backup")
    await make(platform, BACKUP, "first", smartCourse="academy")
    await until(platform, BACKUP, "first", "Running")
    for component in ("course", "postgres"):
        await start_pod(platform, component)
    await start_pod(platform, "stranger", part_of="another-program")
    await platform.change(hibernated=True)
    await until_it_waits_for(platform, "first-backup, academy-course-1")
    assert await wanted(platform, DEPLOYMENT) == {0}
    assert await wanted(platform, STATEFUL_SET) == {1}
    machinery.held.clear()
    await until_it_waits_for(platform, "academy-course-1")
    await asyncio.sleep(1)
    assert await wanted(platform, STATEFUL_SET) == {1}
    await platform.cluster.delete(POD, platform.namespace, "academy-course-1")
    await until_it_waits_for(platform, "academy-postgres-1")
    assert await wanted(platform, STATEFUL_SET) == {0}
    assert (await platform.condition("Hibernated"))["status"] == "False"
    await platform.cluster.delete(POD, platform.namespace, "academy-postgres-1")
    await until_asleep(platform)


async def test_what_sleeps_costs_no_write(platform: Platform, operator: Runner, control_plane: ControlPlane) -> None:
    await platform.create(backup={"schedule": "* * * * *"}, hibernated=True)
    await until_asleep(platform)
    await asyncio.sleep(1)
    writes = {"create", "update", "patch", "delete"}
    before = writes_in(control_plane.operator_requests(writes), platform)
    await asyncio.sleep(5)
    assert writes_in(control_plane.operator_requests(writes), platform) == before


async def test_a_new_one_that_is_hibernated_sets_nothing_up_until_it_wakes(
    platform: Platform, operator: Runner
) -> None:
    await platform.create(hibernated=True)
    status = (await until_asleep(platform))["status"]
    assert "it was not set up yet" in (await platform.condition())["message"]
    assert {"volumes", "completedJobs"} & {key for key, value in status.items() if value} == set()
    assert await platform.condition("SchemaMigrated") == {}
    assert await wanted(platform, DEPLOYMENT) == await wanted(platform, STATEFUL_SET) == {0}
    assert await contents(platform, JOB) == {}
    await platform.change(hibernated=False)
    await platform.until_ready()
    assert (await platform.condition("SchemaMigrated"))["status"] == "True"


async def test_one_whose_migration_fails_can_be_hibernated_and_goes_on_when_it_wakes(
    platform: Platform, operator: Runner, machinery: Machinery
) -> None:
    machinery.failing.add("course-migrate")
    await platform.create()

    async def degraded() -> bool:
        return (await platform.condition("Degraded")).get("reason") == "JobFailed"

    await eventually(degraded, what="Degraded to say JobFailed")
    await platform.change(hibernated=True)
    await until_asleep(platform)
    assert (await platform.condition("Degraded"))["status"] == "False"
    machinery.failing.clear()
    await platform.change(hibernated=False)
    await platform.until_ready()


async def test_what_is_asked_for_while_it_sleeps_waits_says_so_and_is_done_when_it_wakes(
    platform: Platform, operator: Runner
) -> None:
    await platform.create(backup={"schedule": "0 3 1 1 *"})
    await platform.until_ready()
    await backed_up(platform)
    await platform.change(hibernated=True)
    await until_asleep(platform)
    since = (datetime.now(UTC) - timedelta(days=800)).strftime("%Y-%m-%dT%H:%M:%SZ")
    patch: Document = {"status": {"backup": {"scheduledUntil": since}}}
    await platform.cluster.merge(SMART_COURSE, platform.namespace, "academy", patch, subresource="status")
    await platform.cluster.merge(
        SMART_COURSE, platform.namespace, "academy", {"metadata": {"annotations": {"smartcourse.io/rotate-jwt": "x"}}}
    )
    await make(platform, BACKUP, "second", smartCourse="academy")
    await make(platform, RESTORE, "back", smartCourse="academy", backup="first")
    for kind, name in ((BACKUP, "second"), (RESTORE, "back")):
        found = await until(platform, kind, name, "Pending")
        assert "is hibernated: `kubectl smartcourse wake academy` wakes it" in found["status"]["message"]

    async def rotation() -> str:
        (found,) = (await platform.get())["status"].get("rotations") or [{}]
        return str(found.get("phase"))

    async def waits() -> bool:
        return await rotation() == "waiting"

    await eventually(waits, what="the rotation to wait")
    condition = await platform.condition("BackedUp")
    assert (condition["status"], condition["reason"]) == ("True", "Hibernated")
    assert "one that is due then is made when it wakes" in condition["message"]
    assert await wanted(platform, STATEFUL_SET) == {0}

    async def scheduled() -> list[Document]:
        return await platform.cluster.select(BACKUP, platform.namespace, names.LABEL_SCHEDULED)

    assert await scheduled() == []
    await platform.change(hibernated=False)
    await until(platform, BACKUP, "second", "Completed")
    await until(platform, RESTORE, "back", "Completed")
    (made,) = await scheduled()
    await until(platform, BACKUP, made["metadata"]["name"], "Completed")

    async def rotated() -> bool:
        return await rotation() == "retained"

    await eventually(rotated, what="the rotation to be done")


async def test_a_restore_that_is_at_work_ends_before_it_sleeps_and_is_completed_when_it_wakes(
    platform: Platform, operator: Runner, machinery: Machinery
) -> None:
    await platform.create(backup={})
    await platform.until_ready()
    await backed_up(platform)
    machinery.held.add("restore")
    await make(platform, RESTORE, "back", smartCourse="academy", backup="first")
    await until(platform, RESTORE, "back", "Restoring")
    await platform.change(hibernated=True)
    await asyncio.sleep(2)
    assert await wanted(platform, STATEFUL_SET) == {1}
    assert (await platform.condition())["reason"] == "Restoring"
    machinery.held.clear()
    await until_asleep(platform)

    async def told() -> bool:
        found = await platform.cluster.find(RESTORE, platform.namespace, "back")
        return "the data is restored" in str(found and found["status"].get("message"))

    await eventually(told, what="the restore to say so")
    await platform.change(hibernated=False)
    await until(platform, RESTORE, "back", "Completed")


@pytest.mark.usefixtures("operator")
async def test_a_release_that_is_asked_for_while_it_sleeps_is_taken_up_when_it_wakes(platform: Platform) -> None:
    await platform.create()
    await platform.until_ready()
    await platform.change(hibernated=True)
    await until_asleep(platform)
    await platform.change(version="9.9.9")
    await until_asleep(platform)
    assert (await platform.condition())["reason"] == "Hibernated"
    await platform.change(hibernated=False)

    async def refused() -> bool:
        return (await platform.condition()).get("reason") == "VersionUnknown"

    await eventually(refused, what="Ready to say VersionUnknown")
