"""Backup, loss of everything, restore; on a real cluster, with the real programs."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx

from .kubernetes import Kubectl, eventually
from .people import Platform
from .test_lifecycle import other_namespace, smart_course

__all__ = ["other_namespace"]

TABLES = ("users", "courses", "modules", "lessons", "enrollments", "certificates", "notifications")
CONTENT = "".join(f"SELECT '{t}', count(*), coalesce(sum(hashtext(x::text)), 0) FROM {t} x;" for t in TABLES)


def task(kind: str, name: str, kubectl: Kubectl, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": kubectl.namespace}
    return {"apiVersion": "smartcourse.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


def ended(kubectl: Kubectl, kind: str, name: str, phase: str = "Completed") -> dict[str, Any]:
    def status() -> dict[str, Any]:
        found: dict[str, Any] = (kubectl.find(kind, name) or {}).get("status", {})
        return found

    def is_there() -> dict[str, Any] | None:
        found = status()
        assert found.get("phase") not in {"Failed", "Refused"} - {phase}, found.get("message")
        return found if found.get("phase") == phase else None

    deadline = time.monotonic() + 420
    while time.monotonic() < deadline:
        if found := is_there():
            return found
        time.sleep(1)
    raise AssertionError(f"waited for {kind} {name} to be {phase}: {status()}")


def content(kubectl: Kubectl, name: str) -> str:
    """Return counts and sums of what people made, as PostgreSQL itself tells them."""
    return kubectl.query(name, CONTENT)


def on(base_url: str, host: str) -> Callable[..., httpx.Client]:
    return lambda: httpx.Client(base_url=base_url, headers={"Host": host}, timeout=30)


def seconds(status: dict[str, Any]) -> float:
    return (datetime.fromisoformat(status["completedAt"]) - datetime.fromisoformat(status["startedAt"])).total_seconds()


def test_everything_is_lost_but_the_backup_and_a_new_smartcourse_has_it_all(
    other_namespace: Kubectl, base_url: str
) -> None:
    kubectl = other_namespace
    kubectl.apply(
        smart_course("first", kubectl.namespace, route={"host": "first.localhost"}, seed={"demo": True}, backup={})
    )
    kubectl.wait_ready("first")
    with on(base_url, "first.localhost")() as client:
        eventually(lambda: client.get("/health").status_code == 200, timeout_seconds=60, what="the first's health")
        first = Platform(client, admin=kubectl.secret("first-admin"))
        instructor = first.new_instructor(first.log_in(first.admin["email"], first.admin["password"]))
        course = first.author_course(instructor, title="What must not be lost")
        before = content(kubectl, "first")
        kubectl.apply(task("SmartCourseBackup", "all", kubectl, smartCourse="first"))
        taken = ended(kubectl, "smcb", "all")
    assert taken["isVerified"]
    assert taken["mongodb"]["entries"] > 1
    lose_everything(kubectl, "first")

    kubectl.apply(smart_course("second", kubectl.namespace, route={"host": "second-life.localhost"}))
    kubectl.apply(task("SmartCourseRestore", "back", kubectl, smartCourse="second", backup="all"))
    restored = ended(kubectl, "smcr", "back")
    kubectl.wait_ready("second")
    assert (restored["postgres"], restored["mongodb"]) == (taken["postgres"], taken["mongodb"])
    assert content(kubectl, "second") == before
    with on(base_url, "second-life.localhost")() as client:
        eventually(lambda: client.get("/health").status_code == 200, timeout_seconds=60, what="the second's health")
        second = Platform(client, admin=first.admin)
        again = second.log_in(instructor.email, instructor.password)
        found = again.get(f"/api/courses/{course['id']}").json()
        assert found["title"] == "What must not be lost"
        module = found["modules"][0]
        lesson = f"/api/courses/{course['id']}/modules/{module['id']}/lessons/{module['lessons'][0]['id']}"
        assert "Read this." in again.get(lesson).text, "its body is MongoDB's"
        second.new_student()
    print(f"backup: {seconds(taken):.0f} s; restore, services included: {seconds(restored):.0f} s")


def lose_everything(kubectl: Kubectl, name: str) -> None:
    """Delete a SmartCourse, its databases' volumes and its Secrets; the backups and their key are what stays."""
    kubectl.run("delete", "smartcourse", name, "--timeout=120s", timeout_seconds=150)
    instance = f"app.kubernetes.io/instance={name}"
    eventually(lambda: not kubectl.list("pods", f"{instance},app.kubernetes.io/component notin (backup)"),
               timeout_seconds=120, what="compute to be gone")  # fmt: skip
    for kind in ("pvc", "secret"):
        for one in kubectl.list(kind, instance):
            if one["metadata"]["name"] != f"{name}-backup":
                kubectl.run("delete", kind, one["metadata"]["name"], "--timeout=60s")
    assert [one["metadata"]["name"] for one in kubectl.list("pvc", instance)] == [f"{name}-backup"]


def test_a_restore_into_the_same_smartcourse_takes_back_what_was_done_since(
    other_namespace: Kubectl, base_url: str
) -> None:
    kubectl = other_namespace
    kubectl.apply(smart_course("first", kubectl.namespace, route={"host": "same.localhost"}, backup={"verify": False}))
    kubectl.wait_ready("first")
    with on(base_url, "same.localhost")() as client:
        eventually(lambda: client.get("/health").status_code == 200, timeout_seconds=60, what="health")
        first = Platform(client, admin=kubectl.secret("first-admin"))
        early = first.new_student()
        kubectl.apply(task("SmartCourseBackup", "one", kubectl, smartCourse="first"))
        ended(kubectl, "smcb", "one")
        late = first.new_student()
        kubectl.apply(task("SmartCourseRestore", "back", kubectl, smartCourse="first", backup="one"))
        ended(kubectl, "smcr", "back")
        eventually(lambda: client.get("/health").status_code == 200, timeout_seconds=60, what="health after it")
        assert first.log_in(early.email, early.password).id == early.id
        refused = client.post("/api/auth/login", json={"email": late.email, "password": late.password})
        assert refused.status_code == 401


def test_a_schedule_makes_backups_and_keeps_as_many_as_it_says(other_namespace: Kubectl) -> None:
    kubectl = other_namespace
    every_minute = {"schedule": "* * * * *", "keep": 1, "verify": False}
    kubectl.apply(smart_course("first", kubectl.namespace, route={"host": "often.localhost"}, backup=every_minute))
    kubectl.wait_ready("first")

    def completed() -> set[str]:
        found = kubectl.list("smcb")
        return {one["metadata"]["name"] for one in found if one.get("status", {}).get("phase") == "Completed"}

    eventually(completed, timeout_seconds=240, what="a scheduled backup")
    oldest = min(completed())
    eventually(lambda: completed() and oldest not in completed(), timeout_seconds=240, what="the oldest to make room")
    assert len(completed()) <= 2, "one that is kept, and one that was made since"
    told = kubectl.get("smartcourse", "first")["status"]["backup"]
    assert told["lastCompletedAt"]
