"""People who use the platform through its public address."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

import httpx


def unique(word: str) -> str:
    return f"{word}-{secrets.token_hex(4)}"


@dataclass
class Person:
    """Someone logged in: their tokens, and requests made with them."""

    client: httpx.Client
    id: int
    email: str
    password: str
    tokens: dict[str, Any] = field(repr=False)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.tokens['access_token']}"} | options.pop("headers", {})
        return self.client.request(method, path, headers=headers, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        return self.request("POST", path, json=json, **options)

    def refresh(self, token: str | None = None) -> httpx.Response:
        return self.client.post("/api/auth/refresh", json={"refresh_token": token or self.tokens["refresh_token"]})


class Platform:
    """The platform's public face, and ways to become somebody on it."""

    def __init__(self, client: httpx.Client, *, admin: dict[str, str]) -> None:
        self.client = client
        self.admin = admin

    def register(self, **fields: Any) -> httpx.Response:
        person = {
            "email": f"{unique('person')}@example.org",
            "password": secrets.token_urlsafe(16),
            "full_name": "A Person",
        }
        return self.client.post("/api/auth/register", json=person | fields)

    def log_in(self, email: str, password: str) -> Person:
        answer = self.client.post("/api/auth/login", json={"email": email, "password": password})
        assert answer.status_code == 200, answer.text
        person = Person(self.client, id=0, email=email, password=password, tokens=answer.json())
        person.id = person.get("/api/auth/me").json()["id"]
        return person

    def new_student(self) -> Person:
        email, password = f"{unique('student')}@example.org", secrets.token_urlsafe(16)
        answer = self.register(email=email, password=password, full_name="A Student")
        assert answer.status_code == 201, answer.text
        return self.log_in(email, password)

    def new_instructor(self, admin: Person) -> Person:
        student = self.new_student()
        answer = admin.request("PATCH", f"/api/users/{student.id}", json={"role": "instructor"})
        assert answer.status_code == 200, answer.text
        return self.log_in(student.email, student.password)  # the old session ended with the old role

    def author_course(self, instructor: Person, *, title: str | None = None, publish: bool = True) -> dict[str, Any]:
        """A course of one module and one lesson; returns the course as its author sees it."""
        title = title or unique("Course")
        course = created(instructor.post("/api/courses", {"title": title, "description": "What it is about."}))
        module = created(instructor.post(f"/api/courses/{course['id']}/modules", {"title": "Beginnings"}))
        lesson = {"title": "First steps", "kind": "text", "body": "Read this.", "is_published": True}
        created(instructor.post(f"/api/courses/{course['id']}/modules/{module['id']}/lessons", lesson))
        if publish:
            answer = instructor.post(f"/api/courses/{course['id']}/publish")
            assert answer.status_code == 200, answer.text
        found: dict[str, Any] = instructor.get(f"/api/courses/{course['id']}").json()
        return found


def created(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Assert an RFC 9457 problem of this status and return it."""
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    assert answer.headers["content-type"].startswith("application/problem+json"), answer.headers
    document: dict[str, Any] = answer.json()
    assert document["status"] == status
    assert {"type", "title", "status", "detail", "instance", "trace_id"} <= document.keys(), document
    return document
