"""Backups and restores as the operator brings them about; what their Jobs do is tested in `backup/`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from shared.testing.controlplane import ControlPlane
from smartcourse_operator.adapters.cluster import ApiError
from smartcourse_operator.core import names
from smartcourse_operator.core.objects import (
    BACKUP,
    DEPLOYMENT,
    EVENT,
    JOB,
    RESTORE,
    SECRET,
    SMART_COURSE,
    VOLUME_CLAIM,
    Document,
    Kind,
    labels,
)

from .conftest import MakeOperator, Runner
from .world import Machinery, Platform, eventually

ROOT = Path(__file__).resolve().parents[3]
BUCKET = {"endpoint": "https://s3.example.org", "bucket": "backups", "secretName": "bucket"}


async def make(platform: Platform, kind: Kind, name: str, **spec: Any) -> Document:
    metadata = {"name": name, "namespace": platform.namespace}
    document = {"apiVersion": names.API_VERSION, "kind": kind.kind, "metadata": metadata, "spec": spec}
    return await platform.cluster.create(kind, document)


async def until(platform: Platform, kind: Kind, name: str, phase: str) -> Document:
    async def reached() -> Document | None:
        found = await platform.cluster.find(kind, platform.namespace, name)
        is_there = ((found or {}).get("status") or {}).get("phase") == phase
        return found if is_there else None

    return await eventually(reached, what=f"{kind.kind} {name} to be {phase}", timeout_seconds=120)


async def backed_up(platform: Platform, name: str = "first") -> Document:
    await make(platform, BACKUP, name, smartCourse="academy")
    return await until(platform, BACKUP, name, "Completed")


async def test_a_backup_by_hand_is_taken_and_told(platform: Platform, operator: Runner) -> None:
    await platform.create(backup={})
    await platform.until_ready()
    status = (await backed_up(platform))["status"]
    assert status["postgres"]["entries"] == 3
    assert (status["sizeBytes"], status["isVerified"], len(status["snapshot"])) == (1234, True, 64)
    assert status["repository"] == {"claimName": "academy-backup", "encryptionSecretName": "academy-backup"}
    claim = await platform.cluster.find(VOLUME_CLAIM, platform.namespace, "academy-backup")
    assert claim
    assert "ownerReferences" not in claim["metadata"]
    secret = await platform.cluster.find(SECRET, platform.namespace, "academy-backup")
    assert secret
    assert len(secret["data"]["password"]) > 40

    async def told() -> Document | None:
        found = (await platform.get())["status"].get("backup") or {}
        return found if found.get("lastName") == "first" else None

    assert (await eventually(told, what="the SmartCourse to tell of it"))["lastCompletedAt"] == status["takenAt"]
    condition = await platform.condition("BackedUp")
    assert (condition["status"], condition["reason"]) == ("True", "BackedUp")


async def test_a_backup_waits_for_what_it_needs_and_says_so(platform: Platform, operator: Runner) -> None:
    await make(platform, BACKUP, "early", smartCourse="academy")

    async def message() -> str:
        found = await platform.cluster.find(BACKUP, platform.namespace, "early")
        return str(((found or {}).get("status") or {}).get("message"))

    async def says(text: str) -> bool:
        return text in await message()

    await eventually(lambda: says("there is no SmartCourse academy here"), what="the first message")
    await platform.create()
    await platform.until_ready()
    await eventually(lambda: says("spec.backup of SmartCourse academy is not set"), what="the second message")
    await platform.change(backup={})
    await until(platform, BACKUP, "early", "Completed")


async def test_a_scheduled_backup_that_was_missed_is_made_once(platform: Platform, make_operator: MakeOperator) -> None:
    first = make_operator()
    first.start()
    await platform.create(backup={"schedule": "* * * * *", "keep": 2})
    await platform.until_ready()
    await first.stop()
    since = (datetime.now(UTC) - timedelta(minutes=7)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for old in await platform.cluster.select(BACKUP, platform.namespace, ""):
        await platform.cluster.delete(BACKUP, platform.namespace, old["metadata"]["name"])
    patch = {"status": {"backup": {"scheduledUntil": since}}}
    await platform.cluster.merge(SMART_COURSE, platform.namespace, "academy", patch, subresource="status")
    second = make_operator()
    second.start()

    async def made() -> list[Document]:
        found = await platform.cluster.select(BACKUP, platform.namespace, names.LABEL_SCHEDULED)
        return [one for one in found if (one.get("status") or {}).get("phase") == "Completed"]

    found = await eventually(made, what="a scheduled backup", timeout_seconds=120)
    assert len(found) == 1, "seven moments were missed, one backup is made"
    assert found[0]["metadata"]["name"].startswith("academy-20")


async def test_scheduled_backups_beyond_those_kept_go_and_those_by_hand_stay(
    platform: Platform, operator: Runner
) -> None:
    await platform.create(backup={"schedule": "0 3 1 1 *", "keep": 2})
    await platform.until_ready()
    await backed_up(platform, "by-hand")
    for number in range(4):
        await make(platform, BACKUP, f"s{number}", smartCourse="academy")
        await until(platform, BACKUP, f"s{number}", "Completed")
        await asyncio.sleep(1)  # created in another second
        marks = {"metadata": {"labels": {names.LABEL_SCHEDULED: "true"}}}
        await platform.cluster.merge(BACKUP, platform.namespace, f"s{number}", marks)

    async def left() -> bool:
        found = await platform.cluster.select(BACKUP, platform.namespace, "")
        return {one["metadata"]["name"] for one in found} == {"by-hand", "s2", "s3"}

    await eventually(left, what="two scheduled backups and the one by hand to be left")


async def test_a_failing_backup_is_told_and_the_last_good_one_stays(
    platform: Platform, operator: Runner, machinery: Machinery
) -> None:
    await platform.create(backup={"schedule": "0 3 1 1 *", "keep": 1})
    await platform.until_ready()
    good = await backed_up(platform)
    machinery.failing.add("second")
    machinery.told["backup"] = {"error": "RepositoryError: no space left on device"}
    await make(platform, BACKUP, "second", smartCourse="academy")
    failed = await until(platform, BACKUP, "second", "Failed")
    assert failed["status"]["message"] == "RepositoryError: no space left on device"

    async def is_told() -> Document | None:
        condition = await platform.condition("BackedUp")
        return condition if condition.get("reason") == "BackupFailed" else None

    condition = await eventually(is_told, what="the condition BackedUp to tell of it")
    assert condition["status"] == "False"
    assert "the last good one is first" in condition["message"]
    assert (await platform.condition())["status"] == "True", "the platform serves all the same"
    events = await platform.cluster.select(EVENT, platform.namespace, "")
    assert {"Failed", "BackupFailed"} <= {event["reason"] for event in events if event["type"] == "Warning"}
    marks = {"namespace": platform.namespace, "name": "academy"}
    assert REGISTRY.get_sample_value("smartcourse_backup_failing", marks) == 1
    taken = datetime.fromisoformat(good["status"]["takenAt"]).timestamp()
    assert REGISTRY.get_sample_value("smartcourse_backup_taken_timestamp_seconds", marks) == taken
    assert await platform.cluster.find(BACKUP, platform.namespace, "first")


async def test_backups_that_are_not_asked_for_any_more_are_not_told_of(platform: Platform, operator: Runner) -> None:
    await platform.create(backup={})
    await platform.until_ready()
    await backed_up(platform)
    marks = {"namespace": platform.namespace, "name": "academy"}

    def measured() -> float | None:
        return REGISTRY.get_sample_value("smartcourse_backup_taken_timestamp_seconds", marks)

    async def is_told() -> bool:
        return measured() is not None

    async def is_forgotten() -> bool:
        status = (await platform.get())["status"]
        return measured() is None and "backup" not in status and not await platform.condition("BackedUp")

    await eventually(is_told, what="the backup's age to be measured")
    await platform.change(backup=None)
    await eventually(is_forgotten, what="it to be forgotten")
    assert await platform.cluster.find(BACKUP, platform.namespace, "first"), "what was made stays"


async def test_a_release_without_an_image_for_backups_is_told(
    platform: Platform, make_operator: MakeOperator, tmp_path: Path
) -> None:
    release = yaml.safe_load((ROOT / "manifests" / "releases" / "1.0.0.yaml").read_text(encoding="utf-8"))
    del release["images"]["backup"]
    (tmp_path / "1.0.0.yaml").write_text(yaml.safe_dump(release), encoding="utf-8")
    make_operator(releases=tmp_path).start()
    await platform.create(backup={})
    await platform.until_ready()
    await make(platform, BACKUP, "first", smartCourse="academy")
    found = await until(platform, BACKUP, "first", "Pending")
    assert "set spec.images.backup" in found["status"]["message"]
    await platform.change(images={"backup": "example.org/backup:1"})
    await until(platform, BACKUP, "first", "Completed")


async def test_backups_into_one_repository_are_made_one_after_the_other(
    platform: Platform, operator: Runner, machinery: Machinery
) -> None:
    await platform.create(backup={})
    await platform.until_ready()
    machinery.held.add("backup")
    for name in ("one", "two"):
        await make(platform, BACKUP, name, smartCourse="academy")

    async def one_waits() -> bool:
        found = await platform.cluster.select(BACKUP, platform.namespace, "")
        return sorted((one.get("status") or {}).get("phase", "") for one in found) == ["Pending", "Running"]

    await eventually(one_waits, what="one backup to wait for the other")
    await asyncio.sleep(2)
    assert len(await platform.cluster.select(JOB, platform.namespace, names.LABEL_TASK)) == 1
    machinery.held.clear()
    for name in ("one", "two"):
        await until(platform, BACKUP, name, "Completed")


async def pods_wanted(platform: Platform) -> set[int]:
    found = await platform.cluster.select(DEPLOYMENT, platform.namespace, names.instance_selector("academy"))
    return {one["spec"]["replicas"] for one in found}


async def test_a_restore_stops_the_services_replaces_the_data_and_starts_them_again(
    platform: Platform, operator: Runner, machinery: Machinery
) -> None:
    await platform.create(backup={}, services={"course": {"replicas": 2}})
    before = await platform.until_ready()
    backup = await backed_up(platform)
    machinery.held.add("restore")
    await make(platform, RESTORE, "back", smartCourse="academy", backup="first")
    await until(platform, RESTORE, "back", "Restoring")
    assert await pods_wanted(platform) == {0}
    job = await platform.cluster.find(JOB, platform.namespace, "back-restore")
    assert job
    environment = {one["name"]: one.get("value") for one in job["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert environment["SNAPSHOT"] == backup["status"]["snapshot"]
    condition = await platform.condition()
    assert (condition["status"], condition["reason"]) == ("False", "Restoring")
    assert (await platform.condition("Degraded"))["status"] == "False", "somebody asked for it"
    machinery.held.clear()
    restored = (await until(platform, RESTORE, "back", "Completed"))["status"]
    assert restored["snapshot"] == backup["status"]["snapshot"]
    after = await platform.until_ready()
    assert await pods_wanted(platform) == {1, 2}
    old, new = (set(one["status"]["completedJobs"]) for one in (before, after))
    assert {job for job in old & new if "migrate" in job} == set(), "migrations ran anew"
    assert {job for job in old if "seed" in job} <= new, "seeds did not"


async def test_a_restore_into_a_new_resource_finds_the_backup_of_one_that_is_gone(
    platform: Platform, operator: Runner
) -> None:
    await platform.create(backup={})
    await platform.until_ready()
    await backed_up(platform)
    await platform.delete()
    await platform.until_gone()
    assert await platform.cluster.find(BACKUP, platform.namespace, "first"), "Retain keeps backups"
    await make(platform, RESTORE, "back", smartCourse="second", backup="first")
    await platform.create("second")
    await until(platform, RESTORE, "back", "Completed")
    job = await platform.cluster.find(JOB, platform.namespace, "back-restore")
    assert job
    pod = job["spec"]["template"]["spec"]
    assert {"name": "repository", "persistentVolumeClaim": {"claimName": "academy-backup"}} in pod["volumes"]
    keys = {
        one["name"]: one["valueFrom"]["secretKeyRef"]["name"]
        for one in pod["containers"][0]["env"]
        if "valueFrom" in one
    }
    assert (keys["RESTIC_PASSWORD"], keys["POSTGRES_ADMIN_URL"]) == ("academy-backup", "second-postgres")
    assert pod["serviceAccountName"] == "second-backup"


@pytest.mark.parametrize("why", ["broken", "failed backup", "no backup", "newer release"])
async def test_a_restore_that_cannot_be_is_refused_before_anything_is_touched(
    platform: Platform, operator: Runner, machinery: Machinery, why: str
) -> None:
    await platform.create(backup={})
    await platform.until_ready()
    if why == "failed backup":
        machinery.failing.add("first")
        await make(platform, BACKUP, "first", smartCourse="academy")
        await until(platform, BACKUP, "first", "Failed")
    elif why != "no backup":
        await backed_up(platform)
    if why == "newer release":
        patch = {"status": {"release": "9.0.0"}}
        await platform.cluster.merge(BACKUP, platform.namespace, "first", patch, subresource="status")
    if why == "broken":
        machinery.failing.add("back-check")
        machinery.told["check"] = {"error": "postgres.dump is damaged", "isBroken": True}
    await make(platform, RESTORE, "back", smartCourse="academy", backup="first")
    refused = await until(platform, RESTORE, "back", "Refused")
    expected = {"broken": "postgres.dump is damaged", "failed backup": "only a completed one",
                "no backup": "there is no SmartCourseBackup first", "newer release": "upgrade it first"}  # fmt: skip
    assert expected[why] in refused["status"]["message"]
    assert await pods_wanted(platform) == {1}
    assert "restoring" not in (await platform.get())["status"]
    assert await platform.cluster.find(JOB, platform.namespace, "back-restore") is None


async def test_a_restore_that_fails_starts_the_services_again(
    platform: Platform, operator: Runner, machinery: Machinery
) -> None:
    await platform.create(backup={})
    await platform.until_ready()
    await backed_up(platform)
    machinery.failing.add("back-restore")
    machinery.told["restore"] = {"error": "PostgresError: disk full"}
    await make(platform, RESTORE, "back", smartCourse="academy", backup="first")
    assert "disk full" in (await until(platform, RESTORE, "back", "Failed"))["status"]["message"]
    await platform.until_ready()
    assert await pods_wanted(platform) == {1}


async def test_a_restore_that_is_deleted_halfway_leaves_nothing_stopped(
    platform: Platform, operator: Runner, machinery: Machinery
) -> None:
    await platform.create(backup={})
    await platform.until_ready()
    await backed_up(platform)
    machinery.held.add("restore")
    await make(platform, RESTORE, "back", smartCourse="academy", backup="first")
    await until(platform, RESTORE, "back", "Restoring")
    await platform.cluster.delete(RESTORE, platform.namespace, "back")
    await platform.until_ready()
    assert await pods_wanted(platform) == {1}


async def test_deleting_with_delete_takes_the_backups_too(platform: Platform, operator: Runner) -> None:
    await platform.create(backup={}, deletionPolicy="Delete")
    await platform.until_ready()
    await backed_up(platform)
    await platform.delete()
    await platform.until_gone()
    assert await platform.cluster.select(BACKUP, platform.namespace, "") == []
    assert await platform.cluster.find(SECRET, platform.namespace, "academy-backup") is None

    async def is_going() -> bool:
        claim = await platform.cluster.find(VOLUME_CLAIM, platform.namespace, "academy-backup")
        return claim is None or bool(claim["metadata"].get("deletionTimestamp"))

    await eventually(is_going, what="the backups' volume to go")


async def test_a_new_resource_of_the_same_name_adopts_the_backups(platform: Platform, operator: Runner) -> None:
    await platform.create(backup={})
    await platform.until_ready()
    await backed_up(platform)
    secret = await platform.cluster.find(SECRET, platform.namespace, "academy-backup")
    await platform.delete()
    await platform.until_gone()
    await platform.create(backup={})
    await platform.until_ready()
    again = await platform.cluster.find(SECRET, platform.namespace, "academy-backup")
    assert secret
    assert again
    assert again["data"] == secret["data"]
    assert (await platform.get())["status"]["backup"]["lastName"] == "first"


async def test_backups_that_have_ended_cost_no_write(
    platform: Platform, operator: Runner, control_plane: ControlPlane
) -> None:
    await platform.create(backup={"schedule": "0 3 1 1 *"})
    await platform.until_ready()
    await backed_up(platform)
    await make(platform, RESTORE, "back", smartCourse="academy", backup="first")
    await until(platform, RESTORE, "back", "Completed")
    await platform.until_ready()
    await asyncio.sleep(1)
    writes = {"create", "update", "patch", "delete"}
    before = writes_in(control_plane.operator_requests(writes), platform)
    await asyncio.sleep(5)
    assert writes_in(control_plane.operator_requests(writes), platform) == before


def writes_in(requests: list[str], platform: Platform) -> list[str]:
    return [one for one in requests if platform.namespace in one]


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"schedule": "every day"}, "spec.backup.schedule"),
        ({"keep": 0}, "spec.backup.keep"),
        ({"destination": {"s3": BUCKET, "volume": {}}}, "volume or s3, not both"),
        ({"destination": {"s3": {"bucket": "b"}}}, "spec.backup.destination.s3"),
        ({"destination": {"volume": {"size": "much"}}}, "spec.backup.destination.volume.size"),
    ],
)
async def test_an_invalid_backup_is_refused_with_the_fields_name(
    platform: Platform, spec: dict[str, Any], text: str
) -> None:
    with pytest.raises(ApiError, match=text) as refused:
        await platform.create("invalid", backup=spec)
    assert refused.value.status == 422


@pytest.mark.parametrize(
    ("kind", "spec", "text"),
    [
        (BACKUP, {}, "smartCourse"),
        (RESTORE, {"smartCourse": "a"}, "name a backup, or a snapshot and its repository"),
        (RESTORE, {"smartCourse": "a", "snapshot": "0" * 64}, "belong together"),
        (RESTORE, {"smartCourse": "a", "snapshot": "x", "repository": {"claimName": "c", "encryptionSecretName": "s"}},
         "spec.snapshot"),
        (RESTORE, {"smartCourse": "a", "snapshot": "0" * 64,
                   "repository": {"encryptionSecretName": "s", "s3": BUCKET}}, "prefix is required"),
        (RESTORE, {"smartCourse": "a", "snapshot": "0" * 64, "repository": {"encryptionSecretName": "s"}},
         "claimName or s3"),
    ],
)  # fmt: skip
async def test_an_invalid_task_is_refused(platform: Platform, kind: Kind, spec: dict[str, Any], text: str) -> None:
    with pytest.raises(ApiError, match=text):
        await make(platform, kind, "invalid", **spec)


async def test_what_was_asked_for_cannot_be_changed(platform: Platform) -> None:
    await make(platform, BACKUP, "fixed", smartCourse="academy")
    with pytest.raises(ApiError, match="make another SmartCourseBackup"):
        await platform.cluster.merge(BACKUP, platform.namespace, "fixed", {"spec": {"smartCourse": "other"}})
    assert labels(await make(platform, BACKUP, "plain", smartCourse="academy")) == {}
