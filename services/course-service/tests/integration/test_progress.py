"""Completing lessons, and what the author's changes make of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from course_people import QUIZ, RIGHT, Person, events, lessons_of, problem

from shared.identity import Role
from shared.utils.datetime import FixedClock

Become = Callable[..., Awaitable[Person]]


@pytest.fixture
async def course(instructor: Person) -> dict[str, Any]:
    """A published course: one module of two required lessons and an optional one, and one module of one lesson."""
    course = await instructor.create_course("Knots")
    first = await instructor.create_module(course["id"], "First")
    for title in ("one", "two"):
        await instructor.create_lesson(first, title)
    await instructor.create_lesson(first, "extra", is_required=False)
    await instructor.create_lesson(await instructor.create_module(course["id"], "Second"), "three")
    published: dict[str, Any] = (await instructor.post(f"/api/courses/{course['id']}/publish")).json()
    return published


def lessons(course: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The course's lessons by title."""
    return {lesson["title"]: lesson for module in course["modules"] for lesson in module["lessons"]}


def path_of(course: dict[str, Any], lesson: dict[str, Any]) -> str:
    return f"/api/courses/{course['id']}/modules/{lesson['module_id']}/lessons/{lesson['id']}"


def shown(progress: dict[str, Any]) -> dict[str, Any]:
    """The completed lessons of a progress: title → date."""
    return {
        lesson["title"]: lesson["completed_at"]
        for module in progress["modules"]
        for lesson in module["lessons"]
        if lesson["completed_at"]
    }


async def test_the_way_through_a_course(
    course: dict[str, Any], student: Person, clock: FixedClock, sql: asyncpg.Connection
) -> None:
    enrollment = await student.enroll(course)
    by_title = lessons(course)
    percentages, upcoming = [], []
    for title in ("two", "extra", "one", "three"):
        clock.advance(seconds=60)
        progress = await student.complete(by_title[title], time_spent_minutes=5)
        percentages.append(progress["completion_percentage"])
        upcoming.append(progress["next_lesson"] and progress["next_lesson"]["title"])
    assert percentages == [33.33, 33.33, 66.66, 100]
    assert upcoming == ["one", "one", "three", None]
    assert (progress["status"], progress["total_lessons"], progress["total_modules"]) == ("completed", 3, 2)
    assert (await student.get(f"/api/enrollments/{enrollment['id']}/progress")).json() == progress
    seen = (await student.get(f"/api/enrollments/{enrollment['id']}")).json()
    assert seen["time_spent_minutes"] == 20
    assert seen["started_at"] == shown(progress)["two"]
    assert seen["last_accessed_at"] == seen["completed_at"] == progress["completed_at"] == shown(progress)["three"]
    assert (seen["current_lesson_id"], seen["current_module_id"]) == (
        by_title["three"]["id"],
        by_title["three"]["module_id"],
    )
    assert [module["completed_at"] for module in progress["modules"]] == [shown(progress)["one"], seen["completed_at"]]
    announced = await events(sql, "progress.")
    assert [event["data"]["lesson_id"] for event in announced] == [
        by_title[title]["id"] for title in ("two", "extra", "one", "three")
    ]
    assert [float(event["data"]["completion_percentage"]) for event in announced] == percentages
    assert announced[0]["data"]["module_id"] == by_title["two"]["module_id"]
    assert [event["type"] for event in await events(sql)][-2:] == ["progress.lesson_completed", "enrollment.completed"]


async def test_completing_twice_is_completing_once(
    course: dict[str, Any], student: Person, clock: FixedClock, sql: asyncpg.Connection
) -> None:
    await student.enroll(course)
    lesson = lessons(course)["one"]
    first = await student.complete(lesson)
    clock.advance(seconds=3600)
    assert await student.complete(lesson) == first
    assert len(await events(sql, "progress.")) == 1
    assert await sql.fetchval("SELECT completed_lessons FROM enrollments") == [lesson["id"]]


async def test_100_parallel_completions_lose_nothing(
    instructor: Person, student: Person, sql: asyncpg.Connection
) -> None:
    course = await instructor.create_course()
    module = await instructor.create_module(course["id"])
    ids = [(await instructor.create_lesson(module, str(number)))["id"] for number in range(25)]
    await instructor.post(f"/api/courses/{course['id']}/publish")
    await student.enroll(course)
    await asyncio.gather(*(student.complete({"id": id_}, time_spent_minutes=1) for id_ in ids * 4))
    row = await sql.fetchrow("SELECT * FROM enrollments")
    assert row["completed_lessons"] == sorted(ids)
    assert set(json.loads(row["completion_dates"])) == {f"lesson:{id_}" for id_ in ids} | {f"module:{module['id']}"}
    assert (row["time_spent_minutes"], row["completion_percentage"], row["status"]) == (100, 100, "completed")
    assert len(await events(sql, "progress.")) == 25
    assert len(await events(sql, "enrollment.completed")) == 1


async def test_a_lesson_that_is_taken_out_and_comes_back_was_completed_when_it_was(
    course: dict[str, Any], instructor: Person, student: Person, clock: FixedClock
) -> None:
    enrollment = await student.enroll(course)
    by_title = lessons(course)
    before = await student.complete(by_title["one"])
    path = path_of(course, by_title["one"])
    await instructor.patch(path, {"is_published": False})
    clock.advance(seconds=60)
    without = await student.complete(by_title["two"])
    assert (without["completion_percentage"], without["total_lessons"]) == (50, 2)
    assert set(shown(without)) == {"two"}
    assert (await student.get(f"/api/enrollments/{enrollment['id']}")).json()["completed_lessons"] == [
        by_title["one"]["id"],
        by_title["two"]["id"],
    ]
    await instructor.patch(path, {"is_published": True})
    clock.advance(seconds=60)
    after = (await student.get(f"/api/enrollments/{enrollment['id']}/progress")).json()
    assert after["completion_percentage"] == 66.66
    assert shown(after)["one"] == shown(before)["one"]


async def test_a_deleted_lesson_makes_no_share_above_100(
    course: dict[str, Any], instructor: Person, student: Person
) -> None:
    """Frappe LMS #851: completed lessons that were deleted since made it 150 percent."""
    enrollment = await student.enroll(course)
    by_title = lessons(course)
    for title in ("one", "two"):
        await student.complete(by_title[title])
        assert (await instructor.delete(path_of(course, by_title[title]))).status_code == 204
    seen = (await student.get(f"/api/enrollments/{enrollment['id']}")).json()
    assert (seen["completion_percentage"], seen["completed_count"], seen["total_lessons"]) == (0, 0, 1)
    assert len(seen["completed_lessons"]) == 2
    problem(await student.post(f"/api/lessons/{by_title['one']['id']}/complete"), 404)
    assert (await student.complete(by_title["three"]))["completion_percentage"] == 100


async def test_the_next_write_makes_official_what_a_smaller_course_has_made_complete(
    course: dict[str, Any], instructor: Person, student: Person, sql: asyncpg.Connection
) -> None:
    enrollment = await student.enroll(course)
    by_title = lessons(course)
    for title in ("one", "two"):
        await student.complete(by_title[title])
    await instructor.patch(path_of(course, by_title["three"]), {"is_required": False})
    path = f"/api/enrollments/{enrollment['id']}"
    seen = (await student.get(path)).json()
    assert (seen["completion_percentage"], seen["status"]) == (100, "active")
    assert await events(sql, "enrollment.completed") == []
    official = await student.complete(by_title["one"])
    assert (official["completion_percentage"], official["status"]) == (100, "completed")
    assert len(await events(sql, "enrollment.completed")) == 1


async def test_what_is_completed_stays_completed_whatever_is_added(
    course: dict[str, Any], instructor: Person, student: Person, clock: FixedClock, sql: asyncpg.Connection
) -> None:
    enrollment = await student.enroll(course)
    for title in ("one", "two", "three"):
        done = await student.complete(lessons(course)[title])
    clock.advance(seconds=60)
    added = await instructor.create_lesson(course["modules"][0], "four")
    now = (await student.get(f"/api/enrollments/{enrollment['id']}/progress")).json()
    assert (now["completion_percentage"], now["status"]) == (75, "completed")
    assert now["modules"][0]["completed_at"] == done["modules"][0]["completed_at"]
    after = await student.complete(added)
    assert (after["completion_percentage"], after["completed_at"]) == (100, done["completed_at"])
    assert after["modules"][0]["completed_at"] == done["modules"][0]["completed_at"]
    assert len(await events(sql, "enrollment.completed")) == 1


async def test_a_course_that_requires_nothing_is_never_complete(
    course: dict[str, Any], instructor: Person, student: Person
) -> None:
    await student.enroll(course)
    by_title = lessons(course)
    for lesson in by_title.values():
        await instructor.patch(path_of(course, lesson), {"is_required": False})
    progress = await student.complete(by_title["one"])
    assert (progress["completion_percentage"], progress["total_lessons"], progress["status"]) == (0, 0, "active")


async def test_a_quiz_is_completed_by_passing_it_only(
    course: dict[str, Any], instructor: Person, student: Person
) -> None:
    """Frappe LMS #531: a course was complete although its quiz was failed."""
    quiz = await instructor.create_lesson(course["modules"][1], "quiz", kind="quiz", body=QUIZ)
    await student.enroll(course)
    for title in ("one", "two", "three"):
        progress = await student.complete(lessons(course)[title])
    refused = problem(await student.post(f"/api/lessons/{quiz['id']}/complete"), 409)
    assert (refused["type"], refused["quiz_id"]) == ("urn:smartcourse:problem:quiz-not-passed", quiz["id"])
    assert (progress["completion_percentage"], progress["status"]) == (75, "active")
    assert (await student.submit(quiz, RIGHT))["completion_percentage"] == 100
    assert (await student.complete(quiz))["status"] == "completed"


async def test_only_a_student_of_the_course_completes_its_published_lessons(
    course: dict[str, Any], instructor: Person, student: Person, admin: Person, sql: asyncpg.Connection
) -> None:
    lesson = lessons(course)["one"]
    hidden = await instructor.create_lesson(course["modules"][0], is_published=False)
    path = f"/api/lessons/{lesson['id']}/complete"
    for person in (student, instructor, admin):
        refused = problem(await person.post(path), 403)
        assert refused["type"] == "urn:smartcourse:problem:enrollment-required"
        problem(await person.post(f"/api/lessons/{hidden['id']}/complete"), 404)
    problem(await student.post("/api/lessons/999999/complete"), 404)
    await student.enroll(course)
    problem(await student.post(f"/api/lessons/{hidden['id']}/complete"), 404)
    await sql.execute("UPDATE enrollments SET payment_status = 'pending'")
    problem(await student.post(path), 403)
    await sql.execute("UPDATE enrollments SET payment_status = 'completed'")
    assert (await student.post(path)).status_code == 200


async def test_students_go_on_in_an_archived_course(
    course: dict[str, Any], instructor: Person, student: Person
) -> None:
    await student.enroll(course)
    await instructor.post(f"/api/courses/{course['id']}/archive")
    for title in ("one", "two", "three"):
        progress = await student.complete(lessons(course)[title])
    assert progress["status"] == "completed"


@pytest.mark.parametrize("said", [{"time_spent_minutes": -1}, {"time_spent_minutes": 1441}, {"score": 100}])
async def test_what_is_said_beside_a_completion_is_checked(
    course: dict[str, Any], student: Person, said: dict[str, int]
) -> None:
    await student.enroll(course)
    problem(await student.post(f"/api/lessons/{lessons(course)['one']['id']}/complete", said), 422)


async def test_completing_while_the_author_takes_lessons_out_keeps_all_that_was_answered_with_success(
    instructor: Person, become: Become, sql: asyncpg.Connection
) -> None:
    course = await instructor.create_course()
    module = await instructor.create_module(course["id"])
    made = [await instructor.create_lesson(module, str(number)) for number in range(8)]
    await instructor.post(f"/api/courses/{course['id']}/publish")
    people = [await become(Role.STUDENT) for _ in range(5)]
    for person in people:
        await person.enroll(course)

    async def learn(person: Person) -> set[int]:
        answers = {lesson["id"]: await person.post(f"/api/lessons/{lesson['id']}/complete") for lesson in made}
        assert {answer.status_code for answer in answers.values()} <= {200, 404}
        return {id_ for id_, answer in answers.items() if answer.status_code == 200}

    async def revise() -> None:
        for lesson in made[::2]:
            answer = await instructor.delete(f"{lessons_of(module)}/{lesson['id']}")
            assert answer.status_code == 204, answer.text

    *earned, _ = await asyncio.gather(*(learn(person) for person in people), revise())
    rows = await sql.fetch("SELECT completed_lessons FROM enrollments ORDER BY id")
    assert [set(row["completed_lessons"]) for row in rows] == earned
