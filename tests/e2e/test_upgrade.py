"""From release to release on a real cluster: under requests, with a database that dies, and to one that fails.

The cases follow each other on one SmartCourse: each begins with the release that the one before came to.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from .conftest import NAME
from .kubernetes import Kubectl, eventually
from .people import Platform
from .releases import Release, Revision, another_operator, ask_for, known, today, until_runs
from .test_lifecycle import INSTANCE, smart_course
from .test_rollout import asking

CASE = "case-upgrading"
NOTES = Revision("user_0900", today(), ("CREATE TABLE release_notes (note text, old text)",))
NO_OLD_NOTES = Revision("user_0901", "user_0900", ("ALTER TABLE release_notes DROP old",), phase="contract")
SLOW = Revision(
    "user_0902", "user_0901", ("CREATE TABLE slow (a int)", "SELECT pg_sleep(20)", "ALTER TABLE slow ADD b int")
)
FAILING = Revision("user_0903", "user_0902", ("ALTER TABLE there_is_none ADD a int",))
RELEASES = (
    Release("1.1.0", "1.0.0", (NOTES, NO_OLD_NOTES), {"expand": NOTES.name, "contract": NO_OLD_NOTES.name}),
    Release("1.2.0", "1.1.0", (NOTES, NO_OLD_NOTES, SLOW), {"expand": SLOW.name}),
    Release("1.3.0", "1.2.0", (NOTES, NO_OLD_NOTES, SLOW, FAILING), {"expand": FAILING.name}),
)


def uids(kubectl: Kubectl) -> dict[str, str]:
    return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in kubectl.list("pods", INSTANCE)}


@pytest.fixture(scope="module")
def restarts(platform: Platform, kubectl: Kubectl) -> dict[str, str]:
    """The sample's pods before the operator learns of other releases."""

    def settled() -> bool:
        return not any("deletionTimestamp" in pod["metadata"] for pod in kubectl.list("pods", INSTANCE))

    eventually(settled, timeout_seconds=120, what="pods of earlier rollouts to leave")
    return uids(kubectl)


@pytest.fixture(scope="module")
def cluster(kubectl: Kubectl, restarts: dict[str, str]) -> Iterator[Kubectl]:
    """A namespace with a SmartCourse at 1.0.0, and an operator that knows what may follow."""
    with known(kubectl, RELEASES):
        kubectl.run("create", "namespace", CASE)
        here = kubectl.in_namespace(CASE)
        spec = {"route": {"host": "line.localhost"}, "backup": {}, "updateStrategy": {"rollbackMinutes": 0}}
        here.apply(smart_course("line", CASE, version="1.0.0", **spec))
        here.wait_ready("line")
        yield here
        here.run("delete", "smartcourse", "--all", "--timeout=120s", timeout_seconds=150)
        kubectl.run("delete", "namespace", CASE, "--timeout=120s", timeout_seconds=150)
    kubectl.wait_ready(NAME)


@pytest.fixture(scope="module")
def line(cluster: Kubectl, base_url: str) -> Iterator[Platform]:
    with httpx.Client(base_url=base_url, headers={"Host": "line.localhost"}, timeout=30) as client:
        eventually(lambda: client.get("/health").status_code == 200, timeout_seconds=60, what="its health")
        yield Platform(client, admin=cluster.secret("line-admin"))


def status(kubectl: Kubectl) -> dict[str, Any]:
    found: dict[str, Any] = kubectl.get("smartcourse", "line")["status"]
    return found


def running(kubectl: Kubectl) -> list[str]:
    deployments = kubectl.list("deployments", "app.kubernetes.io/instance=line")
    return [one["spec"]["template"]["spec"]["containers"][0]["image"] for one in deployments]


def query(kubectl: Kubectl, sql: str) -> str:
    return kubectl.query("line", sql).strip()


COLUMNS = "SELECT string_agg(column_name, ',' ORDER BY column_name) FROM information_schema.columns WHERE table_name = "
REVISION = "SELECT version_num FROM user_alembic_version"


def test_what_the_operator_learns_restarts_nothing(
    cluster: Kubectl, kubectl: Kubectl, restarts: dict[str, str]
) -> None:
    assert uids(kubectl) == restarts


def workloads(kubectl: Kubectl) -> dict[str, int]:
    """Return the generation of each workload of the sample: it tells of every change that replaces pods."""
    return {
        f"{kind} {one['metadata']['name']}": one["metadata"]["generation"]
        for kind in ("deployments", "statefulsets")
        for one in kubectl.list(kind, INSTANCE)
    }


@pytest.mark.timeout(600)
def test_an_operator_of_another_version_restarts_nothing(
    cluster: Kubectl, kubectl: Kubectl, restarts: dict[str, str]
) -> None:
    before = workloads(kubectl)

    def told() -> list[str]:
        return [one["version"] for one in kubectl.get("smartcourse", NAME)["status"].get("releases", ())]

    with another_operator(kubectl, "2.0.0"):
        eventually(lambda: "2.0.0" in told(), timeout_seconds=180, what=lambda: f"2.0.0 to be known: {told()}")
        kubectl.wait_ready(NAME)
        assert workloads(kubectl) == before
        assert uids(kubectl) == restarts
    eventually(lambda: "2.0.0" not in told(), timeout_seconds=180, what=lambda: f"2.0.0 to be forgotten: {told()}")
    assert (workloads(kubectl), uids(kubectl)) == (before, restarts)


@pytest.mark.timeout(900)
def test_no_request_fails_while_a_release_takes_over(cluster: Kubectl, line: Platform, base_url: str) -> None:
    student = line.new_student()
    with asking(line, base_url) as seen:
        ask_for(cluster, "line", "1.1.0")
        found = until_runs(cluster, "line", "1.1.0")
        time.sleep(15)  # the last of the old pods drains
    assert seen.answers[200] > 100
    assert seen.failed == {}
    assert line.log_in(student.email, student.password).id == student.id
    assert query(cluster, REVISION) == NO_OLD_NOTES.name
    assert query(cluster, f"{COLUMNS} 'release_notes'") == "note"
    backup = cluster.get("smartcoursebackup", found["upgrade"]["backup"])["status"]
    assert (backup["phase"], backup["release"]) == ("Completed", "1.0.0")
    assert all(reference.endswith("-1.1.0") for reference in running(cluster))


def test_going_back_once_the_schema_is_contracted_is_refused_with_the_way_out(cluster: Kubectl, line: Platform) -> None:
    ask_for(cluster, "line", "1.0.0")

    def told() -> dict[str, Any]:
        return cluster.condition("line", "Degraded")

    eventually(lambda: told().get("reason") == "RollbackRefused", timeout_seconds=60, what=lambda: f"no: {told()}")
    assert f"SmartCourseBackup {status(cluster)['upgrade']['backup']} is restored" in told()["message"]
    assert all(reference.endswith("-1.1.0") for reference in running(cluster))
    ask_for(cluster, "line", "1.1.0")
    cluster.wait_ready("line")


@pytest.mark.timeout(900)
def test_a_database_killed_in_the_middle_of_a_migration_ends_with_a_whole_schema(
    cluster: Kubectl, line: Platform
) -> None:
    ask_for(cluster, "line", "1.2.0")
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()"
    eventually(lambda: query(cluster, sleeping) == "1", timeout_seconds=120, what="the migration to be at work")
    assert query(cluster, REVISION) == NO_OLD_NOTES.name
    cluster.run("delete", "pod", "line-postgres-0", "--grace-period=0", "--force")
    until_runs(cluster, "line", "1.2.0")
    assert query(cluster, REVISION) == SLOW.name
    assert query(cluster, f"{COLUMNS} 'slow'") == "a,b"
    eventually(lambda: line.client.get("/health").status_code == 200, timeout_seconds=60, what="health to be 200")


@pytest.mark.timeout(900)
def test_a_release_that_fails_leaves_the_one_before_serving_and_one_can_go_back(
    cluster: Kubectl, line: Platform, base_url: str
) -> None:
    with asking(line, base_url) as seen:
        ask_for(cluster, "line", "1.3.0")

        def told() -> str:
            condition = cluster.condition("line", "Upgraded")
            return str(condition["message"]) if condition.get("status") == "False" else ""

        eventually(
            lambda: "there_is_none" in told(), timeout_seconds=400, what=lambda: f"the cause to be told: {told()}"
        )
        assert "1.2.0 goes on serving" in told()
        assert all(reference.endswith("-1.2.0") for reference in running(cluster))
        ask_for(cluster, "line", "1.2.0")
        until_runs(cluster, "line", "1.2.0")
    assert seen.failed == {}
    assert query(cluster, REVISION) == SLOW.name
