"""Made-up courses and enrollments in any number, for load tests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import select

from course_service.models import Course, Enrollment, users
from course_service.schemas.course import CourseCreate
from course_service.schemas.lesson import LessonCreate, LessonKind
from course_service.schemas.module import ModuleCreate
from course_service.seed.content import FIRST_INSTRUCTOR
from course_service.seed.demo import DemoSeed
from course_service.seed.quizzes import VALUES
from course_service.services.enrollment import EnrollmentService
from shared.database import Database
from shared.identity import Role, UserIdentity

LEARNERS = "learner-%@load.smartcourse.example"
MODULES = 2
LESSONS = 3
COURSES_A_LEARNER = 3
AT_ONCE = 8

T = TypeVar("T")
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LoadSeed:
    """Makes what is missing of so many courses, and enrolls so many of user-service's load learners in three each."""

    database: Database
    demo: DemoSeed
    enrollments: EnrollmentService
    tell: Tell

    async def run(self, *, courses: int, learners: int) -> None:
        """Make them. Raises `DemoInstructorMissingError`."""
        author = await self.demo.get_instructor(FIRST_INSTRUCTOR)
        known = await self._courses(author)
        missing = [title for title in map(_title, range(1, courses + 1)) if title not in known]
        await self._all("courses", missing, lambda title: self._make_course(author, title))
        ids = sorted((await self._courses(author)).values())
        people = await self._learners(learners)
        await self._all("learners", list(enumerate(people)), lambda each: self._enroll(*each, ids))

    async def _make_course(self, author: UserIdentity, title: str) -> None:
        course = await self.demo.courses.create(author, CourseCreate(title=title, description="For load tests."))
        for number in range(1, MODULES + 1):
            module = await self.demo.modules.create(author, course.id, ModuleCreate(title=f"Module {number}"))
            for lesson in range(1, LESSONS + 1):
                text = LessonCreate(title=f"Lesson {lesson}", body="Text. " * 100, is_published=True)
                await self.demo.lessons.create(author, course.id, module.id, text)
            quiz = LessonCreate(title="Quiz", kind=LessonKind.QUIZ, body=VALUES.body, is_published=True)
            await self.demo.lessons.create(author, course.id, module.id, quiz)
        await self.demo.courses.publish(author, course.id)

    async def _enroll(self, number: int, student: UserIdentity, courses: list[int]) -> None:
        """Three courses, spread evenly over all."""
        wanted = (
            {courses[(number * COURSES_A_LEARNER + step) % len(courses)] for step in range(COURSES_A_LEARNER)}
            if courses
            else set()
        )
        async with self.database.read() as session:
            query = select(Enrollment.course_id).where(Enrollment.student_id == student.user_id)
            taken = set(await session.scalars(query))
        for course_id in sorted(wanted - taken):
            await self.enrollments.enroll(student, course_id)

    async def _courses(self, author: UserIdentity) -> dict[str, int]:
        """Return the ids of the load courses that are public, by title; an interrupted one is made anew."""
        async with self.database.read() as session:
            query = select(Course.title, Course.id).where(
                Course.instructor_id == author.user_id, Course.status == "published", Course.title.like("Load course %")
            )
            return dict((await session.execute(query)).tuples().all())

    async def _learners(self, count: int) -> list[UserIdentity]:
        async with self.database.read() as session:
            query = select(users.c.id).where(users.c.email.like(LEARNERS)).order_by(users.c.email).limit(count)
            return [
                UserIdentity(user_id=id_, role=Role.STUDENT, session_id=None) for id_ in await session.scalars(query)
            ]

    async def _all(self, what: str, items: list[T], make: Callable[[T], Awaitable[None]]) -> None:
        """Do it for all, some at a time, and tell now and then how far it is."""
        done = 0
        waiting = iter(items)

        async def work() -> None:
            nonlocal done
            for item in waiting:
                await make(item)
                done += 1
                if done % 1000 == 0:
                    self.tell(f"{done} of {len(items)} {what}")

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        self.tell(f"{len(items)} {what} made")


def _title(number: int) -> str:
    return f"Load course {number:06}"
