"""Enrolling, leaving, coming back, and suspensions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from course_people import Person, events, lessons_of, problem
from fastapi import FastAPI

from shared.identity import Role
from shared.utils.datetime import FixedClock

Become = Callable[..., Awaitable[Person]]
Crowd = Callable[[int], Awaitable[list[Person]]]


def kind(document: dict[str, Any]) -> str:
    return str(document["type"]).removeprefix("urn:smartcourse:problem:")


async def enroll(person: Person, course: dict[str, Any]) -> Any:
    return await person.post("/api/enrollments", {"course_id": course["id"]})


async def test_a_student_enrolls_in_a_published_course(
    instructor: Person, student: Person, sql: asyncpg.Connection
) -> None:
    course = await instructor.publish_course("Knots")
    enrollment = await student.enroll(course)
    assert enrollment["course"] == {"id": course["id"], "title": "Knots", "slug": "knots", "status": "published"}
    assert (enrollment["student_id"], enrollment["status"]) == (student.id, "active")
    assert (enrollment["completion_percentage"], enrollment["total_lessons"], enrollment["total_modules"]) == (0, 1, 1)
    assert (await student.get(f"/api/enrollments/{enrollment['id']}")).json() == enrollment
    module = course["modules"][0]
    assert (await student.get(f"{lessons_of(module)}/{module['lessons'][0]['id']}")).json()["body"] == "Read this."
    [created] = await events(sql, "enrollment.")
    assert created["type"] == "enrollment.created"
    assert created["subject"] == f"enrollments/{enrollment['id']}"
    assert created["data"] == {
        "enrollment_id": enrollment["id"],
        "student_id": student.id,
        "course_id": course["id"],
        "course_title": "Knots",
        "enrolled_at": enrollment["enrolled_at"],
        "is_renewed": False,
    }


async def test_what_keeps_a_person_out_is_said_in_order(
    instructor: Person, student: Person, admin: Person, become: Become
) -> None:
    draft = await instructor.create_course()
    assert kind(problem(await enroll(student, {"id": 999_999}), 404)) == "not-found"
    assert kind(problem(await enroll(student, draft), 404)) == "not-found"
    for author in (instructor, admin):
        assert kind(problem(await enroll(author, draft), 409)) == "course-not-published"
    course = await instructor.publish_course(capacity=1)
    assert kind(problem(await enroll(instructor, course), 403)) == "own-course"
    enrollment = await student.enroll(course)
    full = problem(await enroll(await become(Role.STUDENT), course), 409)
    assert (kind(full), full["capacity"], full["course_id"]) == ("course-full", 1, course["id"])
    assert kind(problem(await enroll(student, course), 409)) == "course-full"
    await instructor.patch(f"/api/courses/{course['id']}", {"capacity": None})
    again = problem(await enroll(student, course), 409)
    assert (kind(again), again["enrollment_id"]) == ("already-enrolled", enrollment["id"])
    await instructor.post(f"/api/courses/{course['id']}/archive")
    assert kind(problem(await enroll(student, course), 409)) == "course-not-published"
    assert kind(problem(await enroll(await become(Role.STUDENT), course), 404)) == "not-found"


@pytest.mark.parametrize("role", [Role.STUDENT, Role.INSTRUCTOR, Role.ADMIN])
async def test_everybody_but_the_courses_instructor_may_enroll(role: Role, become: Become, instructor: Person) -> None:
    person = await become(role)
    assert (await person.enroll(await instructor.publish_course()))["student_id"] == person.id


async def test_an_owner_who_is_no_longer_instructor_is_still_no_student_of_their_own(
    instructor: Person, become: Become
) -> None:
    course = await instructor.publish_course()
    problem(await enroll(await become(Role.STUDENT, user_id=instructor.id), course), 403)


@pytest.mark.parametrize("wish", [{}, {"course_id": 0}, {"course_id": 2**31}, {"course_id": 1, "student_id": 5}])
async def test_a_malformed_wish_is_refused(student: Person, wish: dict[str, Any]) -> None:
    problem(await student.post("/api/enrollments", wish), 422)


@pytest.fixture
def crowd(become: Become, app: FastAPI, replica: FastAPI) -> Crowd:
    """So many students, served by two replicas: only the database is between those."""

    async def crowd(size: int) -> list[Person]:
        return [await become(Role.STUDENT, at=(app, replica)[number % 2]) for number in range(size)]

    return crowd


async def test_100_parallel_requests_for_10_places_fill_exactly_10(
    instructor: Person, crowd: Crowd, sql: asyncpg.Connection
) -> None:
    course = await instructor.publish_course(capacity=10)
    answers = await asyncio.gather(*(enroll(person, course) for person in await crowd(100)))
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(201), statuses.count(409)) == (10, 90)
    assert {kind(answer.json()) for answer in answers if answer.status_code == 409} == {"course-full"}
    assert await sql.fetchval("SELECT count(*) FROM enrollments WHERE status <> 'dropped'") == 10
    assert len(await events(sql, "enrollment.created")) == 10


async def queued(sql: asyncpg.Connection, size: int) -> None:
    """Wait until so many requests wait for the course that this connection has locked."""
    waiting = "SELECT count(DISTINCT pid) FROM pg_locks WHERE locktype = 'tuple' AND relation = 'courses'::regclass"
    async with asyncio.timeout(10):
        while await sql.fetchval(waiting) < size:  # noqa: ASYNC110 - PostgreSQL tells nobody
            await asyncio.sleep(0.01)


async def test_the_last_place_is_taken_once_though_two_replicas_are_asked_for_it(
    instructor: Person, crowd: Crowd, sql: asyncpg.Connection
) -> None:
    """Both have come as far as they can without the course's lock before either goes on."""
    course, people = await instructor.publish_course(capacity=1), await crowd(2)
    async with sql.transaction():
        await sql.execute("SELECT 1 FROM courses WHERE id = $1 FOR UPDATE", course["id"])
        asking = [asyncio.create_task(enroll(person, course)) for person in people]
        await queued(sql, 2)
    assert sorted([(await answer).status_code for answer in asking]) == [201, 409]


async def test_a_capacity_that_was_lowered_at_another_replica_holds_for_who_asked_before(
    instructor: Person, student: Person, become: Become, replica: FastAPI, sql: asyncpg.Connection
) -> None:
    course = await instructor.publish_course(capacity=2)
    await student.enroll(course)
    elsewhere, late = await become(Role.INSTRUCTOR, user_id=instructor.id, at=replica), await become(Role.STUDENT)
    async with sql.transaction():
        await sql.execute("SELECT 1 FROM courses WHERE id = $1 FOR UPDATE", course["id"])
        lowering = asyncio.create_task(elsewhere.patch(f"/api/courses/{course['id']}", {"capacity": 1}))
        await queued(sql, 1)
        asking = asyncio.create_task(enroll(late, course))
        await queued(sql, 2)
    assert (await lowering).status_code == 200
    assert kind(problem(await asking, 409)) == "course-full"


async def test_a_crowd_that_waits_for_one_course_keeps_nobody_else_waiting(
    instructor: Person, anonymous: Person, become: Become, sql: asyncpg.Connection
) -> None:
    """Far more wait for the course's lock than there are connections, for longer than anybody waits for one."""
    course = await instructor.publish_course(capacity=5)
    people = [await become(Role.STUDENT) for _ in range(40)]
    async with sql.transaction():
        await sql.execute("SELECT 1 FROM courses WHERE id = $1 FOR UPDATE", course["id"])
        crowd = [asyncio.create_task(enroll(person, course)) for person in people]
        await asyncio.sleep(6)
        assert not any(task.done() for task in crowd)
        assert (await anonymous.get("/api/courses")).status_code == 200
    statuses = [answer.status_code for answer in await asyncio.gather(*crowd)]
    assert (statuses.count(201), statuses.count(409)) == (5, 35)


async def test_one_person_who_asks_20_times_at_once_is_enrolled_once(
    instructor: Person, student: Person, sql: asyncpg.Connection
) -> None:
    course = await instructor.publish_course(capacity=5)
    answers = await asyncio.gather(*(enroll(student, course) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19
    assert await sql.fetchval("SELECT count(*) FROM enrollments") == 1
    assert len(await events(sql, "enrollment.created")) == 1


async def test_dropping_and_enrolling_at_once_never_exceeds_the_capacity(
    instructor: Person, crowd: Crowd, sql: asyncpg.Connection
) -> None:
    course = await instructor.publish_course(capacity=3)
    people = await crowd(12)

    async def come_and_go(person: Person) -> None:
        for _ in range(4):
            answer = await enroll(person, course)
            assert answer.status_code in {201, 409}, answer.text
            assert await sql_count() <= 3
            if answer.status_code == 201:
                assert (await person.delete(f"/api/enrollments/{answer.json()['id']}")).status_code == 204

    one_at_a_time = asyncio.Lock()  # the test's own connection can't be shared

    async def sql_count() -> int:
        async with one_at_a_time:
            count: int = await sql.fetchval("SELECT count(*) FROM enrollments WHERE status <> 'dropped'")
            return count

    await asyncio.gather(*(come_and_go(person) for person in people))
    assert await sql_count() == 0
    types = [event["type"] for event in await events(sql, "enrollment.")]
    assert types.count("enrollment.created") == types.count("enrollment.dropped") > 0


async def test_dropping_frees_the_place_and_returning_goes_on_with_the_progress_kept(
    instructor: Person, student: Person, become: Become, clock: FixedClock, sql: asyncpg.Connection
) -> None:
    course = await instructor.publish_course(capacity=1)
    lesson = course["modules"][0]["lessons"][0]
    await instructor.create_lesson(course["modules"][0], "Another")
    first = await student.enroll(course)
    path = f"/api/enrollments/{first['id']}"
    before = await student.complete(lesson, time_spent_minutes=7)
    clock.advance(seconds=3600)
    for _ in range(2):  # the second changes nothing
        assert (await student.delete(path)).status_code == 204
    dropped = (await student.get(path)).json()
    assert (dropped["status"], dropped["completed_lessons"]) == ("dropped", [lesson["id"]])
    assert dropped["dropped_at"] > first["enrolled_at"]
    problem(await student.post(f"/api/lessons/{lesson['id']}/complete"), 403)

    other = await become(Role.STUDENT)
    others = await other.enroll(course)
    assert kind(problem(await enroll(student, course), 409)) == "course-full"
    await other.delete(f"/api/enrollments/{others['id']}")
    clock.advance(seconds=3600)
    again = await student.enroll(course)
    assert (again["id"], again["status"], again["dropped_at"]) == (first["id"], "active", None)
    assert (again["completion_percentage"], again["time_spent_minutes"]) == (50, 7)
    assert again["enrolled_at"] > dropped["dropped_at"]
    assert (await student.get(f"{path}/progress")).json()["modules"] == before["modules"]
    mine = [event for event in await events(sql, "enrollment.") if event["data"]["student_id"] == student.id]
    assert [event["type"] for event in mine] == ["enrollment.created", "enrollment.dropped", "enrollment.created"]
    assert mine[-1]["data"]["is_renewed"] is True


async def test_who_completed_and_dropped_returns_as_completed(instructor: Person, student: Person) -> None:
    course = await instructor.publish_course()
    enrollment = await student.enroll(course)
    done = await student.complete(course["modules"][0]["lessons"][0])
    assert done["status"] == "completed"
    await student.delete(f"/api/enrollments/{enrollment['id']}")
    again = await student.enroll(course)
    assert (again["status"], again["completed_at"]) == ("completed", done["completed_at"])


async def test_only_the_student_or_an_admin_drops(
    instructor: Person, other_instructor: Person, student: Person, admin: Person, become: Become
) -> None:
    enrollment = await student.enroll(await instructor.publish_course())
    path = f"/api/enrollments/{enrollment['id']}"
    for stranger in (other_instructor, await become(Role.STUDENT)):
        problem(await stranger.get(path), 404)
        problem(await stranger.get(f"{path}/progress"), 404)
        problem(await stranger.delete(path), 404)
    assert kind(problem(await instructor.delete(path), 403)) == "not-the-student"
    assert (await instructor.get(path)).json() == enrollment
    assert (await admin.delete(path)).status_code == 204
    problem(await student.get("/api/enrollments/999999"), 404)


async def test_a_suspended_student_keeps_the_place_and_reads_nothing(
    instructor: Person, student: Person, admin: Person, sql: asyncpg.Connection, clock: FixedClock
) -> None:
    course = await instructor.publish_course()
    module, lesson = course["modules"][0], course["modules"][0]["lessons"][0]
    enrollment = await student.enroll(course)
    path = f"/api/enrollments/{enrollment['id']}"
    suspended = (await admin.post(f"{path}/suspend", {"reason": " Shared the answers. "})).json()
    assert (suspended["status"], suspended["suspended_reason"]) == ("suspended", "Shared the answers.")
    assert suspended["suspended_at"] is not None
    clock.advance(seconds=1)
    assert (await admin.post(f"{path}/suspend", {"reason": "Again."})).json() == suspended
    for answer in (
        await student.get(f"{lessons_of(module)}/{lesson['id']}"),
        await student.post(f"/api/lessons/{lesson['id']}/complete"),
    ):
        assert kind(problem(answer, 403)) == "enrollment-suspended"
    assert kind(problem(await student.delete(path), 409)) == "suspension-in-force"
    assert kind(problem(await enroll(student, course), 409)) == "suspension-in-force"
    assert (await student.get(path)).json()["suspended_reason"] == "Shared the answers."

    for _ in range(2):
        back = (await admin.post(f"{path}/reinstate")).json()
        assert (back["status"], back["suspended_at"], back["suspended_reason"]) == ("active", None, None)
    assert (await student.complete(lesson))["status"] == "completed"
    await admin.post(f"{path}/suspend", {"reason": "Again."})
    assert (await admin.post(f"{path}/reinstate")).json()["status"] == "completed"
    types = [event["type"].removeprefix("enrollment.") for event in await events(sql, "enrollment.")]
    assert types == ["created", "suspended", "reinstated", "completed", "suspended", "reinstated"]


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, None, "nul\0"])
async def test_a_suspension_has_a_reason(instructor: Person, student: Person, admin: Person, reason: Any) -> None:
    enrollment = await student.enroll(await instructor.publish_course())
    problem(await admin.post(f"/api/enrollments/{enrollment['id']}/suspend", {"reason": reason}), 422)


async def test_only_admins_suspend_and_nobody_who_left(instructor: Person, student: Person, admin: Person) -> None:
    enrollment = await student.enroll(await instructor.publish_course())
    path = f"/api/enrollments/{enrollment['id']}"
    for person in (instructor, student):
        problem(await person.post(f"{path}/suspend", {"reason": "No."}), 403)
        problem(await person.post(f"{path}/reinstate"), 403)
    await student.delete(path)
    for step, body in (("suspend", {"reason": "Late."}), ("reinstate", None)):
        assert kind(problem(await admin.post(f"{path}/{step}", body), 409)) == "enrollment-dropped"


async def test_my_courses_are_mine_the_newest_first_with_the_progress_of_now(
    instructor: Person, student: Person, become: Become, clock: FixedClock
) -> None:
    courses = []
    for number in range(3):
        courses.append(await instructor.publish_course(f"Course {number}"))
        clock.advance(seconds=1)
        await student.enroll(courses[-1])
    await (await become(Role.STUDENT)).enroll(courses[0])
    await student.complete(courses[1]["modules"][0]["lessons"][0])
    await instructor.create_lesson(courses[1]["modules"][0], "Added later")

    async def listed(**params: str | int) -> list[tuple[str, str, float]]:
        page = (await student.get("/api/enrollments/my-courses", params=params)).json()
        return [(item["course"]["title"], item["status"], item["completion_percentage"]) for item in page["items"]]

    everything = [("Course 2", "active", 0), ("Course 1", "completed", 50), ("Course 0", "active", 0)]
    assert await listed() == everything
    assert await listed(size=2) + await listed(size=2, page=2) == everything
    assert await listed(status="completed") == everything[1:2]
    problem(await student.get("/api/enrollments/my-courses", params={"status": "asleep"}), 422)


async def test_the_roster_is_for_the_courses_instructor_and_admins(
    instructor: Person, other_instructor: Person, student: Person, admin: Person, become: Become, clock: FixedClock
) -> None:
    course = await instructor.publish_course()
    path = f"/api/courses/{course['id']}/enrollments"
    await student.enroll(course)
    await student.complete(course["modules"][0]["lessons"][0])
    clock.advance(seconds=1)
    second = await become(Role.STUDENT)
    await second.delete(f"/api/enrollments/{(await second.enroll(course))['id']}")
    for person in (instructor, admin):
        roster = (await person.get(path)).json()
        seen = [(each["student"]["id"], each["status"], each["completion_percentage"]) for each in roster["items"]]
        assert seen == [(second.id, "dropped", 0), (student.id, "completed", 100)]
        assert roster["items"][1]["student"]["full_name"] == "The student"
    assert "@" not in str(roster)
    assert (await instructor.get(path, params={"status": "dropped"})).json()["total"] == 1
    problem(await student.get(path), 403)
    problem(await other_instructor.get(path), 403)
    problem(await instructor.get("/api/courses/999999/enrollments"), 404)
