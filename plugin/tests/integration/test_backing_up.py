"""`backup` and `restore` against a real API server, with an operator that does what it is told."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from smartcourse_operator.core import names

from .conftest import SINCE, Document, Plugin, World

BACKUPS, RESTORES = "smartcoursebackups", "smartcourserestores"


@pytest.fixture
def course(world: World) -> None:
    world.smart_course(spec={"backup": {}})


def listed(world: World, plural: str) -> list[Document]:
    path = f"/apis/{names.API_VERSION}/namespaces/{world.namespace}/{plural}"
    items: list[Document] = world.plane.request("GET", path).raise_for_status().json()["items"]
    return items


def tell(world: World, plural: str, name: str, **status: str) -> None:
    path = f"/apis/{names.API_VERSION}/namespaces/{world.namespace}/{plural}/{name}/status"
    headers = {"Content-Type": "application/merge-patch+json"}
    world.plane.request("PATCH", path, json={"status": status}, headers=headers).raise_for_status()


@contextmanager
def operator(world: World, plural: str, *ends: str, message: str = "") -> Iterator[None]:
    """Take the first task through these phases."""

    def work() -> None:
        while not (found := listed(world, plural)):
            time.sleep(0.05)
        for phase in ends:
            tell(world, plural, found[0]["metadata"]["name"], phase=phase, message=message)
            time.sleep(1.2)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    thread.join()


def completed(world: World, name: str = "before-exams") -> None:
    world.create(
        f"/apis/{names.API_VERSION}/{BACKUPS}",
        {"apiVersion": names.API_VERSION, "kind": names.BACKUP_KIND, "metadata": {"name": name},
         "spec": {"smartCourse": "academy"}, "status": {"phase": "Completed", "takenAt": SINCE}},
    )  # fmt: skip


@pytest.mark.usefixtures("course")
def test_a_backup_is_made_waited_for_and_its_name_printed(world: World, plugin: Plugin) -> None:
    with operator(world, BACKUPS, "Running", "Completed"):
        done = plugin("backup", "--timeout", "30")
    (made,) = listed(world, BACKUPS)
    assert (done.code, done.out) == (0, made["metadata"]["name"] + "\n"), done.err
    assert made["spec"] == {"smartCourse": "academy"}
    assert f"{made['metadata']['name']}: Completed" in done.err


@pytest.mark.usefixtures("course")
def test_a_backup_that_fails_ends_the_waiting_with_its_message(world: World, plugin: Plugin) -> None:
    with operator(world, BACKUPS, "Failed", message="the volume is full"):
        done = plugin("backup", "--timeout", "30")
    assert (done.code, done.out) == (1, "")
    assert "Failed: the volume is full" in done.err


def test_without_a_destination_nothing_is_made_and_the_remedy_told(world: World, plugin: Plugin) -> None:
    world.smart_course()
    done = plugin("backup")
    assert done.code == 1
    assert """patch smartcourse academy --type merge -p '{"spec": {"backup": {}}}'""" in done.err
    assert listed(world, BACKUPS) == []


@pytest.mark.usefixtures("course")
def test_a_restore_goes_back_to_where_the_backup_is_of(world: World, plugin: Plugin) -> None:
    completed(world)
    with operator(world, RESTORES, "Checking", "Completed"):
        done = plugin("restore", "before-exams", "--yes", "--timeout", "30")
    (made,) = listed(world, RESTORES)
    assert done.code == 0, done.err
    assert made["spec"] == {"smartCourse": "academy", "backup": "before-exams"}


@pytest.mark.usefixtures("course")
def test_a_restore_is_asked_about_and_not_made_if_it_is_not_wanted(
    world: World, plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    completed(world)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    done = plugin("restore", "before-exams")
    assert done.code == 1
    assert f"The data of SmartCourse academy in namespace {world.namespace} is replaced by that of {SINCE}" in done.err
    assert listed(world, RESTORES) == []


@pytest.mark.usefixtures("course")
def test_what_cannot_be_restored_is_told_with_what_can(world: World, plugin: Plugin) -> None:
    completed(world)
    done = plugin("restore", "after-exams", "--yes")
    assert done.code == 3
    assert "no SmartCourseBackup after-exams" in done.err
    assert "Completed ones here: before-exams." in done.err
    tell(world, BACKUPS, "before-exams", phase="Running")
    done = plugin("restore", "before-exams", "--yes")
    assert done.code == 1
    assert "is Running, not Completed" in done.err


@pytest.mark.usefixtures("course")
def test_a_refused_restore_says_why(world: World, plugin: Plugin) -> None:
    completed(world)
    with operator(world, RESTORES, "Refused", message="the backup is incomplete"):
        done = plugin("restore", "before-exams", "--yes", "--timeout", "30")
    assert done.code == 1
    assert "Refused: the backup is incomplete" in done.err
