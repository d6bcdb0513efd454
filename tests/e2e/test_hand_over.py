"""Embedded databases that are outgrown: PostgreSQL is handed over to a server outside, as the how-to page says."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from .kubernetes import Kubectl, eventually
from .people import Platform
from .test_backups import CONTENT, content, ended, task
from .test_lifecycle import other_namespace, smart_course, start_external_postgres

__all__ = ["other_namespace"]

HOST = "handed-over.localhost"


@dataclass
class Reader:
    """Asks for the catalogue again and again, and counts the time in which it is not answered."""

    url: str
    away_seconds: float = 0
    _ended: threading.Event = field(default_factory=threading.Event)

    def read(self) -> None:
        before = time.monotonic()
        with httpx.Client(base_url=self.url, headers={"Host": HOST}, timeout=10) as client:
            while not self._ended.wait(0.2):
                try:
                    is_served = client.get("/api/courses").status_code == 200
                except httpx.HTTPError:
                    is_served = False
                now = time.monotonic()
                self.away_seconds += 0 if is_served else now - before
                before = now

    def end(self) -> None:
        self._ended.set()


@contextmanager
def reading(url: str) -> Iterator[Reader]:
    reader = Reader(url)
    thread = threading.Thread(target=reader.read)
    thread.start()
    try:
        yield reader
    finally:
        reader.end()
        thread.join()


def copy_secret(kubectl: Kubectl, name: str, to: str) -> None:
    """Make a Secret that people bring out of one that the operator made."""
    found = kubectl.get("secret", name)
    kubectl.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": to}, "data": found["data"]})


def test_postgresql_is_handed_over_to_a_server_outside_with_the_same_rows(
    other_namespace: Kubectl, base_url: str
) -> None:
    kubectl = other_namespace
    admin_url = start_external_postgres(kubectl)
    kubectl.run("create", "secret", "generic", "outside", "--from-file=admin-url=/dev/stdin", stdin=admin_url)
    embedded = {"route": {"host": HOST}, "seed": {"demo": True}, "backup": {"verify": False}}
    kubectl.apply(smart_course("first", kubectl.namespace, **embedded))
    kubectl.wait_ready("first")
    copy_secret(kubectl, "first-auth", "kept-auth")
    with httpx.Client(base_url=base_url, headers={"Host": HOST}, timeout=30) as client:
        eventually(lambda: client.get("/health").status_code == 200, timeout_seconds=60, what="health")
        first = Platform(client, admin=kubectl.secret("first-admin"))
        student = first.new_student()
        spec = {
            "route": {"host": f"new.{HOST}"},
            "auth": {"secretName": "kept-auth"},
            "databases": {"postgres": {"mode": "external", "secretName": "outside"}},
        }
        kubectl.apply(smart_course("second", kubectl.namespace, **spec))
        kubectl.wait_ready("second")
        with reading(base_url) as reader:
            began = time.monotonic()
            kubectl.merge("smartcourse", "first", {"spec": {"maintenance": True}})
            kubectl.wait_ready("first")
            eventually(
                lambda: student.post("/api/enrollments", {"course_id": 1}).status_code == 503,
                timeout_seconds=60, what="writes to be refused",
            )  # fmt: skip
            kubectl.apply(task("SmartCourseBackup", "last", kubectl, smartCourse="first"))
            ended(kubectl, "smcb", "last")
            kubectl.apply(task("SmartCourseRestore", "over", kubectl, smartCourse="second", backup="last"))
            ended(kubectl, "smcr", "over")
            kubectl.wait_ready("second")
            psql = "PGPASSWORD=$POSTGRES_PASSWORD exec psql -U postgres -AtX smartcourse"
            there = kubectl.run("exec", "-i", "deployment/outside", "--", "sh", "-c", psql, stdin=CONTENT)
            assert there == content(kubectl, "first")
            kubectl.merge("smartcourse", "first", {"spec": {"route": {"host": f"old.{HOST}"}}})
            kubectl.merge("smartcourse", "second", {"spec": {"route": {"host": HOST}}})
            catalogue = client.get("/api/courses").json()["items"]
            eventually(
                lambda: student.post("/api/enrollments", {"course_id": catalogue[0]["id"]}).status_code == 201,
                timeout_seconds=120, what="the second to serve under the first's name",
            )  # fmt: skip
            no_writes_seconds = time.monotonic() - began
    print(f"hand-over: no writes for {no_writes_seconds:.0f} s, no reads for {reader.away_seconds:.1f} s")
