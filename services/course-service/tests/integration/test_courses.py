"""Writing courses, publishing and archiving them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import httpx
import pytest
from course_people import Person, created, events, problem

from shared.identity import Role
from shared.utils.datetime import FixedClock


async def test_a_new_course_is_a_draft_of_its_author(instructor: Person) -> None:
    answer = await instructor.post("/api/courses", {"title": "  Knots  ", "description": "Ropes.", "capacity": 12})
    course = created(answer)
    assert course["title"] == "Knots"
    assert course["slug"] == "knots"
    assert course["status"] == "draft"
    assert course["capacity"] == 12
    assert course["instructor"] == {"id": instructor.id, "full_name": "The instructor"}
    assert course["modules"] == []
    assert answer.headers["Location"] == f"/api/courses/{course['id']}"


async def test_courses_of_one_title_have_different_slugs(instructor: Person) -> None:
    answers = await asyncio.gather(*(instructor.create_course("Same") for _ in range(5)))
    assert len({course["slug"] for course in answers}) == 5


@pytest.mark.parametrize(("role", "status"), [(Role.STUDENT, 403), (Role.ANONYMOUS, 401)])
async def test_only_instructors_and_admins_write(
    role: Role, status: int, become: Callable[..., Awaitable[Person]], instructor: Person
) -> None:
    person = await become(role)
    course = await instructor.publish_course()
    path = f"/api/courses/{course['id']}"
    problem(await person.post("/api/courses", {"title": "Mine", "description": "No."}), status)
    problem(await person.get("/api/courses/mine"), status)
    problem(await person.patch(path, {"title": "Mine"}), status)
    problem(await person.put(path, {"title": "Mine", "description": ""}), status)
    problem(await person.delete(path), status)
    problem(await person.post(f"{path}/publish"), status)
    problem(await person.post(f"{path}/archive"), status)
    problem(await person.post(f"{path}/modules", {"title": "Mine"}), status)


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "published"},
        {"instructor_id": 1},
        {"slug": "taken"},
        {"title": " "},
        {"title": "x" * 201},
        {"title": "nul\0"},
        {"capacity": 0},
        {"language": "English!"},
        {"level": "expert"},
    ],
)
async def test_fields_that_are_not_the_authors_or_not_valid_are_refused(
    instructor: Person, fields: dict[str, object]
) -> None:
    document = problem(await instructor.post("/api/courses", {"title": "A", "description": "B"} | fields), 422)
    assert document["errors"][0]["loc"].startswith(f"body.{next(iter(fields))}")


async def test_update_changes_what_is_named_and_the_version(instructor: Person, clock: FixedClock) -> None:
    course = await instructor.create_course("Before", capacity=3)
    clock.advance(seconds=60)
    answer = await instructor.patch(f"/api/courses/{course['id']}", {"title": "After", "capacity": None})
    changed = answer.json()
    assert (changed["title"], changed["capacity"], changed["description"]) == ("After", None, "About it.")
    assert changed["slug"] == "before"
    assert changed["version"] == 2
    assert answer.headers["ETag"] == '"2"'
    assert changed["updated_at"] > course["updated_at"]
    same = await instructor.patch(f"/api/courses/{course['id']}", {"title": "After"})
    assert same.json()["version"] == 2


async def test_null_is_refused_where_a_value_is_needed(instructor: Person) -> None:
    course = await instructor.create_course()
    for title in (None, " "):
        problem(await instructor.patch(f"/api/courses/{course['id']}", {"title": title}), 422)


async def test_put_replaces_everything_that_an_author_sets(instructor: Person) -> None:
    course = await instructor.create_course("Before", capacity=3, language="en")
    answer = await instructor.put(f"/api/courses/{course['id']}", {"title": "After", "description": "New."})
    changed = answer.json()
    assert (changed["title"], changed["description"]) == ("After", "New.")
    assert (changed["capacity"], changed["language"]) == (None, None)


async def test_a_stale_version_is_refused(instructor: Person) -> None:
    course = await instructor.create_course()
    path = f"/api/courses/{course['id']}"
    first = await instructor.patch(path, {"title": "First"}, headers={"If-Match": '"1"'})
    assert first.status_code == 200
    document = problem(await instructor.patch(path, {"title": "Second"}, headers={"If-Match": '"1"'}), 412)
    assert "version 2" in document["detail"]
    assert (await instructor.patch(path, {"title": "Second"}, headers={"If-Match": 'W/"2"'})).status_code == 200
    assert (await instructor.patch(path, {"title": "Third"}, headers={"If-Match": "*"})).status_code == 200
    problem(await instructor.patch(path, {"title": "Fourth"}, headers={"If-Match": "3"}), 400)


def reasons(answer: httpx.Response) -> list[str]:
    document = problem(answer, 409)
    assert document["type"] == "urn:smartcourse:problem:course-not-publishable"
    assert all(reason["message"] in document["detail"] for reason in document["reasons"])
    return [reason["code"] for reason in document["reasons"]]


async def test_publishing_says_all_that_is_missing(instructor: Person) -> None:
    course = await instructor.create_course(description=" ")
    path = f"/api/courses/{course['id']}"
    assert reasons(await instructor.post(f"{path}/publish")) == [
        "blank-description",
        "no-module",
        "no-published-lesson",
    ]
    module = await instructor.create_module(course["id"])
    await instructor.create_lesson(module, is_published=False)
    assert reasons(await instructor.post(f"{path}/publish")) == ["blank-description", "no-published-lesson"]
    await instructor.create_lesson(module)
    assert reasons(await instructor.post(f"{path}/publish")) == ["blank-description"]
    await instructor.patch(path, {"description": "About it."})
    published = (await instructor.post(f"{path}/publish")).json()
    assert published["status"] == "published"
    assert published["published_at"] is not None
    assert (published["module_count"], published["lesson_count"]) == (1, 1)


async def test_a_public_course_keeps_its_description(instructor: Person) -> None:
    course = await instructor.publish_course()
    path = f"/api/courses/{course['id']}"
    assert reasons(await instructor.patch(path, {"description": ""})) == ["blank-description"]
    assert reasons(await instructor.put(path, {"title": "New", "description": " "})) == ["blank-description"]
    assert (await instructor.get(path)).json() == course


async def test_a_change_is_announced_with_what_it_made(instructor: Person, sql: asyncpg.Connection) -> None:
    course = await instructor.create_course("Before")
    for _ in range(2):  # the second changes nothing
        await instructor.patch(f"/api/courses/{course['id']}", {"title": "After"})
    created_, updated = await events(sql)
    assert (created_["type"], updated["type"]) == ("course.created", "course.updated")
    assert updated["data"] == {
        "course_id": course["id"],
        "slug": "before",
        "title": "After",
        "instructor_id": instructor.id,
    }


async def test_publishing_twice_announces_it_once(instructor: Person, sql: asyncpg.Connection) -> None:
    course = await instructor.publish_course("Once")
    again = await instructor.post(f"/api/courses/{course['id']}/publish")
    assert again.json()["published_at"] == course["published_at"]
    announced = await events(sql)
    assert [event["type"] for event in announced] == ["course.created", "course.published"]
    assert announced[1]["subject"] == f"courses/{course['id']}"
    assert announced[1]["data"] == {
        "course_id": course["id"],
        "slug": "once",
        "title": "Once",
        "instructor_id": instructor.id,
        "published_at": course["published_at"],
    }


async def test_an_archived_course_is_kept_as_it_is(instructor: Person, sql: asyncpg.Connection) -> None:
    course = await instructor.publish_course()
    path = f"/api/courses/{course['id']}"
    archived = (await instructor.post(f"{path}/archive")).json()
    assert archived["status"] == "archived"
    assert (await instructor.delete(path)).status_code == 204
    module_path = f"{path}/modules/{archived['modules'][0]['id']}"
    problem(await instructor.patch(path, {"title": "New"}), 409)
    problem(await instructor.post(f"{path}/publish"), 409)
    problem(await instructor.post(f"{path}/modules", {"title": "New"}), 409)
    problem(await instructor.patch(module_path, {"title": "New"}), 409)
    problem(await instructor.delete(module_path), 409)
    problem(await instructor.post(f"{module_path}/lessons", {"title": "New", "body": "New."}), 409)
    assert [event["type"] for event in await events(sql)][-1] == "course.archived"
    assert len(await events(sql)) == 3


async def test_an_admin_changes_any_course(instructor: Person, admin: Person) -> None:
    course = await instructor.create_course()
    answer = await admin.patch(f"/api/courses/{course['id']}", {"title": "Better"})
    assert answer.json()["instructor"]["id"] == instructor.id
    assert (await admin.post(f"/api/courses/{course['id']}/archive")).status_code == 200
