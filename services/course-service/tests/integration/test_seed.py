"""The demo courses and their learners, and data for load tests."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from course_people import QUIZ, Person
from course_tables import everything
from fastapi import FastAPI

from course_service.config import Settings
from shared.identity import Role

Become = Callable[..., Awaitable[Person]]
COURSES = 3
JOURNEYS = """
SELECT split_part(u.email, '@', 1) AS who, c.title, e.status, e.completion_percentage::float AS percentage,
       EXISTS (SELECT FROM certificates WHERE enrollment_id = e.id) AS is_certified,
       (SELECT count(*) FROM quiz_attempts WHERE enrollment_id = e.id) AS attempts
FROM enrollments AS e JOIN users AS u ON u.id = e.student_id JOIN courses AS c ON c.id = e.course_id
ORDER BY u.email, c.id
"""


async def seed(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "MONGODB_URL": settings.mongodb_url.get_secret_value(),
    }
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "course_service.seed", *(arguments or ("--demo",))],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


async def add(sql: asyncpg.Connection, name: str, role: str, domain: str = "demo") -> None:
    await sql.execute(
        "INSERT INTO users (email, hashed_password, full_name, role) VALUES ($1, '-', $2, $3)",
        f"{name}@{domain}.smartcourse.example",
        name,
        role,
    )


@pytest.fixture
async def demo_instructors(app: FastAPI, sql: asyncpg.Connection) -> None:
    for number in (1, 2):
        await add(sql, f"instructor{number}", "instructor")


@pytest.fixture
async def demo_people(demo_instructors: None, sql: asyncpg.Connection) -> None:
    for number in range(1, 7):
        await add(sql, f"student{number}", "student")


async def test_the_seed_makes_three_public_courses_once(
    settings: Settings, demo_instructors: None, anonymous: Person
) -> None:
    for _ in range(2):
        done = await seed(settings)
        assert done.returncode == 0, done.stderr
        page = (await anonymous.get("/api/courses")).json()
        assert page["total"] == COURSES
    assert all(course["lesson_count"] == 6 for course in page["items"])
    outline = (await anonymous.get(f"/api/courses/{page['items'][0]['id']}")).json()["modules"]
    assert [module["lessons"][-1]["kind"] for module in outline] == ["quiz", "quiz"]


async def test_demo_learners_stand_in_every_state_and_a_second_run_moves_none(
    settings: Settings, demo_people: None, sql: asyncpg.Connection
) -> None:
    found = []
    for _ in range(2):
        done = await seed(settings)
        assert done.returncode == 0, done.stderr
        found.append([tuple(row) for row in await sql.fetch(JOURNEYS)])
    assert found[0] == found[1]
    states = [
        (who, status, percentage, certified, attempts) for who, _, status, percentage, certified, attempts in found[0]
    ]
    assert states == [
        ("student1", "completed", 100.0, True, 2),
        ("student1", "active", 16.66, False, 0),
        ("student2", "active", 33.33, False, 1),
        ("student3", "active", 0.0, False, 0),
        ("student4", "dropped", 16.66, False, 0),
        ("student5", "suspended", 16.66, False, 0),
        ("student6", "completed", 100.0, False, 2),
    ]


async def test_an_interrupted_seed_is_continued(
    settings: Settings, demo_people: None, sql: asyncpg.Connection, anonymous: Person
) -> None:
    assert (await seed(settings)).returncode == 0
    before = [tuple(row) for row in await sql.fetch(JOURNEYS)]
    await sql.execute("DELETE FROM certificates; UPDATE enrollments SET enrollment_source = NULL")
    await sql.execute("UPDATE courses SET status = 'draft', published_at = NULL WHERE id = 2")
    last = "SELECT max(l.id) FROM lessons l JOIN modules m ON m.id = l.module_id WHERE m.course_id = 2"
    await sql.execute(f"DELETE FROM quiz_attempts WHERE lesson_id IN ({last})")
    await sql.execute(f"DELETE FROM lessons WHERE id IN ({last})")
    assert (await seed(settings)).returncode == 0
    page = (await anonymous.get("/api/courses")).json()
    assert [course["lesson_count"] for course in page["items"]] == [6] * COURSES
    assert [tuple(row) for row in await sql.fetch(JOURNEYS)] == before


async def find_user(sql: asyncpg.Connection, name: str) -> int:
    user_id: int = await sql.fetchval("SELECT id FROM users WHERE email = $1", f"{name}@demo.smartcourse.example")
    return user_id


async def test_what_people_did_to_the_demo_since_is_left_alone(
    settings: Settings, demo_people: None, sql: asyncpg.Connection, admin: Person, become: Become
) -> None:
    assert (await seed(settings)).returncode == 0
    outlines = [(await admin.get(f"/api/courses/{id_}/modules")).json() for id_ in (1, 2, 3)]
    for modules in outlines:
        await admin.create_lesson(modules[0], "Added to read", position=1)
        await admin.create_lesson(modules[1], "Added to answer", kind="quiz", body=QUIZ)
    answer = await admin.patch("/api/courses/2", {"title": "Renamed"})
    assert answer.status_code == 200, answer.text
    suspended = await sql.fetchval("SELECT id FROM enrollments WHERE status = 'suspended'")
    student4 = await become(Role.STUDENT, user_id=await find_user(sql, "student4"))
    assert (await student4.post("/api/enrollments", {"course_id": 3})).status_code == 201
    assert (await admin.post(f"/api/enrollments/{suspended}/reinstate")).status_code == 200
    left = await everything(sql)
    done = await seed(settings)
    assert done.returncode == 0, done.stderr
    assert await everything(sql) == left


async def test_the_demo_outlives_its_instructors(
    settings: Settings, demo_people: None, sql: asyncpg.Connection
) -> None:
    """One is anonymised, and user-service's seed makes another of their address; one teaches no more."""
    assert (await seed(settings)).returncode == 0
    await sql.execute("UPDATE users SET email = 'gone@example.org' WHERE id = $1", await find_user(sql, "instructor1"))
    await add(sql, "instructor1", "instructor")
    await sql.execute("UPDATE users SET role = 'student' WHERE id = $1", await find_user(sql, "instructor2"))
    left = await everything(sql)
    done = await seed(settings)
    assert done.returncode == 0, done.stderr
    assert await everything(sql) == left


async def test_learners_come_as_far_as_a_changed_course_lets_them(
    settings: Settings, demo_instructors: None, sql: asyncpg.Connection, admin: Person
) -> None:
    assert (await seed(settings)).returncode == 0
    python = (await admin.get("/api/courses/1/modules")).json()
    await admin.create_lesson(python[0], "Added to answer", kind="quiz", body=QUIZ, position=1)
    await admin.patch("/api/courses/2", {"capacity": 1})
    await admin.post("/api/courses/3/archive")
    for number in range(1, 7):
        await add(sql, f"student{number}", "student")
    first, second = await seed(settings), await seed(settings)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "student1 comes no further: Course 1 is completed to 85.71 %" in first.stderr
    assert "student1" not in second.stderr  # that journey is over
    for done in (first, second):
        assert "student3 stays at home: " in done.stderr  # there may be a place another time
    states = [tuple(row) for row in await sql.fetch(JOURNEYS)]
    assert [(who, percentage, attempts) for who, _, _, percentage, _, attempts in states] == [
        ("student1", 85.71, 2),
        ("student1", 16.66, 0),
        ("student2", 28.57, 1),
    ]


async def test_the_seed_says_who_is_missing(settings: Settings, app: FastAPI) -> None:
    done = await seed(settings)
    assert done.returncode == 1
    assert "instructor1@demo.smartcourse.example" in done.stderr


@pytest.fixture
async def load_learners(demo_instructors: None, sql: asyncpg.Connection) -> None:
    for number in range(1, 6):
        await add(sql, f"learner-{number:07}", "student", domain="load")


async def test_the_same_command_makes_any_number_of_courses_and_enrolls_learners_in_three_each(
    settings: Settings, load_learners: None, sql: asyncpg.Connection, anonymous: Person
) -> None:
    for courses, learners in (("4", "4"), ("6", "5"), ("6", "5")):
        done = await seed(settings, "--courses", courses, "--learners", learners)
        assert done.returncode == 0, done.stderr
        page = (await anonymous.get("/api/courses")).json()
        assert page["total"] == int(courses)
        assert {(each["module_count"], each["lesson_count"]) for each in page["items"]} == {(2, 8)}
        taken = await sql.fetch("SELECT count(*) AS n FROM enrollments GROUP BY student_id")
        assert [row["n"] for row in taken] == [3] * int(learners)


async def test_an_interrupted_load_course_is_continued(
    settings: Settings, load_learners: None, sql: asyncpg.Connection, anonymous: Person
) -> None:
    assert (await seed(settings, "--courses", "2")).returncode == 0
    draft = "UPDATE courses SET status = 'draft', published_at = NULL WHERE slug = 'load-course-000002' RETURNING id"
    last = "SELECT max(l.id) FROM lessons l JOIN modules m ON m.id = l.module_id WHERE m.course_id = $1"
    await sql.execute(f"DELETE FROM lessons WHERE id = ({last})", await sql.fetchval(draft))
    assert (await seed(settings, "--courses", "2")).returncode == 0
    page = (await anonymous.get("/api/courses")).json()
    assert [each["lesson_count"] for each in page["items"]] == [8, 8]
    assert await sql.fetchval("SELECT count(*) FROM courses") == 2


async def test_load_learners_who_were_not_made_are_asked_for(
    settings: Settings, load_learners: None, sql: asyncpg.Connection
) -> None:
    done = await seed(settings, "--courses", "1", "--learners", "6")
    assert done.returncode == 1
    assert "5 of 6 load learners: run `python -m user_service.seed --learners 6` first" in done.stderr
    assert await sql.fetchval("SELECT count(*) FROM courses") == 0


async def test_asking_for_nothing_is_a_mistake(settings: Settings) -> None:
    done = await seed(settings, "--courses", "0")
    assert done.returncode == 2
    assert "--demo, --courses, --learners" in done.stderr
