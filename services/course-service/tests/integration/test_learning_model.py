"""Random lives of a course and its students, beside a model that says what each answer must be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import asyncpg
import pytest
from course_people import QUIZ, RIGHT, WRONG, Person, lessons_of
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from course_service.services.certificate_file import CertificateMaker
from shared.identity import Role
from shared.utils.datetime import FixedClock

T = TypeVar("T")

CAPACITY = 2
STUDENTS = 3
MAX_ATTEMPTS = 3
ANY = st.integers(min_value=0, max_value=99)


@dataclass
class Lesson:
    """A lesson as the model knows it."""

    row: dict[str, Any]
    is_quiz: bool
    is_published: bool
    is_required: bool
    is_deleted: bool = False

    @property
    def id(self) -> int:
        return int(self.row["id"])

    @property
    def is_open(self) -> bool:
        return self.is_published and not self.is_deleted


@dataclass
class Enrollment:
    """An enrollment as the model knows it; `dates` are of lessons and never change."""

    id: int
    status: str = "active"
    completed_at: str | None = None
    dates: dict[int, str] = field(default_factory=dict)
    best: dict[int, float] = field(default_factory=dict)
    passed: set[int] = field(default_factory=set)
    attempts: dict[int, int] = field(default_factory=dict)
    certificate_number: str | None = None
    seen_dates: dict[str, str] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        return self.status in {"active", "completed"}


@dataclass
class World:
    """The service, the people, and the loop that they live in."""

    loop: asyncio.AbstractEventLoop
    sql: asyncpg.Connection
    clock: FixedClock
    owner: Person
    admin: Person
    students: list[Person]

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it in the loop, and wait here: the machine runs in a thread."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=60)


class Learning(RuleBasedStateMachine):
    """One course for `CAPACITY` students, of whom there are more."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.lessons: list[Lesson] = []
        self.enrollments: dict[int, Enrollment] = {}

    # what the model knows

    def lesson(self, number: int) -> Lesson:
        """One of the lessons, more often one that is open: most of what is asked should be possible."""
        likely = [lesson for lesson in self.lessons if lesson.is_open] * 3 + self.lessons
        return likely[number % len(likely)]

    def person(self, number: int) -> int:
        """One of the students, more often one whose enrollment is open."""
        likely = [who for who, mine in self.enrollments.items() if mine.is_open] * 4 + list(range(STUDENTS))
        return likely[number % len(likely)]

    def required(self) -> set[int]:
        return {lesson.id for lesson in self.lessons if lesson.is_open and lesson.is_required}

    def percentage(self, enrollment: Enrollment) -> float:
        required = self.required()
        return 10_000 * len(required & enrollment.dates.keys()) // len(required) / 100 if required else 0

    def settle(self, enrollment: Enrollment) -> None:
        """What a write makes of an enrollment."""
        if self.percentage(enrollment) == 100 and enrollment.is_open and enrollment.completed_at is None:
            enrollment.status, enrollment.completed_at = "completed", self.now()

    def is_last_open(self, lesson: Lesson) -> bool:
        return [each for each in self.lessons if each.is_open] == [lesson]

    def now(self) -> str:
        return self.world.clock.now().isoformat()

    def ask(self, person: Person, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        self.world.clock.advance(seconds=1)
        answer = self.world.do(person.client.request(method, path, json=body))
        return answer.status_code, answer.json() if answer.content else None

    def of_lesson(self, lesson: Lesson) -> str:
        return f"{lessons_of(self.modules[lesson.row['module_id']])}/{lesson.id}"

    # what the author does

    @initialize()
    def publish(self) -> None:
        owner, do = self.world.owner, self.world.do
        self.course = do(owner.create_course("Knots", capacity=CAPACITY))
        made = [do(owner.create_module(self.course["id"], title)) for title in "AB"]
        self.modules = {module["id"]: module for module in made}
        for number in range(3):
            self.add_lesson(number, is_quiz=number == 2, is_published=True, is_required=True)
        assert self.ask(owner, "POST", f"/api/courses/{self.course['id']}/publish")[0] == 200
        self.enroll(0)

    @rule(number=ANY, is_quiz=st.booleans(), is_published=st.booleans(), is_required=st.booleans())
    def add_lesson(self, number: int, *, is_quiz: bool, is_published: bool, is_required: bool) -> None:
        if len(self.lessons) >= 8:
            return
        module = list(self.modules.values())[number % 2]
        body = {"kind": "quiz", "body": QUIZ | {"max_attempts": MAX_ATTEMPTS}} if is_quiz else {}
        row = self.world.do(
            self.world.owner.create_lesson(module, is_published=is_published, is_required=is_required, **body)
        )
        self.lessons.append(Lesson(row, is_quiz, is_published, is_required))

    @rule(number=ANY, is_published=st.booleans())
    def set_published(self, number: int, *, is_published: bool) -> None:
        lesson = self.lesson(number)
        expected = 404 if lesson.is_deleted else 409 if not is_published and self.is_last_open(lesson) else 200
        change = {"is_published": is_published}
        assert self.ask(self.world.owner, "PATCH", self.of_lesson(lesson), change)[0] == expected
        if expected == 200:
            lesson.is_published = is_published

    @rule(number=ANY, is_required=st.booleans())
    def set_required(self, number: int, *, is_required: bool) -> None:
        lesson = self.lesson(number)
        expected = 404 if lesson.is_deleted else 200
        change = {"is_required": is_required}
        assert self.ask(self.world.owner, "PATCH", self.of_lesson(lesson), change)[0] == expected
        if expected == 200:
            lesson.is_required = is_required

    @rule(number=ANY)
    def delete_lesson(self, number: int) -> None:
        lesson = self.lesson(number)
        expected = 404 if lesson.is_deleted else 409 if self.is_last_open(lesson) else 204
        assert self.ask(self.world.owner, "DELETE", self.of_lesson(lesson))[0] == expected
        lesson.is_deleted = lesson.is_deleted or expected == 204

    # what students do

    @rule(who=st.integers(0, STUDENTS - 1))
    def enroll(self, who: int) -> None:
        mine = self.enrollments.get(who)
        taken = sum(each.status != "dropped" for each in self.enrollments.values())
        is_out = mine is None or mine.status == "dropped"
        expected = 409 if taken >= CAPACITY or not is_out else 201
        wish = {"course_id": self.course["id"]}
        status, answer = self.ask(self.world.students[who], "POST", "/api/enrollments", wish)
        assert status == expected, answer
        if status != 201:
            return
        if mine is None:
            mine = self.enrollments[who] = Enrollment(answer["id"])
        assert answer["id"] == mine.id
        mine.status = "completed" if mine.completed_at else "active"
        self.settle(mine)

    @rule(who=st.integers(0, STUDENTS - 1))
    def drop(self, who: int) -> None:
        mine = self.enrollments.get(who)
        if mine is None:
            return
        expected = 409 if mine.status == "suspended" else 204
        assert self.ask(self.world.students[who], "DELETE", f"/api/enrollments/{mine.id}")[0] == expected
        mine.status = "dropped" if expected == 204 else mine.status

    @rule(who=st.integers(0, STUDENTS - 1), ends=st.sampled_from([True, True, False]))
    def suspend_or_reinstate(self, who: int, *, ends: bool) -> None:
        mine = self.enrollments.get(who)
        if mine is None:
            return
        step, body = ("reinstate", None) if ends else ("suspend", {"reason": "Because."})
        expected = 409 if mine.status == "dropped" else 200
        assert self.ask(self.world.admin, "POST", f"/api/enrollments/{mine.id}/{step}", body)[0] == expected
        if expected == 200 and not ends:
            mine.status = "suspended"
        elif expected == 200 and mine.status == "suspended":
            mine.status = "completed" if mine.completed_at else "active"

    def obstacle(self, mine: Enrollment | None, lesson: Lesson) -> int | None:
        """What keeps a student from working on a lesson."""
        if not lesson.is_open:
            return 404
        return 403 if mine is None or not mine.is_open else None

    @rule(anyone=ANY, number=ANY)
    def complete(self, anyone: int, number: int) -> None:
        who, lesson = self.person(anyone), self.lesson(number)
        mine = self.enrollments.get(who)
        expected = self.obstacle(mine, lesson)
        if expected is None and lesson.is_quiz and lesson.id not in mine.passed:
            expected = 409
        status, answer = self.ask(self.world.students[who], "POST", f"/api/lessons/{lesson.id}/complete")
        assert status == (expected or 200), answer
        if status == 200:
            mine.dates.setdefault(lesson.id, self.now())
            self.settle(mine)
            assert (answer["completion_percentage"], answer["status"]) == (self.percentage(mine), mine.status)

    @rule(anyone=ANY, number=ANY, is_right=st.booleans())
    def submit(self, anyone: int, number: int, *, is_right: bool) -> None:
        who, lesson = self.person(anyone), self.lesson(number)
        mine = self.enrollments.get(who)
        expected = self.obstacle(mine, lesson)
        if not lesson.is_quiz:
            expected = expected or 404
        if expected is None and mine.attempts.get(lesson.id, 0) >= MAX_ATTEMPTS:
            expected = 409
        answers = {"answers": RIGHT if is_right else WRONG}
        status, answer = self.ask(self.world.students[who], "POST", f"/api/quizzes/{lesson.id}/submit", answers)
        assert status in {403, 404} if expected == 404 else status == (expected or 201), answer
        if status == 201:
            mine.attempts[lesson.id] = mine.attempts.get(lesson.id, 0) + 1
            mine.best[lesson.id] = max(mine.best.get(lesson.id, 0), 100 if is_right else 0)
            if is_right:
                mine.passed.add(lesson.id)
                mine.dates.setdefault(lesson.id, self.now())
            self.settle(mine)

    @rule(anyone=ANY)
    def do_all_that_is_required(self, anyone: int) -> None:
        for number in range(len(self.lessons)):
            place = 3 * sum(lesson.is_open for lesson in self.lessons) + number  # behind those that are likelier
            if self.lessons[number].is_quiz:
                self.submit(anyone, place, is_right=True)
            self.complete(anyone, place)
        self.ask_for_certificate(self.person(anyone))

    @rule(who=st.integers(0, STUDENTS - 1))
    def ask_for_certificate(self, who: int) -> None:
        mine = self.enrollments.get(who)
        if mine is None:
            return
        status, answer = self.ask(self.world.students[who], "POST", f"/api/enrollments/{mine.id}/certificate")
        if mine.certificate_number is not None:
            assert (status, answer["certificate_number"]) == (200, mine.certificate_number)
            return
        if mine.status == "suspended":
            assert status == 403, answer
            return
        if mine.is_open:
            self.settle(mine)
        assert status == (201 if mine.completed_at else 409), answer
        mine.certificate_number = answer.get("certificate_number")

    # what is always so

    @invariant()
    def what_is_stored_is_what_the_model_says(self) -> None:
        if not self.enrollments:
            return
        do, sql, course_id = self.world.do, self.world.sql, self.course["id"]
        rows = do(sql.fetch("SELECT * FROM enrollments WHERE course_id = $1", course_id))
        assert len(rows) == len(self.enrollments)
        assert sum(row["status"] != "dropped" for row in rows) <= CAPACITY
        stored = {row["id"]: row for row in rows}
        for mine in self.enrollments.values():
            row = stored[mine.id]
            dates = json.loads(row["completion_dates"])
            assert {f"lesson:{id_}": date for id_, date in mine.dates.items()}.items() <= dates.items()
            assert mine.seen_dates.items() <= dates.items(), "a date was changed or lost"
            mine.seen_dates = dates
            assert row["status"] == mine.status
            assert row["completed_lessons"] == sorted(mine.dates)
            assert row["completed_quizzes"] == sorted(mine.passed)
            assert json.loads(row["quiz_scores"]) == {str(id_): best for id_, best in mine.best.items()}
            assert (row["completed_at"] and row["completed_at"].isoformat()) == mine.completed_at
        given = "SELECT enrollment_id, certificate_number FROM certificates WHERE enrollment_id = ANY($1)"
        certificates = [tuple(row) for row in do(sql.fetch(given, list(stored)))]
        expected = [(each.id, each.certificate_number) for each in self.enrollments.values() if each.certificate_number]
        assert sorted(certificates) == sorted(expected)

    @invariant()
    def what_is_shown_is_measured_against_what_is_published_now(self) -> None:
        for who, mine in self.enrollments.items():
            student = self.world.students[who]
            shown = self.world.do(student.get(f"/api/enrollments/{mine.id}")).json()
            assert 0 <= shown["completion_percentage"] <= 100
            assert shown["completion_percentage"] == self.percentage(mine)
            assert shown["total_lessons"] == len(self.required())
            assert shown["status"] == mine.status


@pytest.fixture
def no_printing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates are given here by the dozen, and nobody reads their files."""

    async def rest(_: CertificateMaker) -> None:
        return

    monkeypatch.setattr(CertificateMaker, "run", rest)


async def test_no_sequence_of_requests_breaks_what_must_always_be_so(
    no_printing: None,
    app: FastAPI,
    become: Callable[..., Awaitable[Person]],
    sql: asyncpg.Connection,
    clock: FixedClock,
) -> None:
    world = World(
        loop=asyncio.get_running_loop(),
        sql=sql,
        clock=clock,
        owner=await become(Role.INSTRUCTOR),
        admin=await become(Role.ADMIN),
        students=[await become(Role.STUDENT) for _ in range(STUDENTS)],
    )
    extent = settings(
        max_examples=25,
        stateful_step_count=40,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    await asyncio.to_thread(run_state_machine_as_test, lambda: Learning(world), settings=extent)
