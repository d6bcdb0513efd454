"""Volumes that grow, on a real API server, and classes and drivers that don't let them."""

from __future__ import annotations

from typing import Any

import pytest

from shared.testing.controlplane import ControlPlane
from smartcourse_operator.adapters.cluster import ApiError
from smartcourse_operator.core import names
from smartcourse_operator.core.objects import BACKUP, RESTORE, STATEFUL_SET, VOLUME_CLAIM, Document

from .conftest import Runner
from .test_backing_up import backed_up, make, until
from .test_hibernating import until_asleep
from .world import Machinery, Platform, eventually

CLAIMS = {
    "postgres": "data-academy-postgres-0",
    "mongodb": "data-academy-mongodb-0",
    "redis": "data-academy-redis-0",
    "backup": "academy-backup",
}
GROWN = {"postgres": "4Gi", "mongodb": "3Gi", "redis": "2Gi", "backup": "20Gi"}


def make_class(plane: ControlPlane, platform: Platform, *, is_expandable: bool) -> str:
    """Make a StorageClass of the platform's own and return its name."""
    document = {
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": platform.namespace},
        "provisioner": "csi.example.org", "allowVolumeExpansion": is_expandable,
    }  # fmt: skip
    plane.request("POST", "/apis/storage.k8s.io/v1/storageclasses", json=document).raise_for_status()
    return platform.namespace


def sizes(**by_store: str) -> dict[str, Any]:
    """Return the part of a spec that asks for the sizes of databases, and of the backups' volume."""
    databases = {store: {"size": size} for store, size in by_store.items() if store != "backup"}
    volume = {"destination": {"volume": {"size": by_store["backup"]}}} if "backup" in by_store else None
    return {**({"databases": databases} if databases else {}), **({"backup": volume} if volume else {})}


def of_class(storage_class: str) -> dict[str, Any]:
    given = {"storageClassName": storage_class}
    return {
        "databases": dict.fromkeys(names.DATASTORES, given),
        "backup": {"destination": {"volume": {**given, "size": "10Gi"}}},
    }


async def claim(platform: Platform, component: str) -> Document:
    found = await platform.cluster.find(VOLUME_CLAIM, platform.namespace, CLAIMS[component])
    assert found
    return found


async def asked(platform: Platform, component: str) -> str:
    found: str = (await claim(platform, component))["spec"]["resources"]["requests"]["storage"]
    return found


async def stateful_set(platform: Platform, component: str) -> Document:
    found = await platform.cluster.find(STATEFUL_SET, platform.namespace, f"academy-{component}")
    assert found
    return found


def template_size(found: Document) -> str:
    [template] = found["spec"]["volumeClaimTemplates"]
    size: str = template["spec"]["resources"]["requests"]["storage"]
    return size


def told(status: Document, component: str) -> Document:
    return next((one for one in status.get("storage") or () if one["component"] == component), {})


async def until_sized(platform: Platform, **by_component: str) -> Document:
    def holds(status: Document) -> bool:
        return all(
            told(status, component).get("size") == size and "wanted" not in told(status, component)
            for component, size in by_component.items()
        )

    return await platform.until(holds, f"of the sizes {by_component}", timeout_seconds=180)


async def until_short(platform: Platform, component: str, reason: str, words: str) -> Document:
    def holds(status: Document) -> bool:
        one = told(status, component)
        return one.get("reason") == reason and words in one.get("message", "")

    return await platform.until(holds, f"short of {component} for {reason}: {words}", timeout_seconds=180)


async def states(platform: Platform) -> dict[str, tuple[str, str]]:
    found = (await platform.get())["status"]["conditions"]
    return {one["type"]: (one["status"], one["reason"]) for one in found}


@pytest.fixture
async def roomy(platform: Platform, operator: Runner, control_plane: ControlPlane) -> Platform:
    """A Ready platform whose volumes may grow."""
    await platform.create(**of_class(make_class(control_plane, platform, is_expandable=True)))
    await platform.until_ready()
    return platform


@pytest.fixture
async def fixed(platform: Platform, operator: Runner, control_plane: ControlPlane) -> Platform:
    """A Ready platform whose volumes may not grow."""
    await platform.create(**of_class(make_class(control_plane, platform, is_expandable=False)))
    await platform.until_ready()
    return platform


async def fail(platform: Platform, component: str, kind: str, message: str) -> None:
    condition = {"type": kind, "status": "True", "message": message}
    await platform.cluster.merge(
        VOLUME_CLAIM, platform.namespace, CLAIMS[component], {"status": {"conditions": [condition]}},
        subresource="status",
    )  # fmt: skip


async def test_volumes_grow_while_the_platform_serves_and_nothing_is_replaced(roomy: Platform) -> None:
    await backed_up(roomy)  # the backups' claim is made for the first of them
    before = [await stateful_set(roomy, store) for store in names.DATASTORES]
    await roomy.change(**sizes(**GROWN))
    await until_sized(roomy, **GROWN)
    assert {component: await asked(roomy, component) for component in CLAIMS} == GROWN
    assert (await states(roomy))["Ready"][0] == "True"
    after = [await stateful_set(roomy, store) for store in names.DATASTORES]
    identity = [[(one["metadata"]["uid"], one["metadata"]["generation"]) for one in each] for each in (before, after)]
    assert identity[0] == identity[1]


async def test_a_growth_costs_one_write_a_volume_and_none_afterwards(
    roomy: Platform, control_plane: ControlPlane
) -> None:
    await roomy.change(**sizes(postgres="4Gi"))
    await until_sized(roomy, postgres="4Gi")
    of_claims = f"/namespaces/{roomy.namespace}/persistentvolumeclaims/"
    written = [one for one in control_plane.operator_requests({"patch", "update"}) if of_claims in one]
    assert len(written) == 1
    assert written[0].startswith(f"patch /api/v1{of_claims}{CLAIMS['postgres']}")


async def test_a_statefulset_that_is_deleted_after_a_growth_comes_back_with_the_grown_volume(roomy: Platform) -> None:
    await roomy.change(**sizes(postgres="4Gi"))
    await until_sized(roomy, postgres="4Gi")
    old = await stateful_set(roomy, "postgres")
    assert template_size(old) == "2Gi"
    await roomy.cluster.delete(STATEFUL_SET, roomy.namespace, "academy-postgres")

    async def came_back() -> Document | None:
        found = await roomy.cluster.find(STATEFUL_SET, roomy.namespace, "academy-postgres")
        return found if found and found["metadata"]["uid"] != old["metadata"]["uid"] else None

    assert template_size(await eventually(came_back, what="the StatefulSet to come back")) == "4Gi"
    await roomy.until_ready()
    await until_sized(roomy, postgres="4Gi")


async def test_a_claim_that_is_made_anew_of_the_old_template_grows_too(roomy: Platform) -> None:
    await roomy.change(**sizes(redis="3Gi"))
    await until_sized(roomy, redis="3Gi")
    uid = (await claim(roomy, "redis"))["metadata"]["uid"]
    await roomy.cluster.delete(VOLUME_CLAIM, roomy.namespace, CLAIMS["redis"])

    async def grown() -> bool:
        found = await roomy.cluster.find(VOLUME_CLAIM, roomy.namespace, CLAIMS["redis"])
        return bool(found and found["metadata"]["uid"] != uid and await asked(roomy, "redis") == "3Gi")

    await eventually(grown, what="the new claim to ask for 3Gi", timeout_seconds=180)


async def test_a_new_platform_has_the_size_from_the_start(platform: Platform, operator: Runner) -> None:
    await platform.create(**sizes(mongodb="5Gi"))
    await platform.until_ready()
    assert template_size(await stateful_set(platform, "mongodb")) == await asked(platform, "mongodb") == "5Gi"
    assert told((await until_sized(platform, mongodb="5Gi"))["status"], "mongodb") == {
        "claim": CLAIMS["mongodb"], "component": "mongodb", "size": "5Gi",
    }  # fmt: skip


async def test_a_platform_made_anew_on_kept_volumes_grows_them(roomy: Platform) -> None:
    await roomy.delete()
    await roomy.until_gone()
    wanted = of_class(roomy.namespace)
    wanted["databases"] |= {"postgres": {"size": "6Gi", "storageClassName": roomy.namespace}}
    await roomy.create(**wanted)
    await roomy.until_ready()
    await until_sized(roomy, postgres="6Gi", mongodb="2Gi")


async def test_a_hibernated_platforms_volumes_grow_as_it_sleeps(roomy: Platform) -> None:
    await roomy.change(hibernated=True)
    await until_asleep(roomy)
    await roomy.change(**sizes(postgres="4Gi"))
    await until_sized(roomy, postgres="4Gi")
    assert (await states(roomy))["Hibernated"][0] == "True"
    await roomy.change(hibernated=False)
    await roomy.until_ready()
    assert await asked(roomy, "postgres") == "4Gi"


async def test_volumes_grow_while_a_restore_is_at_work(roomy: Platform, machinery: Machinery) -> None:
    await backed_up(roomy)
    machinery.held.add("restore")
    await make(roomy, RESTORE, "back", smartCourse="academy", backup="first")
    await until(roomy, RESTORE, "back", "Restoring")
    await roomy.change(**sizes(postgres="4Gi"))
    await until_sized(roomy, postgres="4Gi")
    assert (await states(roomy))["Ready"] == ("False", "Restoring")
    machinery.held.clear()
    await until(roomy, RESTORE, "back", "Completed")
    await until(roomy, BACKUP, "first", "Completed")


async def test_a_growth_under_way_is_told_and_nothing_is_degraded(roomy: Platform, machinery: Machinery) -> None:
    machinery.held.add("resizing")
    await roomy.change(**sizes(mongodb="4Gi"))
    found = await until_short(roomy, "mongodb", "Growing", "has been asked")
    assert {key: told(found["status"], "mongodb")[key] for key in ("size", "wanted")} == {
        "size": "2Gi",
        "wanted": "4Gi",
    }
    await fail(roomy, "mongodb", "FileSystemResizePending", "waiting for the node")
    await until_short(roomy, "mongodb", "Growing", "its file system follows")
    found_states = await states(roomy)
    assert (found_states["Ready"][0], found_states["Degraded"][0]) == ("True", "False")
    machinery.held.clear()
    await until_sized(roomy, mongodb="4Gi")


async def test_a_class_that_cannot_grow_is_told_in_the_api_servers_words_and_the_size_can_be_taken_back(
    fixed: Platform,
) -> None:
    await fixed.change(**sizes(postgres="4Gi"))
    await until_short(
        fixed, "postgres", "VolumeNotGrown", "the storageclass that provisions the pvc must support resize"
    )
    found = await states(fixed)
    assert found["Degraded"] == ("True", "VolumeNotGrown")
    assert found["Ready"][0] == found["DatabasesReady"][0] == "True", "it serves"
    message = (await fixed.condition("Degraded"))["message"]
    assert "data-academy-postgres-0 has 2Gi, 4Gi is asked for" in message
    assert "docs/how-to/grow-a-volume.md" in message
    with pytest.raises(ApiError, match=r"spec\.databases\.postgres\.size cannot shrink"):
        await fixed.change(**sizes(postgres="1Gi"))
    await fixed.change(**sizes(postgres="2Gi"))
    await until_sized(fixed, postgres="2Gi")
    assert (await states(fixed))["Degraded"][0] == "False"
    assert await asked(fixed, "postgres") == "2Gi"


async def test_a_class_that_may_grow_from_now_on_is_noticed(fixed: Platform, control_plane: ControlPlane) -> None:
    await backed_up(fixed)
    await fixed.change(**sizes(backup="20Gi"))
    await until_short(fixed, "backup", "VolumeNotGrown", "must support resize")
    path = f"/apis/storage.k8s.io/v1/storageclasses/{fixed.namespace}"
    headers = {"Content-Type": "application/merge-patch+json"}
    allowed = control_plane.request("PATCH", path, json={"allowVolumeExpansion": True}, headers=headers)
    allowed.raise_for_status()
    await until_sized(fixed, backup="20Gi")
    assert (await states(fixed))["Degraded"][0] == "False"


async def test_a_driver_that_fails_is_told_and_less_can_be_asked_for(roomy: Platform, machinery: Machinery) -> None:
    machinery.held.add("resizing")
    await roomy.change(**sizes(postgres="900Gi"))
    await until_short(roomy, "postgres", "Growing", "has been asked")
    await fail(roomy, "postgres", "ControllerResizeError", "the pool has 40 GiB left")
    await until_short(roomy, "postgres", "VolumeNotGrown", "the pool has 40 GiB left")
    assert (await states(roomy))["Degraded"] == ("True", "VolumeNotGrown")
    await roomy.change(**sizes(postgres="3Gi"))

    async def less() -> bool:
        return await asked(roomy, "postgres") == "3Gi"

    await eventually(less, what="the claim to ask for 3Gi")
    machinery.held.clear()
    await until_sized(roomy, postgres="3Gi")
    assert (await states(roomy))["Degraded"][0] == "False"
