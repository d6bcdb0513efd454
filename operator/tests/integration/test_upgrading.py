"""Going from release to release, and back, with a real API server and charts; the pods are the machinery's."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import yaml

from shared.testing.controlplane import ControlPlane
from smartcourse_operator.core.objects import BACKUP, DEPLOYMENT, JOB, Document

from .conftest import ROOT, MakeOperator, Runner
from .test_repairing import WRITES
from .world import Machinery, Platform, eventually

FIRST = ROOT / "manifests" / "releases" / "1.0.0.yaml"
WITH_CONTRACT = {"user": {"expand": "user_0098", "contract": "user_0099"}}
AT_ONCE = {"rollbackMinutes": 0}
NO_BACKUP = {"rollbackMinutes": 0, "backup": False}
PHASES = ["expanding", "rollingOut", "soaking", "backingUp", "contracting"]


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    """1.0.0 as it is committed; 1.1.0, which contracts the schema of user-service; 1.2.0, which contracts nothing."""
    first = yaml.safe_load(FIRST.read_text(encoding="utf-8"))
    directory = tmp_path / "releases"
    directory.mkdir()
    for version, before, schema in (("1.0.0", [], {}), ("1.1.0", ["1.0.0"], WITH_CONTRACT), ("1.2.0", ["1.1.0"], {})):
        images = {name: f"{reference}-of-{version}" for name, reference in first["images"].items()}
        made = {"version": version, "upgradeFrom": before, "images": images, "schema": schema}
        (directory / f"{version}.yaml").write_text(yaml.safe_dump(made), encoding="utf-8")
    return directory


@pytest.fixture
async def academy(platform: Platform, make_operator: MakeOperator, releases: Path) -> Platform:
    make_operator(releases=releases).start()
    await platform.create(version="1.0.0", backup={})
    await platform.until_ready()
    return platform


async def image(platform: Platform, component: str) -> str:
    found = await platform.cluster.find(DEPLOYMENT, platform.namespace, f"academy-{component}")
    assert found
    reference: str = found["spec"]["template"]["spec"]["containers"][0]["image"]
    return reference.rpartition("-of-")[2]


async def images(platform: Platform) -> set[str]:
    return {await image(platform, component) for component in ("user", "course", "notification", "gateway")}


async def jobs(platform: Platform, task: str) -> list[Document]:
    found = await platform.cluster.select(JOB, platform.namespace, "")
    return [job for job in found if f"-{task}" in job["metadata"]["name"]]


def upgrade(status: Document) -> Document:
    found: Document = status.get("upgrade") or {}
    return found


async def until_phase(platform: Platform, phase: str) -> Document:
    found = await platform.until(lambda status: upgrade(status).get("phase") == phase, f"at the phase {phase}")
    status: Document = found["status"]
    return status


async def until_told(platform: Platform, reason: str, kind: str = "Upgraded") -> Document:
    async def told() -> Document | None:
        found = await platform.condition(kind)
        return found if found.get("reason") == reason else None

    return await eventually(told, what=f"{kind} to say {reason}")


async def until_runs(platform: Platform, version: str) -> Document:
    def runs(status: Document) -> bool:
        return status.get("version") == version and upgrade(status).get("phase") == "completed"

    await platform.until(runs, f"at {version}", timeout_seconds=180)
    status: Document = (await platform.until_ready())["status"]
    return status


async def test_the_schema_is_expanded_then_services_and_gateway_are_replaced_then_it_is_contracted(
    academy: Platform, machinery: Machinery
) -> None:
    machinery.held |= {"migrations", "services"}
    await academy.change(version="1.1.0", updateStrategy=AT_ONCE)
    status = await until_phase(academy, "expanding")
    assert (status["version"], upgrade(status)["from"], upgrade(status)["to"]) == ("1.0.0", "1.0.0", "1.1.0")
    assert await images(academy) == {"1.0.0"}
    told = await academy.condition("Upgraded")
    assert (told["status"], told["reason"]) == ("False", "Upgrading")

    machinery.held.remove("migrations")
    await until_phase(academy, "rollingOut")

    async def replaced() -> bool:
        return await image(academy, "user") == "1.1.0"

    await eventually(replaced, what="the services to be replaced")
    assert await image(academy, "gateway") == "1.0.0", "it waits for the services"
    assert (await academy.get())["status"]["version"] == "1.0.0"
    assert not await academy.cluster.select(BACKUP, academy.namespace, "")

    machinery.held.remove("services")
    status = await until_runs(academy, "1.1.0")
    assert await images(academy) == {"1.1.0"}
    [backup] = await academy.cluster.select(BACKUP, academy.namespace, "")
    assert backup["metadata"]["name"] == upgrade(status)["backup"]
    [contract] = await jobs(academy, "contract")
    assert contract["metadata"]["name"] in status["completedJobs"]
    assert contract["metadata"]["creationTimestamp"] >= backup["status"]["completedAt"]
    [made] = await jobs(academy, "backup")
    environment = {one["name"]: one.get("value") for one in made["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert environment["BACKUP_RELEASE"] == "1.0.0", "it can be restored into the release before"
    assert (await academy.condition("Upgraded"))["reason"] == "UpToDate"


async def test_a_release_that_was_skipped_is_stepped_through(academy: Platform) -> None:
    await academy.change(version="1.2.0")
    status = await until_runs(academy, "1.2.0")
    assert (upgrade(status)["from"], await images(academy)) == ("1.1.0", {"1.2.0"})
    backups = await academy.cluster.select(BACKUP, academy.namespace, "")
    assert [one["metadata"]["name"].startswith("academy-1-1-0-") for one in backups] == [True]


async def test_a_failing_migration_leaves_the_old_release_serving_and_one_can_go_back(
    academy: Platform, machinery: Machinery
) -> None:
    machinery.failing.add("course-migrate")
    await academy.change(version="1.1.0")
    told = await until_told(academy, "JobFailed")
    assert "1.0.0 goes on serving; `version: 1.0.0` goes back" in told["message"]
    assert await images(academy) == {"1.0.0"}
    assert (await academy.condition("Degraded"))["status"] == "True"
    machinery.failing.clear()
    await academy.change(version="1.0.0")
    assert (await until_runs(academy, "1.0.0"))["version"] == "1.0.0"
    assert (await academy.condition("Upgraded"))["reason"] == "RolledBack"
    assert not await jobs(academy, "contract")


async def test_a_failing_migration_that_is_mended_goes_on(
    platform: Platform, make_operator: MakeOperator, machinery: Machinery, releases: Path
) -> None:
    make_operator(releases=releases, failed_job_retry_seconds=2).start()
    await platform.create(version="1.0.0", updateStrategy=NO_BACKUP)
    await platform.until_ready()
    machinery.failing.add("course-migrate")
    await platform.change(version="1.1.0")
    await until_told(platform, "JobFailed")
    machinery.failing.clear()
    await until_runs(platform, "1.1.0")


async def test_one_can_go_back_until_the_schema_is_contracted_and_forward_again(academy: Platform) -> None:
    await academy.change(version="1.1.0")
    await until_phase(academy, "soaking")
    assert (await academy.until_ready())["status"]["version"] == "1.1.0"
    told = await academy.condition("Upgraded")
    assert (told["status"], told["reason"]) == ("True", "RollbackPossible")
    assert not await jobs(academy, "contract")

    await academy.change(version="1.0.0")
    await until_runs(academy, "1.0.0")
    assert await images(academy) == {"1.0.0"}
    assert not await academy.cluster.select(BACKUP, academy.namespace, "")

    await academy.change(version="1.1.0", updateStrategy=AT_ONCE)
    assert upgrade(await until_runs(academy, "1.1.0"))["contracted"] is True


async def test_afterwards_going_back_is_refused_with_the_way_out(academy: Platform) -> None:
    await academy.change(version="1.1.0", updateStrategy=AT_ONCE)
    backup = upgrade(await until_runs(academy, "1.1.0"))["backup"]
    await academy.change(version="1.0.0")
    told = await until_told(academy, "RollbackRefused", "Degraded")
    assert f"SmartCourseBackup {backup} is restored" in told["message"]
    assert await images(academy) == {"1.1.0"}
    await academy.change(version="1.1.0")
    await academy.until_ready()


async def at_a_backup_that_cannot_be_made(platform: Platform, runner: Runner) -> Document:
    """Go to 1.1.0 as far as it gets without `spec.backup`; return what is told of that."""
    runner.start()
    await platform.create(version="1.0.0", updateStrategy=AT_ONCE)
    await platform.until_ready()
    await platform.change(version="1.1.0")
    return await until_told(platform, "BackupNeeded")


async def test_without_backups_the_schema_is_not_contracted_and_it_says_what_to_do(
    platform: Platform, make_operator: MakeOperator, releases: Path
) -> None:
    told = await at_a_backup_that_cannot_be_made(platform, make_operator(releases=releases))
    assert "set spec.backup, or spec.updateStrategy.backup to false" in told["message"]
    assert (await platform.until_ready())["status"]["version"] == "1.1.0", "it serves meanwhile"
    assert not await jobs(platform, "contract")
    await platform.change(backup={})
    await until_runs(platform, "1.1.0")


async def test_no_backup_is_asked_for_while_it_sleeps_in_the_middle_of_an_upgrade(
    platform: Platform, make_operator: MakeOperator, releases: Path
) -> None:
    await at_a_backup_that_cannot_be_made(platform, make_operator(releases=releases))
    await platform.change(hibernated=True, backup={})
    await platform.until(lambda status: status.get("phase") == "hibernated", "hibernated")
    assert not await platform.cluster.select(BACKUP, platform.namespace, "")
    await platform.change(hibernated=False)
    await until_runs(platform, "1.1.0")
    assert len(await platform.cluster.select(BACKUP, platform.namespace, "")) == 1


async def test_a_failed_backup_holds_the_contract_until_it_is_made_again(
    academy: Platform, machinery: Machinery
) -> None:
    machinery.failing.add("academy-1-1-0-")
    await academy.change(version="1.1.0", updateStrategy=AT_ONCE)
    told = await until_told(academy, "BackupFailed")
    assert not await jobs(academy, "contract")
    [backup] = await academy.cluster.select(BACKUP, academy.namespace, "")
    assert backup["metadata"]["name"] in told["message"]
    machinery.failing.clear()
    await academy.cluster.delete(BACKUP, academy.namespace, backup["metadata"]["name"])
    [failed] = await jobs(academy, "backup")
    await academy.cluster.delete(JOB, academy.namespace, failed["metadata"]["name"])  # as the garbage collector does
    await until_runs(academy, "1.1.0")


async def test_a_release_installed_first_contracts_at_once_for_nothing_needs_what_was_before(
    platform: Platform, make_operator: MakeOperator, releases: Path
) -> None:
    make_operator(releases=releases).start()
    await platform.create(version="1.1.0")
    await platform.until_ready()

    async def contracted() -> bool:
        return any(job["metadata"]["name"] for job in await jobs(platform, "contract"))

    await eventually(contracted, what="the contract Job")
    assert "upgrade" not in (await platform.get())["status"]


async def test_while_one_can_go_back_nothing_is_written(academy: Platform, control_plane: ControlPlane) -> None:
    await academy.change(version="1.1.0")
    await until_phase(academy, "soaking")
    await academy.until_ready()

    def writes() -> list[str]:
        return [one for one in control_plane.operator_requests(WRITES) if academy.namespace in one]

    async def is_quiet() -> bool:
        before = writes()
        await asyncio.sleep(5)  # two periods of the timer
        return writes() == before

    await eventually(is_quiet, what="the steady state")


async def test_a_hibernated_platform_is_upgraded_when_it_wakes(academy: Platform) -> None:
    await academy.change(hibernated=True)
    await academy.until(lambda status: status.get("phase") == "hibernated", "hibernated")
    await academy.change(version="1.2.0")
    await academy.until(lambda status: status.get("phase") == "hibernated", "hibernated still")
    assert (await academy.get())["status"]["version"] == "1.0.0"
    await academy.change(hibernated=False)
    await until_runs(academy, "1.2.0")
