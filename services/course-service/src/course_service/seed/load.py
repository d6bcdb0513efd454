"""Made-up courses and enrollments in any number, for load tests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import select

from course_service.models import Course, Enrollment, users
from course_service.schemas.course import CourseLevel, CourseStatus
from course_service.seed.content import FIRST_INSTRUCTOR, DemoCourse, DemoLesson, DemoModule
from course_service.seed.demo import DemoSeed, is_draft_of
from course_service.seed.quizzes import VALUES
from course_service.services.course import slug_of
from course_service.services.enrollment import EnrollmentService
from shared.database import Database
from shared.exceptions.base import NotFoundError
from shared.identity import Role, UserIdentity

LEARNERS = "learner-%@load.smartcourse.example"
TITLE = "Load course"
MODULES = 2
LESSONS = tuple(DemoLesson(f"Lesson {number}", duration_minutes=1, body="Text. " * 100) for number in (1, 2, 3))
COURSES_A_LEARNER = 3
AT_ONCE = 8

T = TypeVar("T")
Tell = Callable[[str], None]


class LoadLearnersMissingError(NotFoundError):
    """The load learners come from user-service's seed."""

    def __init__(self, *, wanted: int, found: int) -> None:
        super().__init__(
            f"There are {found} of {wanted} load learners: run `python -m user_service.seed --learners {wanted}` first."
        )


@dataclass(frozen=True, slots=True)
class LoadSeed:
    """Makes what is missing of so many courses, and enrolls so many of user-service's load learners in three each.

    Running it again, also with other numbers, makes only what is missing then: an interrupted course is continued, and
    a learner who has three courses gets no other.
    """

    database: Database
    demo: DemoSeed
    enrollments: EnrollmentService
    tell: Tell

    async def run(self, *, courses: int, learners: int) -> None:
        """Make them. Raises `DemoInstructorMissingError`, `LoadLearnersMissingError`."""
        author = await self.demo.get_instructor(FIRST_INSTRUCTOR)
        people = await self._get_learners(learners)
        known = await self._courses()
        wanted = [(course, known.get(course.slug)) for course in map(_course, range(1, courses + 1))]
        missing = [(course, draft) for course, draft in wanted if draft is None or is_draft_of(draft, author)]
        await self._all("courses", missing, lambda each: self.demo.write(author, *each))
        public = [course.id for course in (await self._courses()).values() if course.status == CourseStatus.PUBLISHED]
        await self._all("learners", list(enumerate(people)), lambda each: self._enroll(*each, public))

    async def _enroll(self, number: int, student: UserIdentity, courses: list[int]) -> None:
        """As many courses as the learner lacks, spread evenly over all."""
        first = number * COURSES_A_LEARNER
        wanted = {courses[(first + step) % len(courses)] for step in range(COURSES_A_LEARNER)} if courses else set()
        async with self.database.read() as session:
            query = select(Enrollment.course_id).where(Enrollment.student_id == student.user_id)
            taken = set(await session.scalars(query))
        lacking = max(COURSES_A_LEARNER - len(taken), 0)
        for course_id in sorted(wanted - taken)[:lacking]:
            await self.enrollments.enroll(student, course_id)

    async def _courses(self) -> dict[str, Course]:
        """Return the load courses of all states by their slugs, the oldest first."""
        async with self.database.read() as session:
            query = select(Course).where(Course.slug.like(f"{slug_of(TITLE)}-%")).order_by(Course.id)
            return {course.slug: course for course in await session.scalars(query)}

    async def _get_learners(self, count: int) -> list[UserIdentity]:
        async with self.database.read() as session:
            query = select(users.c.id).where(users.c.email.like(LEARNERS)).order_by(users.c.email).limit(count)
            ids = (await session.scalars(query)).all()
        if len(ids) < count:
            raise LoadLearnersMissingError(wanted=count, found=len(ids))
        return [UserIdentity(user_id=id_, role=Role.STUDENT, session_id=None) for id_ in ids]

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


def _course(number: int) -> DemoCourse:
    return DemoCourse(
        instructor_email=FIRST_INSTRUCTOR,
        title=f"{TITLE} {number:06}",
        description="For load tests.",
        level=CourseLevel.BEGINNER,
        modules=tuple(DemoModule(f"Module {each}", LESSONS, VALUES) for each in range(1, MODULES + 1)),
    )
