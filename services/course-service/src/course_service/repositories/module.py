"""Queries of modules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from course_service.models import Module
from course_service.repositories.ordering import placed, renumber


class ModuleRepository:
    """Modules that are not archived. Whoever writes holds the lock of their course."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def find(self, module_id: int, *, course_id: int) -> Module | None:
        """Return the module, or None if that course has none of that id."""
        query = select(Module).where(
            Module.id == module_id, Module.course_id == course_id, Module.archived_at.is_(None)
        )
        return await self._session.scalar(query)

    async def of_course(self, course_id: int) -> Sequence[Module]:
        """Return a course's modules in order."""
        query = (
            select(Module).where(Module.course_id == course_id, Module.archived_at.is_(None)).order_by(Module.position)
        )
        return (await self._session.scalars(query)).all()

    async def add(self, *, course_id: int, title: str, position: int | None, at: datetime) -> Module:
        """Insert a module at `position`, at the end if None."""
        ids = await self._ids(course_id)
        module = Module(course_id=course_id, title=title, position=len(ids) + 1, created_at=at, updated_at=at)
        self._session.add(module)
        await self._session.flush()
        await self._renumber(placed(ids, module.id, position), module)
        return module

    async def move(self, module: Module, position: int) -> None:
        """Put the module elsewhere in its course."""
        await self._session.flush()
        await self._renumber(placed(await self._ids(module.course_id), module.id, position), module)

    async def archive(self, module: Module, *, at: datetime) -> None:
        """Take the module out of its course, keeping the row: progress and certificates refer to its id."""
        module.archived_at, module.updated_at, module.position = at, at, None
        await self._session.flush()
        await renumber(self._session, Module, await self._ids(module.course_id))

    async def count(self, course_id: int) -> int:
        """Return how many modules a course has."""
        query = select(func.count()).where(Module.course_id == course_id, Module.archived_at.is_(None))
        return await self._session.scalar(query) or 0

    async def _ids(self, course_id: int) -> Sequence[int]:
        query = (
            select(Module.id)
            .where(Module.course_id == course_id, Module.archived_at.is_(None))
            .order_by(Module.position)
        )
        return (await self._session.scalars(query)).all()

    async def _renumber(self, ids: Sequence[int], module: Module) -> None:
        await renumber(self._session, Module, ids)
        await self._session.refresh(module)
