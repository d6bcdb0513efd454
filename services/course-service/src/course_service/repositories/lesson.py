"""Queries of lessons."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from course_service.core.progress import Required
from course_service.models import Lesson, Module, QuizAttempt
from course_service.repositories.ordering import placed, renumber

Q = TypeVar("Q", bound=Select[Any])

LIVE = (Lesson.archived_at.is_(None), Module.archived_at.is_(None))


class LessonRepository:
    """Lessons that are not archived, in modules that are not. Whoever writes holds the lock of their course."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def next_id(self) -> int:
        """Reserve the id of a lesson to be: its body is written before its row, and names it."""
        sequence = func.pg_get_serial_sequence(Lesson.__tablename__, "id")
        return await self._session.scalar(select(func.nextval(sequence))) or 0

    async def find(self, lesson_id: int, *, module_id: int, course_id: int) -> Lesson | None:
        """Return the lesson, or None if that module of that course has none of that id."""
        query = _live(select(Lesson)).where(
            Lesson.id == lesson_id, Lesson.module_id == module_id, Module.course_id == course_id
        )
        return await self._session.scalar(query)

    async def find_by_id(self, lesson_id: int) -> Lesson | None:
        """Return the lesson wherever it is, as it is now, or None."""
        query = _live(select(Lesson)).where(Lesson.id == lesson_id)
        return await self._session.scalar(query.execution_options(populate_existing=True))

    async def of_module(self, module_id: int, *, published_only: bool) -> Sequence[Lesson]:
        """Return a module's lessons in order."""
        query = _live(select(Lesson)).where(Lesson.module_id == module_id).order_by(Lesson.position)
        return (await self._session.scalars(_published(query, only=published_only))).all()

    async def of_course(self, course_id: int, *, published_only: bool) -> Sequence[Lesson]:
        """Return the lessons of all modules of a course, each module's in order."""
        query = _live(select(Lesson)).where(Module.course_id == course_id).order_by(Module.position, Lesson.position)
        return (await self._session.scalars(_published(query, only=published_only))).all()

    async def required_of(self, course_id: int) -> Required:
        """Return what a course requires now."""
        return (await self.required_of_all([course_id]))[course_id]

    async def required_of_all(self, course_ids: Collection[int]) -> Mapping[int, Required]:
        """Return what each of these courses requires now."""
        query = (
            select(Module.course_id, Lesson.module_id, Lesson.id)
            .join(Module, Module.id == Lesson.module_id)
            .where(Module.course_id.in_(course_ids), Lesson.is_published, Lesson.is_required, *LIVE)
        )
        found: dict[int, dict[int, set[int]]] = {course_id: defaultdict(set) for course_id in course_ids}
        for course_id, module_id, lesson_id in await self._session.execute(query):
            found[course_id][module_id].add(lesson_id)
        return {
            course_id: Required({module_id: frozenset(lessons) for module_id, lessons in modules.items()})
            for course_id, modules in found.items()
        }

    async def count_published(self, course_id: int) -> int:
        """Return how many published lessons a course has."""
        query = _live(select(func.count()).select_from(Lesson))
        return await self._session.scalar(query.where(Module.course_id == course_id, Lesson.is_published)) or 0

    async def referred_to(self, revision_ids: Collection[str]) -> set[str]:
        """Return those of the revisions that a row refers to: a lesson, archived or not, or an attempt at a quiz."""
        current = select(Lesson.current_revision_id).where(Lesson.current_revision_id.in_(revision_ids))
        graded = select(QuizAttempt.revision_id).where(QuizAttempt.revision_id.in_(revision_ids))
        found = await self._session.execute(current.union(graded))
        return {revision_id for (revision_id,) in found}

    async def add(self, lesson: Lesson, *, position: int | None) -> None:
        """Insert `lesson` into its module at `position`, at the end if None."""
        ids = await self._ids(lesson.module_id)
        lesson.position = len(ids) + 1
        self._session.add(lesson)
        await self._session.flush()
        await self._renumber(placed(ids, lesson.id, position), lesson)

    async def move(self, lesson: Lesson, position: int) -> None:
        """Put the lesson elsewhere in its module."""
        await self._session.flush()
        await self._renumber(placed(await self._ids(lesson.module_id), lesson.id, position), lesson)

    async def archive(self, lesson: Lesson, *, at: datetime) -> None:
        """Take the lesson out of its module, keeping the row and the body: progress refers to its id."""
        lesson.archived_at, lesson.updated_at = at, at
        lesson.is_published, lesson.position = False, None
        await self._session.flush()
        await renumber(self._session, Lesson, await self._ids(lesson.module_id))

    async def _ids(self, module_id: int) -> Sequence[int]:
        query = (
            select(Lesson.id)
            .where(Lesson.module_id == module_id, Lesson.archived_at.is_(None))
            .order_by(Lesson.position)
        )
        return (await self._session.scalars(query)).all()

    async def _renumber(self, ids: Sequence[int], lesson: Lesson) -> None:
        await renumber(self._session, Lesson, ids)
        await self._session.refresh(lesson)


def _live(query: Q) -> Q:
    return query.join(Module, Module.id == Lesson.module_id).where(*LIVE)


def _published(query: Q, *, only: bool) -> Q:
    return query.where(Lesson.is_published) if only else query
