"""The story of a course, through the ingress: taught, learned, certified, told about; and seen as one trace."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import httpx
import pytest

from ..platform.collector import Collector, collecting
from .conftest import NAME
from .kubernetes import Kubectl, eventually
from .people import Person, Platform, created, problem, unique

pytestmark = pytest.mark.core

PLACES = 2
QUIZ = {
    "passing_score": 60,
    "max_attempts": 3,
    "questions": [
        {"id": "sum", "kind": "numeric", "prompt": "What is 2 + 2?", "points": 1, "answer": 4},
        {
            "id": "vowel",
            "kind": "single",
            "prompt": "Which of these is a vowel?",
            "points": 1,
            "options": [{"id": "a", "text": "a"}, {"id": "b", "text": "b"}],
            "correct": "a",
        },
    ],
}
RIGHT = {"answers": {"sum": 4, "vowel": "a"}}
WRONG = {"answers": {"sum": 5}}


@dataclass
class Course:
    """A published course: a lesson to read, then a quiz."""

    id: int
    title: str
    lesson_id: int
    quiz_id: int


@dataclass
class Traced:
    """A person whose requests all belong to one trace."""

    person: Person
    trace_id: str = field(default_factory=lambda: secrets.token_hex(16))

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        traceparent = f"00-{self.trace_id}-{secrets.token_hex(8)}-01"
        return self.person.request(method, path, headers={"traceparent": traceparent}, **options)

    def get(self, path: str) -> httpx.Response:
        return self.request("GET", path)

    def post(self, path: str, json: Any = None) -> httpx.Response:
        return self.request("POST", path, json=json)


@pytest.fixture(scope="module")
def collector(kubectl: Kubectl, platform: Platform) -> Iterator[Collector]:
    """A receiver of traces on this machine; the platform exports to it as long as these cases run."""
    with collecting(host_seen_from(kubectl)) as collector:
        monitor(kubectl, {"otlpEndpoint": collector.endpoint})
        yield collector
        monitor(kubectl, None)


def host_seen_from(kubectl: Kubectl) -> str:
    """The address of this machine on the network of the cluster's nodes."""
    (node, *_) = kubectl.list("nodes")
    address = next(each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((address, 9))
        host: str = probe.getsockname()[0]
        return host


def monitor(kubectl: Kubectl, monitoring: dict[str, str] | None) -> None:
    kubectl.merge("smartcourse", NAME, {"spec": {"monitoring": monitoring}})
    kubectl.wait_ready(NAME)


@pytest.fixture(scope="module")
def course(instructor: Person) -> Course:
    draft = created(
        instructor.post("/api/courses", {"title": unique("Letters"), "description": "A to Z.", "capacity": PLACES})
    )
    path = f"/api/courses/{draft['id']}"
    refused = problem(instructor.post(f"{path}/publish"), 409)
    assert len(refused["reasons"]) >= 1
    module = created(instructor.post(f"{path}/modules", {"title": "All of it"}))
    lessons = f"{path}/modules/{module['id']}/lessons"
    text = {"title": "Read", "kind": "text", "body": "a, b, c", "is_published": True}
    quiz = {"title": "Answer", "kind": "quiz", "body": QUIZ, "is_published": True}
    lesson_id, quiz_id = (created(instructor.post(lessons, each))["id"] for each in (text, quiz))
    assert instructor.post(f"{path}/publish").status_code == 200
    return Course(draft["id"], draft["title"], lesson_id, quiz_id)


def mails(platform: Platform, to: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = platform.client.get("/_mailbox/api/messages", params={"to": to}).json()["items"]
    return found


def notified(person: Person | Traced, kind: str) -> list[dict[str, Any]]:
    items = person.get("/api/notifications?size=100").json()["items"]
    return [item for item in items if item["type"].startswith(kind)]


def test_an_instructor_teaches_and_learners_earn_certificates(
    platform: Platform, course: Course, admin: Person, collector: Collector
) -> None:
    learner, other, late = Traced(platform.new_student()), platform.new_student(), platform.new_student()
    enrollment, others_enrollment = enroll_to_capacity(course, learner, other, late)
    learn(course, learner, enrollment)
    pass_at_once(course, other)
    certificate = certify(platform, learner, enrollment)
    others_certificate = certify(platform, other, others_enrollment)
    resume_download(other, others_certificate)
    told(platform, learner, course)
    revoke(platform, admin, learner, course, certificate)
    assert verify(platform, others_certificate)["is_valid"] is True
    assert verify(platform, others_certificate)["revoked_at"] is None
    one_trace(collector, learner.trace_id)


def enroll_to_capacity(course: Course, learner: Traced, other: Person, late: Person) -> tuple[int, int]:
    """Two of three find a place, and have an enrollment each; the third is told that the course is full."""
    enrollment: int = created(learner.post("/api/enrollments", {"course_id": course.id}))["id"]
    others: int = created(other.post("/api/enrollments", {"course_id": course.id}))["id"]
    assert "full" in problem(late.post("/api/enrollments", {"course_id": course.id}), 409)["type"]
    mine = learner.get("/api/enrollments/my-courses").json()["items"]
    assert [item["id"] for item in mine] == [enrollment]
    return enrollment, others


def learn(course: Course, learner: Traced, enrollment: int) -> None:
    """Half the way by reading, then a quiz: failed, and passed."""
    halfway = learner.post(f"/api/lessons/{course.lesson_id}/complete")
    assert (halfway.status_code, float(halfway.json()["completion_percentage"])) == (200, 50.0)
    problem(learner.post(f"/api/enrollments/{enrollment}/certificate"), 409)
    failed = created(learner.post(f"/api/quizzes/{course.quiz_id}/submit", WRONG))
    assert (failed["is_passed"], float(failed["score_percentage"])) == (False, 0.0)
    passed = created(learner.post(f"/api/quizzes/{course.quiz_id}/submit", RIGHT))
    assert (passed["is_passed"], float(passed["score_percentage"])) == (True, 100.0)
    progress = learner.get(f"/api/enrollments/{enrollment}/progress").json()
    assert (float(progress["completion_percentage"]), progress["status"]) == (100.0, "completed")


def pass_at_once(course: Course, person: Person) -> None:
    assert person.post(f"/api/lessons/{course.lesson_id}/complete").status_code == 200
    assert created(person.post(f"/api/quizzes/{course.quiz_id}/submit", RIGHT))["is_passed"] is True


def certify(platform: Platform, learner: Traced | Person, enrollment: int) -> dict[str, Any]:
    """One certificate however often it is asked for; its file comes soon; anybody can verify it."""
    certificate = created(learner.post(f"/api/enrollments/{enrollment}/certificate"))
    again = learner.post(f"/api/enrollments/{enrollment}/certificate")
    assert (again.status_code, again.json()["certificate_number"]) == (200, certificate["certificate_number"])

    def made() -> bytes | None:
        answer = learner.get(f"/api/certificates/{certificate['id']}/pdf")
        return answer.content if answer.status_code == 200 else None

    assert eventually(made, timeout_seconds=60, what="the certificate's file").startswith(b"%PDF-")
    assert verify(platform, certificate)["is_valid"] is True
    problem(platform.client.get("/api/certificates/verify/no-such-code-0123456789"), 404)
    return certificate


def verify(platform: Platform, certificate: dict[str, Any]) -> dict[str, Any]:
    """What anybody is told of the certificate."""
    answer = platform.client.get(f"/api/certificates/verify/{certificate['verification_code']}")
    assert answer.status_code == 200, answer.text
    verified: dict[str, Any] = answer.json()
    assert verified["certificate_number"] == certificate["certificate_number"]
    return verified


def resume_download(person: Person, certificate: dict[str, Any]) -> None:
    """A part of a file comes through the gateway as a part, and the rest as the rest."""
    path = f"/api/certificates/{certificate['id']}/pdf"
    whole = person.get(path).content
    parts = [person.get(path, headers={"Range": each}) for each in ("bytes=0-4", "bytes=5-")]
    assert [part.status_code for part in parts] == [206, 206]
    assert [part.headers["Content-Range"] for part in parts] == [
        f"bytes 0-4/{len(whole)}",
        f"bytes 5-{len(whole) - 1}/{len(whole)}",
    ]
    assert b"".join(part.content for part in parts) == whole


def told(platform: Platform, learner: Traced, course: Course) -> None:
    """What happened is in the learner's list and in their mailbox."""
    eventually(lambda: notified(learner, "certificate"), timeout_seconds=30, what="the certificate's notification")
    mailed(platform, learner, f"You are enrolled in {course.title}")
    mailed(platform, learner, f"Your certificate for {course.title}")


def mailed(platform: Platform, learner: Traced, subject: str) -> None:
    """A mail with exactly that subject is in the learner's mailbox."""

    def found() -> list[dict[str, Any]]:
        return [mail for mail in mails(platform, learner.person.email) if mail["subject"] == subject]

    eventually(found, timeout_seconds=30, what=f'the mail "{subject}"')


def revoke(platform: Platform, admin: Person, learner: Traced, course: Course, certificate: dict[str, Any]) -> None:
    """A revoked certificate says so, with date and reason, to whoever verifies it, and to its owner."""
    path = f"/api/certificates/{certificate['id']}"
    problem(learner.post(f"{path}/revoke", {"reason": "I may not."}), 403)
    answer = admin.post(f"{path}/revoke", {"reason": "It was a trial."})
    assert answer.status_code == 200, answer.text
    revoked_at = answer.json()["revoked_at"]
    assert datetime.fromisoformat(revoked_at).date() >= date.fromisoformat(certificate["issue_date"])
    verified = verify(platform, certificate)
    assert [verified[name] for name in ("is_valid", "revoked_at", "revoked_reason")] == [
        False,
        revoked_at,
        "It was a trial.",
    ]
    eventually(
        lambda: [item for item in notified(learner, "certificate") if "revoked" in str(item)],
        timeout_seconds=30,
        what="the notification of the revocation",
    )
    mailed(platform, learner, f"Your certificate for {course.title} was revoked")


def one_trace(collector: Collector, trace_id: str) -> None:
    """Gateway, service, its stores, the event's way and the consumer are spans of the trace that the client began."""

    def complete(_: object) -> bool:
        spans = collector.trace(trace_id)
        services = {span.service for span in spans}
        names = " ".join(span.name for span in spans)
        return {f"{NAME}-gateway", f"{NAME}-course", f"{NAME}-notification"} <= services and all(
            word in names for word in ("POST /api/enrollments", "publish", "consume certificate.issued", "INSERT")
        )

    collector.wait_for(complete, what="the whole trace of the story", timeout_seconds=60)
