"""How many queries an answer costs does not depend on how much there is in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import pytest
from course_people import Person, lessons_of
from fastapi import FastAPI
from sqlalchemy import event

COUNTED: ContextVar[list[str] | None] = ContextVar("COUNTED", default=None)
"""The queries of the request that is made here; the service's own tasks began before, and count nothing."""


@pytest.fixture
def counting(app: FastAPI) -> Iterator[None]:
    engine = app.state.database.engine.sync_engine

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if (counted := COUNTED.get()) is not None:
            counted.append(statement)

    event.listen(engine, "before_cursor_execute", count)
    yield
    event.remove(engine, "before_cursor_execute", count)


async def queries_of(person: Person, path: str) -> list[str]:
    queries: list[str] = []
    token = COUNTED.set(queries)
    try:
        answer = await person.get(path)
    finally:
        COUNTED.reset(token)
    assert answer.status_code == 200, answer.text
    return queries


async def grow(instructor: Person, student: Person, course: dict[str, Any]) -> None:
    """Add two modules of two lessons to a course, and two more courses."""
    for title in ("More", "Even more"):
        module = await instructor.create_module(course["id"], title)
        for each in "ab":
            await instructor.create_lesson(module, each)
        await student.enroll(await instructor.publish_course(title))


async def test_a_longer_list_and_a_fuller_course_cost_no_more_queries(
    counting: None, instructor: Person, student: Person, anonymous: Person
) -> None:
    course = await instructor.publish_course()
    enrollment = await student.enroll(course)
    pages = [
        (anonymous, "/api/courses"),
        (anonymous, f"/api/courses/{course['id']}"),
        (anonymous, f"/api/courses/{course['id']}/modules"),
        (anonymous, lessons_of(course["modules"][0])),
        (instructor, "/api/courses/mine"),
        (instructor, f"/api/courses/{course['id']}"),
        (instructor, f"/api/courses/{course['id']}/enrollments"),
        (student, "/api/enrollments/my-courses"),
        (student, f"/api/enrollments/{enrollment['id']}/progress"),
    ]
    few = [len(await queries_of(*page)) for page in pages]
    assert all(1 <= number <= 10 for number in few), few
    await grow(instructor, student, course)
    for page, number in zip(pages, few, strict=True):
        queries = await queries_of(*page)
        assert len(queries) == number, queries
