"""Puts the demo courses into an installation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select

from course_service.models import Course, users
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

    A demo course is known by its slug, the one thing of it that nobody can change. One that is no longer its
    instructor's draft is left alone: whatever happened to it since, somebody meant it. A draft is what an interrupted
    run has left, and is continued.
    """

    database: Database
    courses: CourseService
    modules: ModuleService
    lessons: LessonService

    async def run(self) -> int:
        """Return how many courses were published.

        Raises:
            DemoInstructorMissingError: there is no demo course yet, and nobody to write one. Where there is one, an
                instructor who is gone or teaches no more is no error: somebody meant that, too.
        """
        known = [await self._find(demo) for demo in DEMO_COURSES]
        authors = [await self._find_instructor(demo.instructor_email) for demo in DEMO_COURSES]
        if not any(known):
            for demo, author in zip(DEMO_COURSES, authors, strict=True):
                if author is None:
                    raise DemoInstructorMissingError(demo.instructor_email)
        published = 0
        for demo, course, author in zip(DEMO_COURSES, known, authors, strict=True):
            if author is not None and (course is None or is_draft_of(course, author)):
                await self.write(author, demo, course)
                published += 1
        return published

    async def get_instructor(self, email: str) -> UserIdentity:
        """Return a demo instructor. Raises `DemoInstructorMissingError`."""
        author = await self._find_instructor(email)
        if author is None:
            raise DemoInstructorMissingError(email)
        return author

    async def write(self, author: UserIdentity, demo: DemoCourse, draft: Course | None) -> None:
        """Add what the author's draft lacks, all if there is none, and publish it."""
        course_id = draft.id if draft else await self._begin(author, demo)
        known = {module.title: module for module in await self.modules.outline(author, course_id)}
        for demo_module in demo.modules:
            module = known.get(demo_module.title) or await self.modules.create(
                author, course_id, ModuleCreate(title=demo_module.title)
            )
            await self._write_lessons(author, module, demo_module)
        await self.courses.publish(author, course_id)

    async def _write_lessons(self, author: UserIdentity, module: ModuleOutline, demo: DemoModule) -> None:
        known = {lesson.title for lesson in module.lessons}
        for lesson in _lessons(demo):
            if lesson.title not in known:
                await self.lessons.create(author, module.course_id, module.id, lesson)

    async def _begin(self, author: UserIdentity, demo: DemoCourse) -> int:
        new = CourseCreate(title=demo.title, description=demo.description, level=demo.level, language="en")
        return (await self.courses.create(author, new)).id

    async def _find(self, demo: DemoCourse) -> Course | None:
        async with self.database.read() as session:
            return await CourseRepository(session).find_by_slug(demo.slug)

    async def _find_instructor(self, email: str) -> UserIdentity | None:
        async with self.database.read() as session:
            user_id = await session.scalar(
                select(users.c.id).where(users.c.email == email, users.c.role == "instructor")
            )
        return None if user_id is None else UserIdentity(user_id=user_id, role=Role.INSTRUCTOR, session_id=None)


def is_draft_of(course: Course, author: UserIdentity) -> bool:
    """Return whether the author has begun the course and not published it."""
    return course.status == CourseStatus.DRAFT and course.instructor_id == author.user_id


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
