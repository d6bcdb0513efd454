"""Every operation, asked by every kind of person, of a course in every state."""

from __future__ import annotations

import itertools
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from course_matrix import MATRIX, ROLES, STATES, Expected
from course_people import QUIZ, Person

from shared.identity import Role

OPENAPI = json.loads((Path(__file__).parents[2] / "openapi.json").read_text(encoding="utf-8"))
OPERATIONS = {
    operation["operationId"]: (method, path)
    for path, methods in OPENAPI["paths"].items()
    for method, operation in methods.items()
}
IDENTITIES = {
    "anonymous": Role.ANONYMOUS,
    "stranger": Role.STUDENT,
    "enrolled": Role.STUDENT,
    "suspended": Role.STUDENT,
    "dropped": Role.STUDENT,
    "owner": Role.INSTRUCTOR,
    "other instructor": Role.INSTRUCTOR,
    "admin": Role.ADMIN,
}
STUDENTS = {"enrolled": "active", "suspended": "suspended", "dropped": "dropped"}
WORLD = """
INSERT INTO courses (id, title, slug, description, instructor_id, status, published_at, archived_at)
  VALUES ({course}, 'Knots', 'knots-{course}', 'Ropes.', {owner}, '{state}',
          CASE WHEN '{state}' <> 'draft' THEN now() END, CASE WHEN '{state}' = 'archived' THEN now() END);
INSERT INTO modules (id, course_id, title, position)
  VALUES ({module}, {course}, 'A', 1), ({module} + 1, {course}, 'B', 2);
INSERT INTO lessons (id, module_id, title, kind, position, is_published, current_revision_id) VALUES
  ({reading}, {module}, 'Reading', 'text', 1, true, '{reading_revision}'),
  ({quiz}, {module}, 'Quiz', 'quiz', 2, true, '{quiz_revision}'),
  ({quiz} + 1, {module} + 1, 'More', 'text', 1, true, '{reading_revision}');
DELETE FROM attachments;
INSERT INTO attachments (id, lesson_id, file_id, filename, content_type, size_bytes, sha256, uploaded_by_id)
  VALUES ({attachment}, {reading}, '{file}', 'notes.txt', 'text/plain', {size}, '{sha256}', {owner});
"""
ENROLLMENT = """
INSERT INTO enrollments (id, student_id, course_id, status) VALUES ({id}, {student}, {course}, '{status}');
INSERT INTO certificates (id, enrollment_id, certificate_number, issue_date, verification_code, grade, file_due_at)
  VALUES ({id}, {id}, 'SC-{id}', current_date, '{code:0>24}', 'Pass', NULL);
"""


@dataclass
class Originals:
    """What was written once, through the API: each world refers to the same revisions and file."""

    reading_revision: str
    quiz_revision: str
    file: str
    size: int
    sha256: str


class Worlds:
    """Makes for each question a course that nobody has touched, as far from the others' ids as can be."""

    def __init__(self, sql: asyncpg.Connection, people: dict[str, Person], originals: Originals, state: str) -> None:
        self._sql, self._people, self._originals, self._state = sql, people, originals, state
        self._numbers: Iterator[int] = itertools.count(1_000_000, 10)

    async def make(self, *, asked_by: str, is_quiz: bool) -> dict[str, int | str]:
        """Return the ids that a path may name, as `asked_by` would name them."""
        number = next(self._numbers)
        ids = dict.fromkeys(("course", "module", "reading", "attachment"), number) | {"quiz": number + 1}
        script = WORLD.format(**ids, **vars(self._originals), owner=self._people["owner"].id, state=self._state)
        enrollments = {student: number + place for place, student in enumerate(STUDENTS)}
        for student, status in STUDENTS.items():
            id_ = enrollments[student]
            script += ENROLLMENT.format(
                id=id_, code=id_, student=self._people[student].id, course=number, status=status
            )
        await self._sql.execute(script)
        enrollment = enrollments.get(asked_by, enrollments["enrolled"])
        return {
            "course_id": number,
            "module_id": number,
            "lesson_id": ids["quiz"] if is_quiz else number,
            "attachment_id": number,
            "enrollment_id": enrollment,
            "certificate_id": enrollment,
            "code": f"{enrollment:0>24}",
        }


@pytest.fixture
async def people(become: Callable[..., Awaitable[Person]]) -> dict[str, Person]:
    return {name: await become(role) for name, role in IDENTITIES.items()}


@pytest.fixture
async def originals(people: dict[str, Person], sql: asyncpg.Connection) -> Originals:
    owner = people["owner"]
    module = await owner.create_module((await owner.create_course())["id"])
    reading = await owner.create_lesson(module)
    quiz = await owner.create_lesson(module, kind="quiz", body=QUIZ)
    files = {"file": ("notes.txt", b"Notes.\n")}
    answer = await owner.client.post(f"/api/lessons/{reading['id']}/attachments", files=files)
    assert answer.status_code == 201, answer.text
    row = await sql.fetchrow("SELECT file_id, size_bytes, sha256 FROM attachments")
    return Originals(reading["revision_id"], quiz["revision_id"], row["file_id"], row["size_bytes"], row["sha256"])


async def ask(person: Person, operation: str, expected: Expected, ids: dict[str, int | str]) -> int:
    """Return the status of the answer."""
    method, path = OPERATIONS[operation]
    options: dict[str, Any] = {}
    if expected.body is not None:
        body = {name: ids["course_id"] if value == "{course_id}" else value for name, value in expected.body.items()}
        options["json"] = body
    if expected.file is not None:
        options["files"] = {"file": ("more.txt", expected.file)}
    answer = await person.client.request(method.upper(), path.format(**ids), **options)
    return answer.status_code


def test_every_operation_has_an_expectation() -> None:
    assert MATRIX.keys() == OPERATIONS.keys()


@pytest.mark.parametrize("state", STATES)
async def test_every_operation_answers_everybody_as_expected(
    state: str, sql: asyncpg.Connection, people: dict[str, Person], originals: Originals
) -> None:
    worlds = Worlds(sql, people, originals, state)
    surprises = []
    for operation, expected in MATRIX.items():
        for role, status in expected.statuses(state).items():
            ids = await worlds.make(asked_by=role, is_quiz=expected.is_quiz)
            answered = await ask(people[role], operation, expected, ids)
            if answered != status:
                surprises.append(f"{operation} by {role}: {answered} instead of {status}")
    assert surprises == []


@pytest.mark.parametrize("state", STATES)
async def test_nobody_learns_of_what_does_not_exist(state: str, people: dict[str, Person]) -> None:
    """Whoever may not know of an object gets what they would get if there were none."""
    names = ("course_id", "module_id", "lesson_id", "attachment_id", "enrollment_id", "certificate_id")
    nothing: dict[str, int | str] = dict.fromkeys(names, 2_000_000_000) | {"code": "0" * 24}
    for operation, expected in MATRIX.items():
        _, path = OPERATIONS[operation]
        for role in ROLES:
            if "{" in path and expected.statuses(state)[role] == 404:
                assert await ask(people[role], operation, expected, nothing) == 404, f"{operation} by {role}"
