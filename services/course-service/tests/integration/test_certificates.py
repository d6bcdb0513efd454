"""Giving, reading, verifying and revoking certificates."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from course_certificates import ask, certified, completed, pdf_of
from course_people import QUIZ, RIGHT, WRONG, Person, events, lessons_of, problem

from course_service.core.certificate import is_certificate_number
from shared.identity import Role
from shared.utils.datetime import FixedClock

Become = Callable[..., Awaitable[Person]]


async def test_a_completed_course_gives_a_certificate_at_once_and_the_same_later(
    instructor: Person, student: Person, clock: FixedClock, sql: asyncpg.Connection
) -> None:
    enrollment = await completed(instructor, student, "Weaving")
    first = await ask(student, enrollment)
    assert first.status_code == 201
    given = first.json()
    assert is_certificate_number(given["certificate_number"])
    assert given["certificate_number"].startswith(f"SC-{clock.now().year}-")
    assert (given["student_id"], given["student_name"]) == (student.id, "The student")
    assert (given["course_title"], given["issue_date"]) == ("Weaving", clock.now().date().isoformat())
    assert (given["grade"], given["score_percentage"], given["issued_by_id"]) == ("Pass", None, None)
    assert (given["is_revoked"], given["certificate_url"]) == (False, None)
    clock.advance(timedelta(days=400))
    again = await ask(student, enrollment)
    assert again.status_code == 200
    assert again.headers["Location"] == f"/api/certificates/{given['id']}"
    assert again.json() | {"certificate_url": None} == given
    (issued,) = await events(sql, "certificate.")
    assert issued["type"] == "certificate.issued"
    assert issued["data"]["certificate_number"] == given["certificate_number"]
    assert issued["data"]["issue_date"] == given["issue_date"]


async def test_fifty_requests_at_once_give_one_certificate(
    instructor: Person, student: Person, admin: Person, sql: asyncpg.Connection
) -> None:
    enrollment = await completed(instructor, student)
    people = [student, instructor, admin]
    answers = await asyncio.gather(*(ask(people[n % 3], enrollment) for n in range(50)))
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [201]
    assert len({answer.json()["certificate_number"] for answer in answers}) == 1
    assert await sql.fetchval("SELECT count(*) FROM certificates") == 1
    assert len(await events(sql, "certificate.")) == 1


async def test_what_is_missing_is_named(instructor: Person, student: Person, sql: asyncpg.Connection) -> None:
    course = await instructor.publish_course()
    lesson = course["modules"][0]["lessons"][0]
    second = await instructor.create_lesson(course["modules"][0], "The second")
    await instructor.create_lesson(course["modules"][0], "Optional", is_required=False)
    enrollment = await student.enroll(course)
    await student.complete(lesson)
    refused = problem(await ask(student, enrollment), 409)
    assert refused["type"] == "urn:smartcourse:problem:course-not-completed"
    assert refused["completion_percentage"] == 50
    assert refused["missing"] == [{"lesson_id": second["id"], "title": "The second"}]
    assert await sql.fetchval("SELECT count(*) FROM certificates") == 0
    await instructor.delete(f"{lessons_of(course['modules'][0])}/{second['id']}")
    assert (await ask(student, enrollment)).status_code == 201
    assert [event["type"] for event in await events(sql) if "completed" in event["type"]][-1] == "enrollment.completed"


async def test_what_was_completed_is_certified_whatever_was_added_since(instructor: Person, student: Person) -> None:
    enrollment = await completed(instructor, student)
    course = (await instructor.get("/api/courses/mine")).json()["items"][0]
    module = (await instructor.get(f"/api/courses/{course['id']}")).json()["modules"][0]
    await instructor.create_lesson(module, "Added later")
    assert (await ask(student, enrollment)).status_code == 201


async def test_who_has_done_everything_but_has_no_access_is_told_what_to_do(
    instructor: Person, student: Person, sql: asyncpg.Connection
) -> None:
    course = await instructor.publish_course()
    module = course["modules"][0]
    second = await instructor.create_lesson(module, "The second")
    enrollment = await student.enroll(course)
    await student.complete(module["lessons"][0])
    pending = "UPDATE enrollments SET payment_status = 'pending' WHERE id = $1"
    await sql.execute(pending, enrollment["id"])
    await instructor.delete(f"{lessons_of(module)}/{second['id']}")

    async def refused() -> str:
        problem_ = problem(await ask(student, enrollment), 409)
        assert problem_["type"] == "urn:smartcourse:problem:enrollment-not-open"
        assert (problem_["course_id"], problem_["enrollment_id"]) == (course["id"], enrollment["id"])
        return str(problem_["detail"])

    assert "payment" in await refused()
    await sql.execute("UPDATE enrollments SET payment_status = NULL")
    assert (await student.delete(f"/api/enrollments/{enrollment['id']}")).status_code == 204
    assert "enroll again" in await refused()
    await student.enroll(course)
    assert (await ask(student, enrollment)).status_code == 201


async def test_instructor_and_admin_may_ask_for_a_student(
    instructor: Person, student: Person, admin: Person, become: Become
) -> None:
    enrollment = await completed(instructor, student)
    given = await ask(instructor, enrollment)
    assert (given.status_code, given.json()["issued_by_id"]) == (201, instructor.id)
    other = await become(Role.STUDENT)
    again = await ask(admin, await completed(instructor, other, "Another"))
    assert (again.status_code, again.json()["issued_by_id"]) == (201, admin.id)


async def test_a_suspended_student_gets_none_and_keeps_what_was_given(
    instructor: Person, student: Person, admin: Person, become: Become
) -> None:
    enrollment = await completed(instructor, student)
    await admin.post(f"/api/enrollments/{enrollment['id']}/suspend", {"reason": "Copied"})
    for person in (student, instructor, admin):
        refused = problem(await ask(person, enrollment), 403)
        assert refused["type"] == "urn:smartcourse:problem:enrollment-suspended"
    other = await become(Role.STUDENT)
    certificate = await certified(instructor, other, "Another")
    await admin.post(f"/api/enrollments/{certificate['enrollment_id']}/suspend", {"reason": "Copied"})
    assert (await ask(other, {"id": certificate["enrollment_id"]})).json()["id"] == certificate["id"]


async def test_who_dropped_a_course_after_completing_it_gets_its_certificate(
    instructor: Person, student: Person, become: Become
) -> None:
    enrollment = await completed(instructor, student)
    assert (await student.delete(f"/api/enrollments/{enrollment['id']}")).status_code == 204
    assert (await ask(student, enrollment)).status_code == 201
    other = await become(Role.STUDENT)
    course = await instructor.publish_course("Never finished")
    unfinished = await other.enroll(course)
    await other.delete(f"/api/enrollments/{unfinished['id']}")
    problem(await ask(other, unfinished), 409)


@pytest.mark.parametrize(
    ("tries", "grade", "score"),
    [([RIGHT], "A", 100.0), ([WRONG, RIGHT], "A", 100.0), ([{"capital": "b", "flat": True}, RIGHT, WRONG], "A", 100.0)],
)
async def test_the_grade_is_of_the_best_scores(
    instructor: Person, student: Person, quiz: dict[str, Any], tries: list[dict[str, Any]], grade: str, score: float
) -> None:
    enrollment = await student.enroll({"id": quiz["course_id"]})
    for answers in tries:
        await student.submit(quiz, answers)
    given = (await ask(student, enrollment)).json()
    assert (given["grade"], given["score_percentage"]) == (grade, score)


async def test_the_mean_is_over_required_quizzes_only(
    instructor: Person, student: Person, quiz: dict[str, Any], become: Become
) -> None:
    module = {"id": quiz["module_id"], "course_id": quiz["course_id"]}
    body = {"questions": [question("q"), question("r")], "passing_score": 50}
    half = await instructor.create_lesson(module, "Half", kind="quiz", body=body)
    optional = await instructor.create_lesson(module, "For fun", kind="quiz", body=body, is_required=False)
    enrollment = await student.enroll({"id": quiz["course_id"]})
    await student.submit(quiz, RIGHT)
    await student.submit(half, {"q": True, "r": False})
    await student.submit(optional, {"q": False, "r": False})
    given = (await ask(student, enrollment)).json()
    assert (given["grade"], given["score_percentage"]) == ("C", 75.0)


def question(name: str) -> dict[str, Any]:
    return {"id": name, "kind": "true_false", "prompt": "Is it?", "correct": True}


@pytest.fixture
async def quiz(instructor: Person) -> dict[str, Any]:
    """A required quiz, all there is to a published course."""
    course = await instructor.create_course("Quizzed")
    module = await instructor.create_module(course["id"])
    lesson = await instructor.create_lesson(module, kind="quiz", body=QUIZ)
    await instructor.post(f"/api/courses/{course['id']}/publish")
    return lesson | {"course_id": course["id"]}


async def test_a_certificate_is_seen_by_its_student_its_instructor_and_admins(
    instructor: Person, student: Person, admin: Person, other_instructor: Person, become: Become, anonymous: Person
) -> None:
    certificate = await certified(instructor, student)
    path = f"/api/certificates/{certificate['id']}"
    for person in (student, instructor, admin):
        assert (await person.get(path)).json()["certificate_number"] == certificate["certificate_number"]
        assert (await person.get(f"{path}/pdf")).status_code in (200, 202)
    stranger = await become(Role.STUDENT)
    for person in (stranger, other_instructor):
        problem(await person.get(path), 404)
        problem(await person.get(f"{path}/pdf"), 404)
        problem(await ask(person, {"id": certificate["enrollment_id"]}), 404)
    for method in (anonymous.get(path), anonymous.get(f"{path}/pdf"), anonymous.get("/api/certificates/mine")):
        problem(await method, 401)
    problem(await anonymous.post(f"/api/enrollments/{certificate['enrollment_id']}/certificate"), 401)
    problem(await admin.get("/api/certificates/999999"), 404)


async def test_ones_own_certificates_are_listed_the_newest_first(
    instructor: Person, student: Person, become: Become
) -> None:
    given = [await certified(instructor, student, f"Course {n}") for n in range(3)]
    await certified(instructor, await become(Role.STUDENT), "Somebody else's")
    listed = (await student.get("/api/certificates/mine", params={"size": 2})).json()
    assert [each["id"] for each in listed["items"]] == [given[2]["id"], given[1]["id"]]
    assert (listed["total"], listed["pages"]) == (3, 2)
    assert (await instructor.get("/api/certificates/mine")).json()["items"] == []


async def test_anybody_may_verify_a_certificate_by_its_code(
    instructor: Person, student: Person, anonymous: Person
) -> None:
    certificate = await certified(instructor, student, "Weaving")
    assert certificate["verification_url"].endswith(f"/api/certificates/verify/{certificate['verification_code']}")
    answer = await anonymous.get(certificate["verification_url"])
    assert answer.headers["Vary"] == "Accept"
    assert answer.json() == {
        "is_valid": True,
        "certificate_number": certificate["certificate_number"],
        "student_name": "The student",
        "course_title": "Weaving",
        "issue_date": certificate["issue_date"],
        "grade": "Pass",
        "revoked_at": None,
        "revoked_reason": None,
    }
    page = await anonymous.get(certificate["verification_url"], headers={"Accept": "text/html"})
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert certificate["certificate_number"] in page.text


@pytest.mark.parametrize("code", ["A" * 24, "x", "A" * 500, "%00", "é"])
async def test_a_code_that_no_certificate_has_is_404(anonymous: Person, code: str) -> None:
    refused = problem(await anonymous.get(f"/api/certificates/verify/{code}"), 404)
    assert refused["type"] == "urn:smartcourse:problem:unknown-verification-code"
    page = await anonymous.get(f"/api/certificates/verify/{code}", headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"


async def test_an_admin_revokes_and_restores_and_verification_tells(
    instructor: Person, student: Person, admin: Person, clock: FixedClock, sql: asyncpg.Connection
) -> None:
    certificate = await certified(instructor, student)
    path = f"/api/certificates/{certificate['id']}"
    at = clock.now()
    revoked = (await admin.post(f"{path}/revoke", {"reason": " Copied "})).json()
    assert (revoked["is_revoked"], revoked["revoked_reason"]) == (True, "Copied")
    clock.advance(timedelta(days=1))
    assert (await admin.post(f"{path}/revoke", {"reason": "Something else"})).json() == revoked
    told = (await student.get(certificate["verification_url"])).json()
    assert (told["is_valid"], told["revoked_reason"]) == (False, "Copied")
    assert told["revoked_at"] == revoked["revoked_at"]
    assert revoked["revoked_at"].startswith(at.isoformat()[:19])
    again = await ask(student, {"id": certificate["enrollment_id"]})
    assert (again.status_code, again.json()["is_revoked"]) == (200, True)
    restored = (await admin.post(f"{path}/restore")).json()
    assert (restored["is_revoked"], restored["revoked_at"], restored["revoked_reason"]) == (False, None, None)
    assert (await admin.post(f"{path}/restore")).json() == restored
    assert (await student.get(certificate["verification_url"])).json()["is_valid"] is True
    announced = await events(sql, "certificate.")
    assert [event["type"] for event in announced] == [
        "certificate.issued",
        "certificate.revoked",
        "certificate.restored",
    ]
    assert announced[1]["data"]["reason"] == "Copied"


async def test_revoking_twenty_times_at_once_is_one_revocation(
    instructor: Person, student: Person, admin: Person, sql: asyncpg.Connection
) -> None:
    path = f"/api/certificates/{(await certified(instructor, student))['id']}/revoke"
    answers = await asyncio.gather(*(admin.post(path, {"reason": f"Reason {n}"}) for n in range(20)))
    assert len({answer.json()["revoked_reason"] for answer in answers}) == 1
    assert len(await events(sql, "certificate.revoked")) == 1


async def test_only_admins_revoke_and_restore(
    instructor: Person, student: Person, admin: Person, anonymous: Person
) -> None:
    path = f"/api/certificates/{(await certified(instructor, student))['id']}"
    for person, status in ((student, 403), (instructor, 403), (anonymous, 401)):
        problem(await person.post(f"{path}/revoke", {"reason": "Mine"}), status)
        problem(await person.post(f"{path}/restore"), status)
    problem(await admin.post(f"{path}/revoke", {"reason": "  "}), 422)
    problem(await admin.post(f"{path}/revoke"), 422)
    problem(await admin.post("/api/certificates/999999/revoke", {"reason": "None"}), 404)
    problem(await admin.post("/api/certificates/999999/restore"), 404)


async def test_a_revoked_certificates_file_is_still_the_record(
    instructor: Person, student: Person, admin: Person
) -> None:
    certificate = await certified(instructor, student)
    before = (await pdf_of(student, certificate)).content
    await admin.post(f"/api/certificates/{certificate['id']}/revoke", {"reason": "Copied"})
    assert (await pdf_of(student, certificate)).content == before
