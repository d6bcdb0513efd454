"""The API as a client meets it, through the ingress."""

from __future__ import annotations

import time

import httpx
import pytest

from .kubernetes import Kubectl, KubectlError, eventually
from .people import Person, Platform, created, problem, unique

pytestmark = pytest.mark.core


def test_health_reports_every_service(platform: Platform) -> None:
    answer = platform.client.get("/health")
    assert answer.status_code == 200, answer.text
    for service in ("user", "course", "notification"):
        assert service in answer.text


def test_docs_and_merged_openapi_cover_every_service(platform: Platform) -> None:
    assert "text/html" in platform.client.get("/docs").headers["content-type"]
    document = platform.client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.")
    for path in ("/api/auth/login", "/api/courses", "/api/notifications"):
        assert path in document["paths"]


def test_public_catalogue_shows_the_demo_courses_to_anyone(platform: Platform) -> None:
    page = platform.client.get("/api/courses").json()
    assert page["total"] >= 3
    assert {"items", "total", "page", "size", "pages"} <= page.keys()
    assert all(course["status"] == "published" for course in page["items"])


def test_a_newcomer_registers_logs_in_and_is_welcomed(platform: Platform) -> None:
    student = platform.new_student()
    me = student.get("/api/auth/me").json()
    assert (me["email"], me["role"]) == (student.email, "student")
    welcome = eventually(
        lambda: student.get("/api/notifications").json()["items"], timeout_seconds=15, what="the welcome notification"
    )
    assert len(welcome) == 1


def test_refresh_rotates_and_a_stolen_token_ends_the_session(platform: Platform, student: Person) -> None:
    first = student.tokens["refresh_token"]
    rotated = student.refresh(first)
    assert rotated.status_code == 200, rotated.text
    student.tokens = rotated.json()
    assert student.tokens["refresh_token"] != first
    assert student.refresh(first).json()["refresh_token"] == student.tokens["refresh_token"], "a parallel refresh"
    successor = student.refresh()
    assert successor.status_code == 200
    student.tokens = successor.json()
    problem(student.refresh(first), 401)  # its successor was used: theft
    problem(student.refresh(), 401)
    eventually(
        lambda: student.get("/api/auth/me").status_code == 401, timeout_seconds=1, every_seconds=0.02, what="revocation"
    )


def test_logout_kills_the_access_token_within_a_second(student: Person) -> None:
    assert student.get("/api/auth/me").status_code == 200
    assert student.post("/api/auth/logout").status_code == 204
    started = time.monotonic()
    eventually(
        lambda: student.get("/api/auth/me").status_code == 401, timeout_seconds=2, every_seconds=0.02, what="revocation"
    )
    assert time.monotonic() - started < 1
    problem(student.get("/api/auth/me"), 401)


def test_a_student_cannot_create_a_course(student: Person) -> None:
    problem(student.post("/api/courses", {"title": "Mine", "description": "No."}), 403)


@pytest.mark.parametrize("header", ["X-User-ID", "x-user-id", "X_User_ID", "X-User-Role", "X-Gateway-Signature"])
def test_spoofed_identity_headers_change_nothing(student: Person, admin: Person, header: str) -> None:
    value = "admin" if "Role" in header else str(admin.id)
    assert student.get("/api/auth/me", headers={header: value}).json()["id"] == student.id
    problem(student.get("/api/users", headers={header: value, "X-User-Role": "admin"}), 403)


def test_without_a_token_spoofed_headers_are_nobody(platform: Platform, admin: Person) -> None:
    problem(platform.client.get("/api/auth/me", headers={"X-User-ID": str(admin.id), "X-User-Role": "admin"}), 401)


def test_register_refuses_extra_fields(platform: Platform) -> None:
    document = problem(platform.register(role="admin"), 422)
    assert "role" in str(document["errors"])


def test_unknown_paths_are_404_with_and_without_token(platform: Platform, student: Person) -> None:
    problem(platform.client.get("/api/nothing-here"), 404)
    problem(student.get("/api/nothing-here"), 404)


def test_an_instructor_authors_and_publishes(platform: Platform, instructor: Person) -> None:
    course = platform.author_course(instructor)
    assert platform.client.get(f"/api/courses/{course['id']}").json()["title"] == course["title"]
    found = platform.client.get("/api/courses", params={"q": course["title"]}).json()
    assert course["id"] in [item["id"] for item in found["items"]]


def test_an_empty_course_cannot_be_published(instructor: Person) -> None:
    course = created(instructor.post("/api/courses", {"title": unique("Empty"), "description": "Nothing yet."}))
    problem(instructor.post(f"/api/courses/{course['id']}/publish"), 409)


def test_drafts_are_hidden_everywhere(platform: Platform, instructor: Person, student: Person, admin: Person) -> None:
    draft = platform.author_course(instructor, publish=False)
    other = platform.new_instructor(admin)
    for somebody in (platform.client, student, other):
        problem(somebody.get(f"/api/courses/{draft['id']}"), 404)
        listed = somebody.get("/api/courses", params={"q": draft["title"]}).json()
        assert draft["id"] not in [item["id"] for item in listed["items"]]
    assert instructor.get(f"/api/courses/{draft['id']}").json()["status"] == "draft"
    problem(other.post(f"/api/courses/{draft['id']}/publish"), 404)


@pytest.mark.parametrize(("component", "port"), [("user", 8001), ("course", 8002), ("notification", 8005)])
def test_a_request_straight_to_a_pod_is_refused(kubectl: Kubectl, component: str, port: int) -> None:
    selector = f"app.kubernetes.io/instance=academy,app.kubernetes.io/name={component}"
    pod = next(p for p in kubectl.list("pods", selector) if p["status"]["phase"] == "Running")
    paths = {"user": "/api/instructors", "course": "/api/courses", "notification": "/api/notifications"}
    proxy = f"/api/v1/namespaces/{kubectl.namespace}/pods/{pod['metadata']['name']}:{port}/proxy{paths[component]}"
    with pytest.raises(KubectlError, match=r"(?i)unauthorized|must be logged in|signature"):
        kubectl.run("get", "--raw", proxy)


def test_metrics_are_not_routed(platform: Platform) -> None:
    problem(platform.client.get("/metrics"), 404)


def test_answers_carry_limits_and_a_request_id(platform: Platform) -> None:
    answer: httpx.Response = platform.client.get("/api/courses")
    assert answer.headers["x-request-id"]
    assert "ratelimit" in answer.headers
