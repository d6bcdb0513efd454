"""Queries of courses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from course_service.models import Course, Lesson, Module, users
from course_service.repositories.search import matching
from course_service.schemas.course import CourseStatus


@dataclass(frozen=True, slots=True)
class CourseCard:
    """A course with what its card in a list shows beside it; the counts are of what is published."""

    course: Course
    instructor_name: str
    module_count: int
    lesson_count: int


@dataclass(frozen=True, slots=True)
class CourseFilter:
    """Which courses a list has; None does not narrow it."""

    q: str | None = None
    instructor_id: int | None = None
    status: CourseStatus | None = None


class CourseRepository:
    """Courses of all states; what a viewer may see of one is decided by `core.visibility`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def find(self, course_id: int) -> Course | None:
        """Return the course, or None."""
        return await self._session.get(Course, course_id)

    async def get(self, course_id: int) -> Course:
        """Return the course that another row refers to."""
        return await self._session.get_one(Course, course_id)

    async def find_of_module(self, module_id: int) -> Course | None:
        """Return the course that a module belongs to."""
        query = select(Course).join(Module, Module.course_id == Course.id).where(Module.id == module_id)
        return await self._session.scalar(query)

    async def find_for_update(self, course_id: int) -> Course | None:
        """Return the course as it is now, locked until the transaction ends: all writing below it waits for that."""
        query = select(Course).where(Course.id == course_id).with_for_update()
        return await self._session.scalar(query.execution_options(populate_existing=True))

    async def find_by_slug(self, slug: str) -> Course | None:
        """Return the course of that slug, or None. A slug stays with its course, whatever becomes of the rest."""
        return await self._session.scalar(select(Course).where(Course.slug == slug))

    async def find_card(self, course_id: int) -> CourseCard | None:
        """Return the course with what its card shows, or None."""
        row = (await self._session.execute(cards().where(Course.id == course_id))).one_or_none()
        return CourseCard(*row) if row else None

    async def is_slug_taken(self, slug: str) -> bool:
        """Return whether a course has that slug; the answer holds until this transaction ends."""
        await self._session.execute(select(func.pg_advisory_xact_lock(func.hashtext(slug))))
        return await self._session.scalar(select(Course.id).where(Course.slug == slug)) is not None

    async def add(self, course: Course) -> None:
        """Insert `course`; it then has its id and defaults."""
        self._session.add(course)
        await self._session.flush()


@cache
def cards() -> Select[Course, str, int, int]:
    """Return the query of `CourseCard`s, to be narrowed and ordered."""
    return select(Course, users.c.full_name, _published_modules(), _published_lessons()).join(
        users, users.c.id == Course.instructor_id
    )


def list_cards(filter_: CourseFilter) -> Select[Course, str, int, int]:
    """Return the query of a list: what matches best first, else what was published last; the id settles ties."""
    query = cards()
    if filter_.status is not None:
        query = query.where(Course.status == filter_.status)
    if filter_.instructor_id is not None:
        query = query.where(Course.instructor_id == filter_.instructor_id)
    order: list[ColumnElement[Any]] = [Course.published_at.desc().nulls_first(), Course.id.desc()]
    if filter_.q:
        match = matching(filter_.q)
        query = query.where(Course.search.op("@@")(match))
        order.insert(0, func.ts_rank(Course.search, match).desc())
    return query.order_by(*order)


def _published_lessons() -> ScalarSelect[int]:
    return _of_course(select(func.count(Lesson.id)))


def _published_modules() -> ScalarSelect[int]:
    return _of_course(select(func.count(Lesson.module_id.distinct())))


def _of_course(query: Select[int]) -> ScalarSelect[int]:
    published = (Lesson.is_published, Lesson.archived_at.is_(None), Module.archived_at.is_(None))
    return (
        query.join(Module, Module.id == Lesson.module_id)
        .where(Module.course_id == Course.id, *published)
        .correlate(Course)
        .scalar_subquery()
    )
