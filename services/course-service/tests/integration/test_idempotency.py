"""Requests with an `Idempotency-Key`: one effect and one event, however often they are sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from course_people import Person, events, problem

from course_service.repositories.file import FileRepository
from shared.exceptions.base import UnavailableError
from shared.identity import Role
from shared.utils.datetime import FixedClock

Become = Callable[..., Awaitable[Person]]
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0" + b"\0" * 2_000_000


@pytest.fixture
def key() -> dict[str, dict[str, str]]:
    return {"headers": {"Idempotency-Key": str(uuid4())}}


def are_one_answer(answers: list[httpx.Response]) -> bool:
    seen = {
        (each.status_code, each.content, each.headers.get("ETag"), each.headers.get("Location")) for each in answers
    }
    return len(seen) == 1 and [each.headers.get("Idempotency-Replayed") for each in answers].count(None) == 1


async def test_a_course_is_created_once_by_twenty_at_once(
    instructor: Person, sql: asyncpg.Connection, key: dict[str, Any]
) -> None:
    draft = {"title": "Once", "description": "Only."}
    answers = await asyncio.gather(*(instructor.post("/api/courses", draft, timeout=60, **key) for _ in range(20)))
    assert answers[0].status_code == 201
    assert are_one_answer(answers)
    assert await sql.fetchval("SELECT count(*) FROM courses") == 1
    assert len(await events(sql, "course.created")) == 1
    assert problem(await instructor.post("/api/courses", draft | {"title": "Twice"}, **key), 422)["type"].endswith(
        "idempotency-key-reused"
    )


async def test_enrolling_fifty_times_at_once_takes_one_place(
    instructor: Person, student: Person, become: Become, sql: asyncpg.Connection, key: dict[str, Any]
) -> None:
    course = await instructor.publish_course(capacity=2)
    wish = {"course_id": course["id"]}
    answers = await asyncio.gather(*(student.post("/api/enrollments", wish, timeout=60, **key) for _ in range(50)))
    assert answers[0].status_code == 201
    assert are_one_answer(answers)
    another = await become(Role.STUDENT)
    assert (await another.post("/api/enrollments", wish, **key)).status_code == 201, "the key is each student's own"
    assert await sql.fetchval("SELECT count(*) FROM enrollments") == 2
    assert len(await events(sql, "enrollment.created")) == 2


async def test_a_refusal_does_not_stand_in_the_way_of_a_later_success(
    instructor: Person, student: Person, become: Become, key: dict[str, Any]
) -> None:
    course = await instructor.publish_course(capacity=1)
    wish = {"course_id": course["id"]}
    other = await become(Role.STUDENT)
    taken = await other.enroll(course)
    assert problem(await student.post("/api/enrollments", wish, **key), 409)["type"].endswith("course-full")
    assert (await other.delete(f"/api/enrollments/{taken['id']}")).status_code == 204
    assert (await student.post("/api/enrollments", wish, **key)).status_code == 201


async def test_a_file_is_attached_once_although_each_sending_has_another_boundary(
    instructor: Person, sql: asyncpg.Connection, key: dict[str, Any]
) -> None:
    module = await instructor.create_module((await instructor.create_course())["id"])
    lesson = await instructor.create_lesson(module)

    async def attach(content: bytes = PNG) -> httpx.Response:
        path = f"/api/lessons/{lesson['id']}/attachments"
        return await instructor.client.post(path, files={"file": ("a.png", content, "image/png")}, **key)

    answers = [await attach(), await attach()]
    assert answers[0].status_code == 201, answers[0].text
    assert are_one_answer(answers)
    assert answers[0].request.headers["Content-Type"] != answers[1].request.headers["Content-Type"]
    problem(await attach(PNG + b"more"), 422)
    assert await sql.fetchval("SELECT count(*) FROM attachments") == 1


async def test_a_file_that_could_not_be_stored_may_be_sent_again(
    instructor: Person, key: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look at the lesson, before the file comes, does not count as carrying it out."""
    lesson = await instructor.create_lesson(await instructor.create_module((await instructor.create_course())["id"]))

    async def is_away(*_: Any, **__: Any) -> None:
        raise UnavailableError

    async def attach() -> httpx.Response:
        path = f"/api/lessons/{lesson['id']}/attachments"
        return await instructor.client.post(path, files={"file": ("a.png", PNG, "image/png")}, **key)

    with monkeypatch.context() as patch:
        patch.setattr(FileRepository, "add", is_away)
        problem(await attach(), 503)
    assert (await attach()).status_code == 201


async def test_a_key_is_forgotten_after_a_day(
    instructor: Person, sql: asyncpg.Connection, clock: FixedClock, key: dict[str, Any]
) -> None:
    draft = {"title": "Daily", "description": "News."}
    first = await instructor.post("/api/courses", draft, **key)
    clock.advance(timedelta(hours=23, minutes=59))
    assert (await instructor.post("/api/courses", draft, **key)).content == first.content
    clock.advance(timedelta(minutes=1))
    assert (await instructor.post("/api/courses", draft, **key)).json()["id"] != first.json()["id"]
    assert await sql.fetchval("SELECT count(*) FROM courses") == 2
