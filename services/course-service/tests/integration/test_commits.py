"""What an answer tells of is committed before the answer's first byte leaves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from course_people import QUIZ, RIGHT, Person, lessons_of
from course_tables import everything
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.identity import Role

Become = Callable[..., Awaitable[Person]]


class Watched:
    """The service, and what another connection saw in the database in the moment that each answer began."""

    def __init__(self, app: ASGIApp, sql: asyncpg.Connection) -> None:
        self.app = app
        self.sql = sql
        self.seen: list[Any] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.seen.append(await everything(self.sql))
            await send(message)

        await self.app(scope, receive, watch)


@pytest.fixture
def watched(app: FastAPI, sql: asyncpg.Connection) -> Watched:
    return Watched(app, sql)


async def test_who_gets_an_answer_finds_what_it_says(
    watched: Watched, become: Become, admin: Person, sql: asyncpg.Connection
) -> None:
    author = await become(Role.INSTRUCTOR, at=watched)
    student = await become(Role.STUDENT, at=watched)
    course = await author.create_course()
    module = await author.create_module(course["id"])
    lesson = await author.create_lesson(module)
    quiz = await author.create_lesson(module, "Quiz", kind="quiz", body=QUIZ)
    path, at_lesson = f"/api/courses/{course['id']}", f"{lessons_of(module)}/{lesson['id']}"
    steps: list[tuple[Person, str, str, dict[str, Any]]] = [
        (author, "POST", f"{path}/publish", {}),
        (author, "PATCH", path, {"json": {"title": "Renamed"}}),
        (author, "PATCH", at_lesson, {"json": {"body": "Again."}}),
        (author, "POST", f"/api/lessons/{lesson['id']}/attachments", {"files": {"file": ("a.txt", b"Some text.\n")}}),
        (student, "POST", "/api/enrollments", {"json": {"course_id": course["id"]}}),
        (student, "POST", f"/api/lessons/{lesson['id']}/complete", {}),
        (student, "POST", f"/api/quizzes/{quiz['id']}/submit", {"json": {"answers": RIGHT}}),
        (student, "POST", "/api/enrollments/1/certificate", {}),
        (student, "DELETE", "/api/enrollments/1", {}),
        (author, "DELETE", at_lesson, {}),
        (author, "POST", f"{path}/archive", {}),
    ]
    for person, method, target, sent in steps:
        before = await everything(sql)
        watched.seen.clear()
        answer = await person.client.request(method, target, **sent)
        assert answer.is_success, f"{method} {target}: {answer.text}"
        assert [before] != watched.seen == [await everything(sql)], f"{method} {target} was answered too early"
