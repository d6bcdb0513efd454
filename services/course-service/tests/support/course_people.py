"""People who use course-service through the gateway, and what they expect of its answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx

QUIZ = {
    "questions": [
        {
            "id": "capital",
            "kind": "single",
            "prompt": "The capital of France?",
            "options": [{"id": "a", "text": "Lyon"}, {"id": "b", "text": "Paris"}],
            "correct": "b",
            "explanation": "Since 987.",
        },
        {"id": "flat", "kind": "true_false", "prompt": "The earth is flat.", "correct": False},
    ],
    "passing_score": 60,
}
RIGHT = {"capital": "b", "flat": False}
WRONG = {"capital": "a", "flat": True}


@dataclass
class Person:
    """Someone whose requests come through the gateway."""

    id: int | None
    client: httpx.AsyncClient

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.client.get(path, **options)

    async def post(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        return await self.client.post(path, json=json, **options)

    async def patch(self, path: str, json: Any, **options: Any) -> httpx.Response:
        return await self.client.patch(path, json=json, **options)

    async def put(self, path: str, json: Any, **options: Any) -> httpx.Response:
        return await self.client.put(path, json=json, **options)

    async def delete(self, path: str, **options: Any) -> httpx.Response:
        return await self.client.delete(path, **options)

    async def create_course(self, title: str = "A course", **fields: Any) -> dict[str, Any]:
        return created(await self.post("/api/courses", {"title": title, "description": "About it."} | fields))

    async def create_module(self, course_id: int, title: str = "A module", **fields: Any) -> dict[str, Any]:
        return created(await self.post(f"/api/courses/{course_id}/modules", {"title": title} | fields))

    async def create_lesson(self, module: dict[str, Any], title: str = "A lesson", **fields: Any) -> dict[str, Any]:
        lesson = {"title": title, "kind": "text", "body": "Read this.", "is_published": True} | fields
        return created(await self.post(lessons_of(module), lesson))

    async def publish_course(self, title: str = "A course", **fields: Any) -> dict[str, Any]:
        """A published course of one module and one published lesson, as its author sees it."""
        course = await self.create_course(title, **fields)
        await self.create_lesson(await self.create_module(course["id"]))
        answer = await self.post(f"/api/courses/{course['id']}/publish")
        assert answer.status_code == 200, answer.text
        published: dict[str, Any] = answer.json()
        return published

    async def enroll(self, course: dict[str, Any]) -> dict[str, Any]:
        """The person's enrollment in a course."""
        answer = await self.post("/api/enrollments", {"course_id": course["id"]})
        assert answer.status_code == 201, answer.text
        enrollment: dict[str, Any] = answer.json()
        assert answer.headers["Location"] == f"/api/enrollments/{enrollment['id']}"
        return enrollment

    async def complete(self, lesson: dict[str, Any], **said: Any) -> dict[str, Any]:
        """The person's progress after completing a lesson."""
        answer = await self.post(f"/api/lessons/{lesson['id']}/complete", said or None)
        assert answer.status_code == 200, answer.text
        progress: dict[str, Any] = answer.json()
        return progress

    async def submit(self, quiz: dict[str, Any], answers: dict[str, Any]) -> dict[str, Any]:
        """How the person's answers were graded."""
        answer = await self.post(f"/api/quizzes/{quiz['id']}/submit", {"answers": answers})
        assert answer.status_code == 201, answer.text
        result: dict[str, Any] = answer.json()
        return result


def created(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    assert answer.headers["ETag"] == f'"{body["version"]}"'
    return body


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Assert an RFC 9457 problem of this status and return it."""
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    assert answer.headers["content-type"].startswith("application/problem+json")
    document: dict[str, Any] = answer.json()
    return document


def lessons_of(module: dict[str, Any]) -> str:
    return f"/api/courses/{module['course_id']}/modules/{module['id']}/lessons"


async def events(sql: asyncpg.Connection, prefix: str = "") -> list[dict[str, Any]]:
    """What was announced, in order: events whose type begins with `prefix`."""
    rows = await sql.fetch("SELECT stream, payload FROM course_outbox ORDER BY position")
    assert {row["stream"] for row in rows} <= {"smartcourse:events:course"}
    announced = [json.loads(json.loads(row["payload"])["event"]) for row in rows]
    return [event for event in announced if event["type"].startswith(prefix)]
