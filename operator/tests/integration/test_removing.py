"""Deleting a SmartCourse, and making it again."""

from __future__ import annotations

from smartcourse_operator.core import names
from smartcourse_operator.core.objects import SECRET, VOLUME_CLAIM

from .conftest import Runner
from .world import Machinery, Platform


async def volumes(platform: Platform) -> dict[str, str]:
    found = await platform.cluster.select(VOLUME_CLAIM, platform.namespace, names.instance_selector("academy"))
    return {claim["metadata"]["name"]: claim["metadata"]["uid"] for claim in found}


async def secrets(platform: Platform) -> dict[str, dict[str, str]]:
    found = await platform.cluster.select(SECRET, platform.namespace, "")
    return {secret["metadata"]["name"]: secret["data"] for secret in found}


async def test_deleting_removes_what_runs_keeps_the_data_and_a_new_one_adopts_it(
    platform: Platform, operator: Runner
) -> None:
    await platform.create()
    await platform.until_ready()
    kept_volumes, kept_secrets = await volumes(platform), await secrets(platform)
    assert kept_volumes
    assert kept_secrets
    await platform.delete()
    await platform.until_gone()
    assert await platform.children() == []
    assert (await volumes(platform), await secrets(platform)) == (kept_volumes, kept_secrets)
    await platform.create()
    await platform.until_ready()
    assert (await volumes(platform), await secrets(platform)) == (kept_volumes, kept_secrets)


async def test_the_policy_delete_takes_the_data_too_but_not_what_people_made(
    platform: Platform, operator: Runner
) -> None:
    document = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "mine", "namespace": platform.namespace},
        "stringData": {"key": "value"},
    }
    await platform.cluster.create(SECRET, document)
    await platform.create(deletionPolicy="Delete")
    await platform.until_ready()
    await platform.delete()
    await platform.until_gone()
    assert await volumes(platform) == {}
    assert set(await secrets(platform)) == {"mine"}


async def test_deleting_at_once_and_deleting_while_creating_leave_nothing_running(
    platform: Platform, operator: Runner, machinery: Machinery
) -> None:
    await platform.create()
    await platform.delete()
    await platform.delete()
    await platform.until_gone()
    machinery.held.add("datastores")
    await platform.create()
    await platform.delete()
    await platform.until_gone()
    assert await platform.children() == []
    machinery.held.clear()
    await platform.create()
    await platform.until_ready()
