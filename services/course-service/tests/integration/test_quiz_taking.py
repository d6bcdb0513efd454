"""Taking quizzes: what is shown, graded, counted and kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from course_people import QUIZ, RIGHT, WRONG, Person, events, lessons_of, problem
from fastapi import FastAPI

from course_service.repositories.revision import Body, RevisionRepository
from shared.identity import Role
from shared.testing.servers import MongoServer
from shared.utils.datetime import FixedClock

Become = Callable[..., Awaitable[Person]]


@pytest.fixture
async def course(instructor: Person) -> dict[str, Any]:
    return await instructor.publish_course()


Make = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
async def make(instructor: Person, course: dict[str, Any]) -> Make:
    """Make a published quiz: `await make(max_attempts=3)`."""

    async def make(**changes: Any) -> dict[str, Any]:
        body, module = QUIZ | changes, course["modules"][0]
        return await instructor.create_lesson(module, "Check", kind="quiz", body=body)

    return make


async def test_a_student_sees_questions_an_author_sees_answers(
    make: Make, instructor: Person, student: Person, admin: Person, course: dict[str, Any]
) -> None:
    quiz = await make(max_attempts=3)
    enrolled = await student.enroll(course)
    path = f"/api/courses/{course['id']}/modules/{quiz['module_id']}/lessons/{quiz['id']}"
    for author in (instructor, admin):
        assert (await author.get(path)).json()["body"] == QUIZ | {"max_attempts": 3}
    body = (await student.get(path)).json()["body"]
    detail = (await student.get(f"/api/quizzes/{quiz['id']}")).json()
    for seen in (body, detail["quiz"]):
        assert [question["id"] for question in seen["questions"]] == ["capital", "flat"]
        assert not {"correct", "explanation", "Since 987."} & set(json.dumps(seen).split('"'))
    assert detail["id"] == quiz["id"]
    assert (detail["attempts_used"], detail["attempts_left"]) == (0, 3)
    assert (detail["best_score"], detail["is_passed"]) == (None, False)
    assert enrolled["quiz_scores"] == {}


async def test_a_preview_shows_everybody_the_questions_only(
    instructor: Person, course: dict[str, Any], anonymous: Person, student: Person
) -> None:
    module = course["modules"][0]
    quiz = await instructor.create_lesson(module, kind="quiz", body=QUIZ, is_preview=True)
    for person in (anonymous, student):
        body = (await person.get(f"{lessons_of(module)}/{quiz['id']}")).json()["body"]
        assert "correct" not in json.dumps(body)
    problem(await anonymous.get(f"/api/quizzes/{quiz['id']}"), 401)
    assert (await student.get(f"/api/quizzes/{quiz['id']}")).status_code == 200
    refused = problem(await student.post(f"/api/quizzes/{quiz['id']}/submit", {"answers": RIGHT}), 403)
    assert refused["type"] == "urn:smartcourse:problem:enrollment-required"


async def test_failing_then_passing_counts_the_best_and_says_it_once(
    make: Make, student: Person, course: dict[str, Any], sql: asyncpg.Connection, clock: FixedClock
) -> None:
    quiz = await make()
    enrollment = await student.enroll(course)
    await student.complete(course["modules"][0]["lessons"][0])
    half = await student.submit(quiz, {"capital": "b"})
    assert (half["number"], half["score_percentage"], half["is_passed"]) == (1, 50, False)
    assert (half["completion_percentage"], half["attempts_left"]) == (50, None)
    assert [(each["question_id"], each["is_correct"], each["points_earned"]) for each in half["results"]] == [
        ("capital", True, 1),
        ("flat", False, 0),
    ]
    assert all(each["correct_answer"] is None and each["explanation"] is None for each in half["results"])
    clock.advance(seconds=60)
    passed = await student.submit(quiz, RIGHT)
    assert (passed["number"], passed["score_percentage"], passed["is_passed"]) == (2, 100, True)
    assert passed["completion_percentage"] == 100
    assert [each["correct_answer"] for each in passed["results"]] == ["b", False]
    assert passed["results"][0]["explanation"] == "Since 987."
    clock.advance(seconds=60)
    worse = await student.submit(quiz, WRONG)
    assert (worse["is_passed"], worse["score_percentage"], worse["best_score"]) == (False, 0, 100)
    seen = (await student.get(f"/api/enrollments/{enrollment['id']}")).json()
    assert (seen["status"], seen["completed_at"]) == ("completed", passed["submitted_at"])
    assert (seen["completed_quizzes"], seen["quiz_scores"]) == ([quiz["id"]], {str(quiz["id"]): 100})
    detail = (await student.get(f"/api/quizzes/{quiz['id']}")).json()
    assert (detail["attempts_used"], detail["best_score"], detail["is_passed"]) == (3, 100, True)
    progress = (await student.get(f"/api/enrollments/{enrollment['id']}/progress")).json()
    assert progress["modules"][0]["lessons"][1]["best_score"] == 100
    graded = await events(sql, "progress.quiz_graded")
    assert [(each["data"]["attempt"], each["data"]["is_passed"]) for each in graded] == [
        (1, False),
        (2, True),
        (3, False),
    ]
    assert graded[0]["data"]["quiz_title"] == "Check"
    assert graded[0]["data"]["course_title"] == course["title"]
    of_quiz = [each for each in await events(sql, "progress.lesson") if each["data"]["lesson_id"] == quiz["id"]]
    assert len(of_quiz) == len(await events(sql, "enrollment.completed")) == 1


@pytest.mark.parametrize(
    ("show_answers", "after_failing", "after_passing"),
    [("never", False, False), ("after_pass", False, True), ("after_attempt", True, True)],
)
async def test_answers_are_shown_when_the_author_says(
    make: Make, student: Person, course: dict[str, Any], show_answers: str, after_failing: bool, after_passing: bool
) -> None:
    quiz = await make(show_answers=show_answers)
    await student.enroll(course)
    for answers, expected in ((WRONG, after_failing), (RIGHT, after_passing), (WRONG, after_passing)):
        result = await student.submit(quiz, answers)
        assert [each["correct_answer"] for each in result["results"]] == (["b", False] if expected else [None, None])


async def test_a_blank_submission_earns_nothing_and_is_an_attempt(
    make: Make, student: Person, course: dict[str, Any]
) -> None:
    quiz = await make(max_attempts=2)
    await student.enroll(course)
    result = await student.submit(quiz, {})
    assert (result["score_percentage"], result["is_passed"], result["attempts_left"]) == (0, False, 1)
    assert (await student.submit(quiz, {"capital": None, "flat": ""}))["score_percentage"] == 0


async def test_answers_that_do_not_fit_are_refused_and_are_no_attempt(
    make: Make, student: Person, course: dict[str, Any], sql: asyncpg.Connection
) -> None:
    quiz = await make(max_attempts=1)
    await student.enroll(course)
    path = f"/api/quizzes/{quiz['id']}/submit"
    document = problem(await student.post(path, {"answers": {"capital": "z", "moon": "x", "flat": False}}), 422)
    assert [error["loc"] for error in document["errors"]] == ["body.answers.capital", "body.answers.moon"]
    for malformed in ({}, {"answers": []}, {"answers": RIGHT, "score": 100}, {"answers": {"flat": {"a": 1}}}):
        problem(await student.post(path, malformed), 422)
    raw = await student.client.post(
        path, content=b'{"answers": {"capital": "\\ud800"}}', headers={"content-type": "application/json"}
    )
    problem(raw, 422)
    assert await sql.fetchval("SELECT count(*) FROM quiz_attempts") == 0


async def test_20_parallel_submissions_make_no_more_than_the_attempts_there_are(
    make: Make, student: Person, course: dict[str, Any], sql: asyncpg.Connection
) -> None:
    quiz = await make(max_attempts=3)
    await student.enroll(course)
    path = f"/api/quizzes/{quiz['id']}/submit"
    answers = await asyncio.gather(
        *(student.post(path, {"answers": RIGHT if number % 2 else WRONG}) for number in range(20))
    )
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(201), statuses.count(409)) == (3, 17)
    refused = problem(next(answer for answer in answers if answer.status_code == 409), 409)
    assert (refused["type"], refused["max_attempts"]) == ("urn:smartcourse:problem:no-attempts-left", 3)
    rows = await sql.fetch("SELECT number, score_percentage FROM quiz_attempts ORDER BY number")
    assert [row["number"] for row in rows] == [1, 2, 3]
    assert len(await events(sql, "progress.quiz_graded")) == 3
    scores = json.loads(await sql.fetchval("SELECT quiz_scores FROM enrollments"))
    assert scores == {str(quiz["id"]): max(float(row["score_percentage"]) for row in rows)}
    assert (await student.get(f"/api/quizzes/{quiz['id']}")).json()["attempts_left"] == 0


async def test_submitting_and_completing_at_once_lose_nothing(
    make: Make, student: Person, course: dict[str, Any], sql: asyncpg.Connection
) -> None:
    quizzes = [await make() for _ in range(4)]
    await student.enroll(course)
    reading = course["modules"][0]["lessons"][0]
    await asyncio.gather(*(student.submit(quiz, RIGHT) for quiz in quizzes * 3), student.complete(reading))
    row = await sql.fetchrow("SELECT * FROM enrollments")
    assert row["completed_quizzes"] == [quiz["id"] for quiz in quizzes]
    assert row["completed_lessons"] == [reading["id"], *row["completed_quizzes"]]
    assert (row["completion_percentage"], row["status"]) == (100, "completed")
    assert await sql.fetchval("SELECT count(*) FROM quiz_attempts") == 12


async def test_attempts_are_kept_for_the_student_and_the_author(
    make: Make, instructor: Person, other_instructor: Person, student: Person, course: dict[str, Any], become: Become
) -> None:
    quiz = await make()
    await student.enroll(course)
    for answers in (WRONG, RIGHT):
        await student.submit(quiz, answers)
    path = f"/api/quizzes/{quiz['id']}/attempts"
    mine = (await student.get(path)).json()
    assert [(each["number"], each["score_percentage"], each["answers"]) for each in mine["items"]] == [
        (2, 100, RIGHT),
        (1, 0, WRONG),
    ]
    assert (await instructor.get(path, params={"student_id": student.id or 0})).json() == mine
    assert (await instructor.get(path)).json()["items"] == []
    other = await become(Role.STUDENT)
    for stranger in (other, other_instructor):
        assert (await stranger.get(path)).json()["items"] == []
        problem(await stranger.get(path, params={"student_id": student.id or 0}), 403)


async def test_attempts_outlive_dropping_and_count_on_return(
    make: Make, student: Person, course: dict[str, Any]
) -> None:
    quiz = await make(max_attempts=1)
    enrollment = await student.enroll(course)
    await student.submit(quiz, WRONG)
    await student.delete(f"/api/enrollments/{enrollment['id']}")
    await student.enroll(course)
    problem(await student.post(f"/api/quizzes/{quiz['id']}/submit", {"answers": RIGHT}), 409)


async def test_what_is_no_quiz_and_what_is_hidden_cannot_be_taken(
    instructor: Person, student: Person, course: dict[str, Any], make: Make
) -> None:
    reading = course["modules"][0]["lessons"][0]
    await student.enroll(course)
    for answer in (
        await student.get(f"/api/quizzes/{reading['id']}"),
        await student.get(f"/api/quizzes/{reading['id']}/attempts"),
        await student.post(f"/api/quizzes/{reading['id']}/submit", {"answers": {}}),
    ):
        assert problem(answer, 404)["type"] == "urn:smartcourse:problem:not-a-quiz"
    quiz = await make()
    await instructor.patch(f"{lessons_of(course['modules'][0])}/{quiz['id']}", {"is_published": False})
    problem(await student.get(f"/api/quizzes/{quiz['id']}"), 404)
    problem(await student.post(f"/api/quizzes/{quiz['id']}/submit", {"answers": RIGHT}), 404)


async def test_a_changed_quiz_must_make_sense_too(instructor: Person, course: dict[str, Any], make: Make) -> None:
    quiz = await make()
    path = f"{lessons_of(course['modules'][0])}/{quiz['id']}"
    questions = [QUIZ["questions"][0] | {"correct": "z"}]  # type: ignore[index]
    document = problem(await instructor.patch(path, {"body": {"questions": questions, "passing_score": 101}}), 422)
    assert document["type"] == "urn:smartcourse:problem:body-does-not-fit"
    assert [error["loc"] for error in document["errors"]] == [
        "body.body.questions.0.single.correct",
        "body.body.passing_score",
    ]
    document = problem(
        await instructor.post(lessons_of(course["modules"][0]), {"title": "Q", "kind": "quiz", "body": {}}), 422
    )
    assert document["errors"][0]["loc"] == "body.body"


async def test_answers_are_graded_anew_if_the_quiz_changes_meanwhile(
    app: FastAPI,
    make: Make,
    instructor: Person,
    student: Person,
    course: dict[str, Any],
    sql: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The author corrects the key between the reading of the quiz and the transaction that keeps the attempt."""
    quiz = await make()
    path = f"{lessons_of(course['modules'][0])}/{quiz['id']}"
    await student.enroll(course)
    corrected = QUIZ | {"questions": [QUIZ["questions"][0] | {"correct": "a"}, QUIZ["questions"][1]]}  # type: ignore[index]
    read, revised = RevisionRepository.get_body, asyncio.Event()

    async def read_then_revise(self: RevisionRepository, revision_id: str) -> Body:
        body = await read(self, revision_id)
        if not revised.is_set():
            revised.set()
            assert (await instructor.patch(path, {"body": corrected})).status_code == 200
        return body

    monkeypatch.setattr(RevisionRepository, "get_body", read_then_revise)
    result = await student.submit(quiz, {"capital": "a", "flat": False})
    assert (result["score_percentage"], result["number"]) == (100, 1)
    kept = await sql.fetchrow("SELECT revision_id, count(*) OVER () AS attempts FROM quiz_attempts")
    current = await sql.fetchval("SELECT current_revision_id FROM lessons WHERE id = $1", quiz["id"])
    assert (kept["revision_id"], kept["attempts"]) == (current, 1)


async def test_a_quiz_of_the_time_before_quizzes_had_a_form_leaks_nothing(
    instructor: Person, student: Person, course: dict[str, Any], make: Make, sql: asyncpg.Connection
) -> None:
    old = await instructor.create_lesson(
        course["modules"][0], kind="file", body={"questions": [{"ask": "?", "key": 4}]}
    )
    await sql.execute("UPDATE lessons SET kind = 'quiz' WHERE id = $1", old["id"])
    await student.enroll(course)
    for answer in (
        await student.get(f"{lessons_of(course['modules'][0])}/{old['id']}"),
        await student.get(f"/api/quizzes/{old['id']}"),
        await student.post(f"/api/quizzes/{old['id']}/submit", {"answers": {}}),
    ):
        assert problem(answer, 409)["type"] == "urn:smartcourse:problem:quiz-not-ready"
        assert "key" not in answer.text


async def test_without_mongodb_a_submission_is_503_and_no_attempt(
    make: Make,
    student: Person,
    course: dict[str, Any],
    mongo_server: MongoServer,
    sql: asyncpg.Connection,
    app: FastAPI,
) -> None:
    quiz = await make()
    await student.enroll(course)
    mongo_server.stop()
    try:
        problem(await student.post(f"/api/quizzes/{quiz['id']}/submit", {"answers": RIGHT}), 503)
    finally:
        mongo_server.start()
    assert await sql.fetchval("SELECT count(*) FROM quiz_attempts") == 0
    assert (await student.submit(quiz, RIGHT))["number"] == 1
