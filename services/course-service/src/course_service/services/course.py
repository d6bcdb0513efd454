"""Writing courses, publishing them, and finding them."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any, cast

from slugify import slugify
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from course_service.core.errors import NoSuchCourseError
from course_service.core.publisher import EventPublisher
from course_service.core.visibility import Sight
from course_service.models import Course
from course_service.repositories.course import CourseCard, CourseFilter, CourseRepository, list_cards
from course_service.schemas.course import CourseCreate, CourseDetail, CourseStatus, CourseSummary, CourseUpdate
from course_service.services.gate import check_version, get_course_to_change, get_course_to_edit, get_visible_course
from course_service.services.outline import course_detail, course_summary, outline_of
from course_service.services.publication import check_publishable, check_still_publishable
from shared.database import Database
from shared.events.course import CourseArchived, CourseCreated, CoursePublished, CourseUpdated
from shared.events.envelope import Event
from shared.identity import Identity, UserIdentity
from shared.schemas.pagination import Page, PageQuery, paginate
from shared.utils.datetime import Clock

MAX_SLUG_CHARACTERS = 200


class CourseService:
    """The use cases of courses; each is one transaction."""

    def __init__(self, database: Database, publisher: EventPublisher, clock: Clock) -> None:
        self._database = database
        self._publisher = publisher
        self._clock = clock

    async def create(self, author: UserIdentity, new: CourseCreate) -> CourseDetail:
        """Begin a draft that belongs to `author`."""
        now = self._clock.now()
        async with self._database.begin() as session:
            courses = CourseRepository(session)
            course = Course(
                **new.model_dump(),
                slug=await _free_slug(courses, new.title),
                instructor_id=author.user_id,
                status=CourseStatus.DRAFT,
                created_at=now,
                updated_at=now,
            )
            await courses.add(course)
            await self._publisher.publish(session, Event.of(CourseCreated(**_facts(course)), time=now))
            return await _detail(session, course.id)

    async def get(self, viewer: Identity, course_id: int) -> CourseDetail:
        """Return the course and as much of its outline as the viewer sees. Raises `NoSuchCourseError`."""
        async with self._database.read() as session:
            _, seen = await get_visible_course(session, viewer, course_id)
            return await _detail(session, course_id, seen)

    async def catalogue(self, filter_: CourseFilter, params: PageQuery) -> Page[CourseSummary]:
        """Return a page of the courses that are public, the same for everybody."""
        return await self._list(
            CourseFilter(q=filter_.q, instructor_id=filter_.instructor_id, status=CourseStatus.PUBLISHED), params
        )

    async def mine(self, author: UserIdentity, status: CourseStatus | None, params: PageQuery) -> Page[CourseSummary]:
        """Return a page of the courses that belong to `author`, in all states unless one is named."""
        return await self._list(CourseFilter(instructor_id=author.user_id, status=status), params)

    async def update(
        self, author: Identity, course_id: int, changes: CourseUpdate, *, expected_version: int | None = None
    ) -> CourseDetail:
        """Change the course. Its slug stays: links keep working.

        Raises:
            NoSuchCourseError, NotTheInstructorError, CourseArchivedError, StaleVersionError
            CourseNotPublishableError: the course is public, and would not be fit for it any more.
        """
        async with self._database.begin() as session:
            course = await get_course_to_edit(session, author, course_id)
            check_version(course, expected_version)
            for name, value in changes.model_dump(exclude_unset=True).items():
                setattr(course, name, value)
            if session.is_modified(course):
                now = self._touch(course)
                await check_still_publishable(session, course)
                await self._publisher.publish(session, Event.of(CourseUpdated(**_facts(course)), time=now))
            return await _detail(session, course_id)

    async def publish(self, author: Identity, course_id: int, *, expected_version: int | None = None) -> CourseDetail:
        """Make the course public; publishing a public course changes nothing.

        Raises:
            NoSuchCourseError, NotTheInstructorError, CourseArchivedError, StaleVersionError
            CourseNotPublishableError: it lacks a description, a module or a published lesson; it says all of these.
        """
        async with self._database.begin() as session:
            course = await get_course_to_edit(session, author, course_id)
            check_version(course, expected_version)
            if course.status != CourseStatus.PUBLISHED:
                await check_publishable(session, course)
                now = self._touch(course)
                course.status, course.published_at = CourseStatus.PUBLISHED, now
                published = CoursePublished(**_facts(course), published_at=now)
                await self._publisher.publish(session, Event.of(published, time=now))
            return await _detail(session, course_id)

    async def archive(self, author: Identity, course_id: int, *, expected_version: int | None = None) -> CourseDetail:
        """Take the course out of the catalogue for good; archiving an archived one changes nothing.

        Raises:
            NoSuchCourseError, NotTheInstructorError, StaleVersionError
        """
        async with self._database.begin() as session:
            course = await get_course_to_change(session, author, course_id)
            check_version(course, expected_version)
            if course.status != CourseStatus.ARCHIVED:
                now = self._touch(course)
                course.status, course.archived_at = CourseStatus.ARCHIVED, now
                archived = CourseArchived(**_facts(course), archived_at=now)
                await self._publisher.publish(session, Event.of(archived, time=now))
            return await _detail(session, course_id)

    async def _list(self, filter_: CourseFilter, params: PageQuery) -> Page[CourseSummary]:
        async with self._database.read() as session:
            # SQLAlchemy types a query by each of its columns, `paginate` takes one of a single type.
            query = cast("Select[Any]", list_cards(filter_))
            page = await paginate(session, query, params, scalars=False)
            return page.map(lambda row: course_summary(CourseCard(*row)))

    def _touch(self, course: Course) -> datetime:
        course.version += 1
        course.updated_at = self._clock.now()
        return course.updated_at


async def _detail(session: AsyncSession, course_id: int, seen: Sight = Sight.EVERYTHING) -> CourseDetail:
    card = await CourseRepository(session).find_card(course_id)
    if card is None:
        raise NoSuchCourseError(course_id)
    return course_detail(card, await outline_of(session, course_id, seen))


def _facts(course: Course) -> dict[str, Any]:
    return {
        "course_id": course.id,
        "slug": course.slug,
        "title": course.title,
        "instructor_id": course.instructor_id,
    }


def slug_of(title: str) -> str:
    """Return the slug that a course of that title gets, unless another has it."""
    return slugify(title, max_length=MAX_SLUG_CHARACTERS) or "course"


async def _free_slug(courses: CourseRepository, title: str) -> str:
    slug = slug_of(title)
    return f"{slug}-{secrets.token_hex(4)}" if await courses.is_slug_taken(slug) else slug
