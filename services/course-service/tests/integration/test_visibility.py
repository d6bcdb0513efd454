"""Drafts, archived courses and unpublished lessons exist only for their instructor and for admins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from course_people import Person, lessons_of, problem

from shared.identity import Role

READERS = [Role.ANONYMOUS, Role.STUDENT, Role.INSTRUCTOR]
Become = Callable[..., Awaitable[Person]]


async def draft_of(instructor: Person) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    course = await instructor.create_course("Secret plans")
    module = await instructor.create_module(course["id"])
    return course, module, await instructor.create_lesson(module, is_preview=True)


async def assert_hidden(person: Person, course: dict[str, Any], module: dict[str, Any], lesson: dict[str, Any]) -> None:
    path = f"/api/courses/{course['id']}"
    problem(await person.get(path), 404)
    problem(await person.get(f"{path}/modules"), 404)
    problem(await person.get(lessons_of(module)), 404)
    problem(await person.get(f"{lessons_of(module)}/{lesson['id']}"), 404)
    for listed in (await person.get("/api/courses"), await person.get("/api/courses", params={"q": course["title"]})):
        assert listed.json()["items"] == []


async def assert_unchangeable(person: Person, module: dict[str, Any], lesson: dict[str, Any], status: int) -> None:
    path = f"/api/courses/{module['course_id']}"
    lesson_path = f"{lessons_of(module)}/{lesson['id']}"
    problem(await person.patch(path, {"title": "Mine"}), status)
    problem(await person.put(path, {"title": "Mine", "description": ""}), status)
    problem(await person.post(f"{path}/publish"), status)
    problem(await person.post(f"{path}/archive"), status)
    problem(await person.delete(path), status)
    problem(await person.post(f"{path}/modules", {"title": "Mine"}), status)
    problem(await person.patch(f"{path}/modules/{module['id']}", {"title": "Mine"}), status)
    problem(await person.put(f"{path}/modules/{module['id']}", {"title": "Mine"}), status)
    problem(await person.delete(f"{path}/modules/{module['id']}"), status)
    problem(await person.post(lessons_of(module), {"title": "Mine", "body": "Mine."}), status)
    problem(await person.patch(lesson_path, {"body": "Mine."}), status)
    problem(await person.patch(lesson_path, {"title": "Mine"}), status)
    problem(await person.delete(lesson_path), status)


@pytest.mark.parametrize("role", READERS)
async def test_a_draft_is_hidden_everywhere(role: Role, become: Become, instructor: Person) -> None:
    await assert_hidden(await become(role), *await draft_of(instructor))


@pytest.mark.parametrize("role", READERS)
async def test_an_archived_course_is_hidden_everywhere(role: Role, become: Become, instructor: Person) -> None:
    course, module, lesson = await draft_of(instructor)
    await instructor.post(f"/api/courses/{course['id']}/publish")
    await instructor.post(f"/api/courses/{course['id']}/archive")
    await assert_hidden(await become(role), course, module, lesson)


async def test_another_instructor_finds_no_draft_to_change(instructor: Person, other_instructor: Person) -> None:
    _, module, lesson = await draft_of(instructor)
    await assert_unchangeable(other_instructor, module, lesson, 404)


async def test_another_instructor_cannot_change_a_published_course(
    instructor: Person, other_instructor: Person
) -> None:
    course, module, lesson = await draft_of(instructor)
    before = (await instructor.post(f"/api/courses/{course['id']}/publish")).json()
    await assert_unchangeable(other_instructor, module, lesson, 403)
    assert (await instructor.get(f"/api/courses/{course['id']}")).json() == before


async def test_owner_and_admin_see_a_draft_whole(instructor: Person, admin: Person) -> None:
    course, module, lesson = await draft_of(instructor)
    for person in (instructor, admin):
        assert (await person.get(f"/api/courses/{course['id']}")).json()["status"] == "draft"
        assert (await person.get(f"/api/courses/{course['id']}/modules")).json()[0]["lessons"][0]["id"] == lesson["id"]
        assert (await person.get(f"{lessons_of(module)}/{lesson['id']}")).json()["body"] == "Read this."


async def test_an_owner_who_is_no_longer_instructor_sees_what_everybody_sees(
    instructor: Person, become: Become
) -> None:
    draft = await draft_of(instructor)
    await assert_hidden(await become(Role.STUDENT, user_id=instructor.id), *draft)


async def test_an_unpublished_lesson_is_hidden_in_a_published_course(
    instructor: Person, student: Person, anonymous: Person
) -> None:
    course = await instructor.publish_course()
    module = course["modules"][0]
    hidden = await instructor.create_lesson(module, "Not yet", is_published=False, is_preview=True)
    empty = await instructor.create_module(course["id"], "Nothing published")
    await instructor.create_lesson(empty, is_published=False)
    for person in (student, anonymous):
        seen = (await person.get(f"/api/courses/{course['id']}")).json()
        assert [m["id"] for m in seen["modules"]] == [module["id"]]
        assert [lesson["title"] for lesson in seen["modules"][0]["lessons"]] == ["A lesson"]
        assert (await person.get(f"/api/courses/{course['id']}/modules")).json() == seen["modules"]
        assert [lesson["title"] for lesson in (await person.get(lessons_of(module))).json()] == ["A lesson"]
        problem(await person.get(f"{lessons_of(module)}/{hidden['id']}"), 404)
        problem(await person.get(lessons_of(empty)), 404)
    assert len((await instructor.get(f"/api/courses/{course['id']}")).json()["modules"]) == 2


async def test_the_body_of_a_published_lesson_is_for_students_of_the_course(
    instructor: Person, student: Person, anonymous: Person, other_instructor: Person, sql: asyncpg.Connection
) -> None:
    course = await instructor.publish_course()
    module = course["modules"][0]
    path = f"{lessons_of(module)}/{module['lessons'][0]['id']}"
    problem(await anonymous.get(path), 401)
    problem(await other_instructor.get(path), 403)
    assert problem(await student.get(path), 403)["type"] == "urn:smartcourse:problem:enrollment-required"
    enroll = "INSERT INTO enrollments (student_id, course_id, status, payment_status) VALUES ($1, $2, 'active', $3)"
    await sql.execute(enroll, student.id, course["id"], "pending")
    problem(await student.get(path), 403)
    await sql.execute("UPDATE enrollments SET payment_status = 'completed'")
    assert (await student.get(path)).json()["body"] == "Read this."
    await instructor.post(f"/api/courses/{course['id']}/archive")
    assert (await student.get(path)).json()["body"] == "Read this."
    await sql.execute("UPDATE enrollments SET status = 'dropped'")
    problem(await student.get(path), 404)


async def test_a_published_preview_is_readable_by_anybody(instructor: Person, anonymous: Person) -> None:
    course = await instructor.publish_course()
    module = course["modules"][0]
    lesson = await instructor.create_lesson(module, "Taste", body="Mmm.", is_preview=True)
    assert (await anonymous.get(f"{lessons_of(module)}/{lesson['id']}")).json()["body"] == "Mmm."


async def test_a_request_without_the_gateways_signature_is_refused(instructor: Person) -> None:
    answer = await instructor.client.get("/api/courses", auth=None, headers={"X-User-ID": "1", "X-User-Role": "admin"})
    assert problem(answer, 401)["type"] == "urn:smartcourse:problem:identity-not-verified"
