"""Puts the demo courses into an installation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select

from course_service.models import users
from course_service.repositories.course import CourseRepository
from course_service.schemas.course import CourseCreate, CourseStatus
from course_service.schemas.lesson import LessonCreate, LessonKind
from course_service.schemas.module import ModuleCreate, ModuleOutline
from course_service.seed.content import DEMO_COURSES, DemoCourse, DemoModule
from course_service.services.course import CourseService
from course_service.services.lesson import LessonService
from course_service.services.module import ModuleService
from shared.database import Database
from shared.exceptions.base import NotFoundError
from shared.identity import Role, UserIdentity


class DemoInstructorMissingError(NotFoundError):
    """The demo people come from user-service's seed."""

    def __init__(self, email: str) -> None:
        super().__init__(f"There is no instructor {email}: run `python -m user_service.seed --demo` first.")


@dataclass(frozen=True, slots=True)
class DemoSeed:
    """Writes the demo courses as their instructors would, through the same use cases.

    Each step looks for what it would make, so an interrupted run is continued by the next. A demo course that is no
    longer a draft is left alone: whatever happened to it since, somebody meant it.
    """

    database: Database
    courses: CourseService
    modules: ModuleService
    lessons: LessonService

    async def run(self) -> int:
        """Return how many courses were published. Raises `DemoInstructorMissingError`."""
        return sum([await self._seed_course(demo) for demo in DEMO_COURSES])

    async def _seed_course(self, demo: DemoCourse) -> bool:
        author = await self.get_instructor(demo.instructor_email)
        course_id = await self._find_draft_or_create(author, demo)
        if course_id is None:
            return False
        known = {module.title: module for module in await self.modules.outline(author, course_id)}
        for demo_module in demo.modules:
            module = known.get(demo_module.title) or await self.modules.create(
                author, course_id, ModuleCreate(title=demo_module.title)
            )
            await self._seed_lessons(author, module, demo_module)
        await self.courses.publish(author, course_id)
        return True

    async def _seed_lessons(self, author: UserIdentity, module: ModuleOutline, demo: DemoModule) -> None:
        known = {lesson.title for lesson in module.lessons}
        for lesson in _lessons(demo):
            if lesson.title not in known:
                await self.lessons.create(author, module.course_id, module.id, lesson)

    async def get_instructor(self, email: str) -> UserIdentity:
        """Return a demo instructor. Raises `DemoInstructorMissingError`."""
        async with self.database.read() as session:
            user_id = await session.scalar(
                select(users.c.id).where(users.c.email == email, users.c.role == "instructor")
            )
        if user_id is None:
            raise DemoInstructorMissingError(email)
        return UserIdentity(user_id=user_id, role=Role.INSTRUCTOR, session_id=None)

    async def _find_draft_or_create(self, author: UserIdentity, demo: DemoCourse) -> int | None:
        async with self.database.read() as session:
            course = await CourseRepository(session).find_by_title(demo.title, instructor_id=author.user_id)
        if course is not None:
            return course.id if course.status == CourseStatus.DRAFT else None
        new = CourseCreate(title=demo.title, description=demo.description, level=demo.level, language="en")
        return (await self.courses.create(author, new)).id


def _lessons(demo: DemoModule) -> Iterator[LessonCreate]:
    for lesson in demo.lessons:
        yield LessonCreate(
            title=lesson.title,
            body=lesson.body,
            is_published=True,
            is_preview=lesson.is_preview,
            duration_minutes=lesson.duration_minutes,
        )
    yield LessonCreate(title=demo.quiz.title, kind=LessonKind.QUIZ, body=demo.quiz.body, is_published=True)
