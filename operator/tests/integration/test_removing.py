"""Deleting a SmartCourse, and making it again."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator

import pytest

from shared.testing.controlplane import ControlPlane
from smartcourse_operator.adapters.cluster import ApiError
from smartcourse_operator.core import names
from smartcourse_operator.core.objects import SECRET, VOLUME_CLAIM, Document

from .conftest import Runner
from .world import Machinery, Platform, eventually

DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/smartcourses.smartcourse.io"
UNREADABLE = {"route": {"kind": "Pigeon"}}


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


def define(plane: ControlPlane, schema: Document) -> None:
    """Put `schema` in the place of what the definition says of a SmartCourse."""
    found = plane.request("GET", DEFINITION).json()
    found["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = schema
    plane.request("PUT", DEFINITION, json=found).raise_for_status()


async def accepts_the_unreadable(platform: Platform) -> bool:
    try:
        await platform.change("plain", **UNREADABLE)
    except ApiError as error:
        if error.status != 422:
            raise
        return False
    return True


@pytest.fixture
async def lenient_definition(platform: Platform, control_plane: ControlPlane) -> AsyncIterator[None]:
    """A definition that lets any spec pass, as one of another version might."""
    definition = control_plane.request("GET", DEFINITION).json()
    strict = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    lenient = copy.deepcopy(strict)
    lenient["properties"]["spec"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    del lenient["x-kubernetes-validations"]  # some are about fields of the spec
    await platform.create("plain", paused=True)
    try:
        define(control_plane, lenient)
        await eventually(lambda: accepts_the_unreadable(platform), what="the definition to let any spec pass")
        yield
    finally:
        define(control_plane, strict)

        async def refuses() -> bool:
            return not await accepts_the_unreadable(platform)

        await platform.drop()
        await platform.create("plain", paused=True)
        await eventually(refuses, what="the definition to be strict again")


async def test_a_resource_whose_spec_cannot_be_read_is_taken_away_all_the_same(
    platform: Platform, operator: Runner, lenient_definition: None
) -> None:
    await platform.create()
    await platform.until_ready()
    await platform.change(**UNREADABLE)
    await platform.delete()
    await platform.until_gone()
    assert await platform.children() == []
    assert await volumes(platform), "a spec that can't be read deletes no data"
