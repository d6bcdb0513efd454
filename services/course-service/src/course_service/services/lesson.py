"""Writing lessons and reading them: the row in PostgreSQL, the body as a revision in MongoDB."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from course_service.core.errors import BodyDoesNotFitError, NoSuchLessonError, NoSuchModuleError
from course_service.core.visibility import Sight
from course_service.models import Lesson, Module
from course_service.repositories.lesson import LessonRepository
from course_service.repositories.module import ModuleRepository
from course_service.repositories.revision import Body, Revision, RevisionRepository
from course_service.schemas.lesson import (
    LessonCreate,
    LessonDetail,
    LessonKind,
    LessonSummary,
    LessonUpdate,
    check_fits,
)
from course_service.services.gate import (
    SeenLesson,
    check_readable,
    check_version,
    get_course_to_edit,
    get_visible_course,
)
from course_service.services.publication import check_still_publishable
from course_service.services.quiz import get_definition
from shared.database import Database
from shared.exceptions.base import UnavailableError
from shared.exceptions.problem import validation_errors
from shared.identity import Identity, UserIdentity
from shared.utils.datetime import Clock


@dataclass(frozen=True, slots=True)
class LessonPath:
    """Where a lesson is: as its URL says it."""

    course_id: int
    module_id: int
    lesson_id: int


class LessonService:
    """The use cases of lessons.

    A body is written to MongoDB between two transactions: the first finds out whether the author may write it, the
    second points to it. When the second fails, the revision stays behind until it is collected.

    All raise `NoSuchCourseError` and `NoSuchModuleError`; those that write also `NotTheInstructorError` and
    `CourseArchivedError`; those that touch a body `UnavailableError` while MongoDB is away.
    """

    def __init__(self, database: Database, revisions: RevisionRepository, clock: Clock) -> None:
        self._database = database
        self._revisions = revisions
        self._clock = clock

    async def create(self, author: UserIdentity, course_id: int, module_id: int, new: LessonCreate) -> LessonDetail:
        """Add a lesson to a module."""
        now = self._clock.now()
        async with self._database.begin() as session:
            await _get_module_to_edit(session, author, course_id, module_id)
            lesson_id = await LessonRepository(session).next_id()
        revision_id = await self._revisions.add(
            Revision(lesson_id=lesson_id, author_id=author.user_id, kind=new.kind, body=new.body, created_at=now)
        )
        async with self._database.begin() as session:
            await _get_module_to_edit(session, author, course_id, module_id)
            lesson = Lesson(
                **new.model_dump(exclude={"body", "position"}),
                id=lesson_id,
                module_id=module_id,
                current_revision_id=revision_id,
                created_at=now,
                updated_at=now,
            )
            await LessonRepository(session).add(lesson, position=new.position)
        await self._settle(revision_id)
        return _detail(lesson, new.body)

    async def of_module(self, viewer: Identity, course_id: int, module_id: int) -> list[LessonSummary]:
        """Return a module's lessons as far as the viewer sees them."""
        async with self._database.read() as session:
            _, seen = await get_visible_course(session, viewer, course_id)
            module = await ModuleRepository(session).find(module_id, course_id=course_id)
            only = seen is not Sight.EVERYTHING
            lessons = await LessonRepository(session).of_module(module_id, published_only=only) if module else []
            if module is None or (only and not lessons):
                raise NoSuchModuleError(module_id, course_id=course_id)
            return [LessonSummary.model_validate(lesson) for lesson in lessons]

    async def get(self, viewer: Identity, path: LessonPath) -> LessonDetail:
        """Return a lesson with its body; of a quiz, whoever is not its author gets the questions only.

        Raises:
            NoSuchLessonError: there is none, or it is not published and the viewer is not its author.
            AuthenticationError, EnrollmentRequiredError, EnrollmentSuspendedError: it is for students of the course.
            QuizNotReadyError: what it holds is no valid quiz, so there is no telling its questions from its answers.
        """
        async with self._database.read() as session:
            course, seen = await get_visible_course(session, viewer, path.course_id)
            lesson = await _get_lesson(session, path)
            await check_readable(session, viewer, SeenLesson(course, lesson, seen))
        body = await self._revisions.get_body(lesson.current_revision_id)
        if lesson.kind == LessonKind.QUIZ and seen is not Sight.EVERYTHING:
            body = get_definition(lesson.id, body).without_answers()
        return _detail(lesson, body)

    async def update(
        self, author: UserIdentity, path: LessonPath, changes: LessonUpdate, *, expected_version: int | None = None
    ) -> LessonDetail:
        """Change a lesson; a body becomes its new current revision, the old ones stay.

        Raises:
            NoSuchLessonError, StaleVersionError
            BodyDoesNotFitError: the body does not fit the lesson's kind; its `errors` say where.
            CourseNotPublishableError: the course is public, and nothing published would be left in it.
        """
        revision_id, body = await self._revise(author, path, changes.body, expected_version)
        async with self._database.begin() as session:
            course = await get_course_to_edit(session, author, path.course_id)
            lesson = await _get_lesson(session, path)
            check_version(lesson, expected_version)
            for name, value in changes.model_dump(exclude_unset=True, exclude={"body", "position"}).items():
                setattr(lesson, name, value)
            replaced = lesson.current_revision_id
            if changes.body is not None:
                lesson.current_revision_id = revision_id
            if session.is_modified(lesson):
                lesson.version += 1
                lesson.updated_at = self._clock.now()
            if changes.position is not None:
                await LessonRepository(session).move(lesson, changes.position)
            await session.flush()
            await check_still_publishable(session, course)
        if changes.body is not None:
            await self._settle(replaced, revision_id)
        if lesson.current_revision_id != revision_id:  # another author's new body came in between
            body = await self._revisions.get_body(lesson.current_revision_id)
        return _detail(lesson, body)

    async def delete(self, author: Identity, path: LessonPath, *, expected_version: int | None = None) -> None:
        """Take a lesson out of its module; its row and its body are kept.

        Raises:
            NoSuchLessonError, StaleVersionError
            CourseNotPublishableError: the course is public, and nothing published would be left in it.
        """
        async with self._database.begin() as session:
            course = await get_course_to_edit(session, author, path.course_id)
            lesson = await _get_lesson(session, path)
            check_version(lesson, expected_version)
            await LessonRepository(session).archive(lesson, at=self._clock.now())
            await check_still_publishable(session, course)

    async def _revise(
        self, author: UserIdentity, path: LessonPath, body: Body | None, expected_version: int | None
    ) -> tuple[str, Body]:
        """Return the lesson's revision and its body: a new one if `body` is given, else the current one."""
        async with self._database.begin() as session:
            await get_course_to_edit(session, author, path.course_id)
            lesson = await _get_lesson(session, path)
        check_version(lesson, expected_version)
        if body is None:
            return lesson.current_revision_id, await self._revisions.get_body(lesson.current_revision_id)
        try:
            check_fits(LessonKind(lesson.kind), body)
        except ValidationError as error:
            problems = validation_errors(error.errors(include_url=False, include_input=False, include_context=False))
            located = [problem | {"loc": f"body.body.{problem['loc']}".rstrip(".")} for problem in problems]
            raise BodyDoesNotFitError(lesson.id, lesson.kind, located) from None
        revision = Revision(
            lesson_id=lesson.id, author_id=author.user_id, kind=lesson.kind, body=body, created_at=self._clock.now()
        )
        await self._revisions.settle(lesson.current_revision_id)
        return await self._revisions.add(revision), body

    async def _settle(self, *revision_ids: str) -> None:
        """Note what is committed; where MongoDB has gone away meanwhile, the collector or the next author does it."""
        with suppress(UnavailableError):
            for revision_id in revision_ids:
                await self._revisions.settle(revision_id)


async def _get_module_to_edit(session: AsyncSession, author: Identity, course_id: int, module_id: int) -> Module:
    await get_course_to_edit(session, author, course_id)
    module = await ModuleRepository(session).find(module_id, course_id=course_id)
    if module is None:
        raise NoSuchModuleError(module_id, course_id=course_id)
    return module


async def _get_lesson(session: AsyncSession, path: LessonPath) -> Lesson:
    lesson = await LessonRepository(session).find(path.lesson_id, module_id=path.module_id, course_id=path.course_id)
    if lesson is None:
        raise NoSuchLessonError(path.lesson_id, module_id=path.module_id)
    return lesson


def _detail(lesson: Lesson, body: Body) -> LessonDetail:
    summary = LessonSummary.model_validate(lesson)
    return LessonDetail(**dict(summary), revision_id=lesson.current_revision_id, body=body)
