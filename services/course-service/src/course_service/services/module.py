"""Writing the modules of a course."""

from __future__ import annotations

from course_service.core.errors import NoSuchModuleError
from course_service.models import Module
from course_service.repositories.lesson import LessonRepository
from course_service.repositories.module import ModuleRepository
from course_service.schemas.module import ModuleCreate, ModuleOutline, ModuleUpdate
from course_service.services.gate import check_version, get_course_to_edit, get_visible_course
from course_service.services.outline import module_outline, outline_of
from course_service.services.publication import check_still_publishable
from shared.database import Database
from shared.identity import Identity
from shared.utils.datetime import Clock


class ModuleService:
    """The use cases of modules; each is one transaction, and those that write wait for each other by course.

    All raise `NoSuchCourseError`; those that write also `NotTheInstructorError` and `CourseArchivedError`.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create(self, author: Identity, course_id: int, new: ModuleCreate) -> ModuleOutline:
        """Add a module."""
        async with self._database.begin() as session:
            course = await get_course_to_edit(session, author, course_id)
            module = await ModuleRepository(session).add(
                course_id=course.id, title=new.title, position=new.position, at=self._clock.now()
            )
            return module_outline(module, [])

    async def outline(self, viewer: Identity, course_id: int) -> list[ModuleOutline]:
        """Return the course's outline as far as the viewer sees it."""
        async with self._database.read() as session:
            _, seen = await get_visible_course(session, viewer, course_id)
            return await outline_of(session, course_id, seen)

    async def update(
        self,
        author: Identity,
        course_id: int,
        module_id: int,
        changes: ModuleUpdate,
        *,
        expected_version: int | None = None,
    ) -> ModuleOutline:
        """Rename or move a module. Raises `NoSuchModuleError`, `StaleVersionError`."""
        async with self._database.begin() as session:
            await get_course_to_edit(session, author, course_id)
            modules = ModuleRepository(session)
            module = await _get(modules, module_id, course_id=course_id)
            check_version(module, expected_version)
            if changes.title is not None and changes.title != module.title:
                module.title = changes.title
                module.version += 1
                module.updated_at = self._clock.now()
            if changes.position is not None:
                await modules.move(module, changes.position)
            lessons = await LessonRepository(session).of_module(module_id, published_only=False)
            return module_outline(module, lessons)

    async def delete(
        self, author: Identity, course_id: int, module_id: int, *, expected_version: int | None = None
    ) -> None:
        """Take a module and its lessons out of the course; their rows and bodies are kept.

        Raises:
            NoSuchModuleError, StaleVersionError
            CourseNotPublishableError: the course is public, and nothing published would be left in it.
        """
        async with self._database.begin() as session:
            course = await get_course_to_edit(session, author, course_id)
            modules = ModuleRepository(session)
            module = await _get(modules, module_id, course_id=course_id)
            check_version(module, expected_version)
            await modules.archive(module, at=self._clock.now())
            await check_still_publishable(session, course)


async def _get(modules: ModuleRepository, module_id: int, *, course_id: int) -> Module:
    module = await modules.find(module_id, course_id=course_id)
    if module is None:
        raise NoSuchModuleError(module_id, course_id=course_id)
    return module
