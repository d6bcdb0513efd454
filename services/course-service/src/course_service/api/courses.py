"""Routes of courses."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response, status

from course_service.api.deps import Author, CourseId, Courses, ExpectedVersion, set_etag
from course_service.repositories.course import CourseFilter
from course_service.schemas.course import CourseCreate, CourseDetail, CourseStatus, CourseSummary, CourseUpdate
from course_service.schemas.text import Id, SearchText
from shared.access import access
from shared.identity import CurrentIdentity
from shared.openapi import problems
from shared.schemas.pagination import PageParams, PaginatedResponse

router = APIRouter(prefix="/api/courses", tags=["courses"])

AUTHORS = access("instructor", "admin")
PUBLIC = access("public", rate="public")

Search = Annotated[
    SearchText,
    Query(description="Words of a title or description, or their beginnings; best match first"),
]


@router.get("", openapi_extra=PUBLIC)
async def list_courses(
    courses: Courses,
    params: PageParams,
    q: Search = "",
    instructor_id: Annotated[Id | None, Query(description="Only this person's")] = None,
) -> PaginatedResponse[CourseSummary]:
    """The public catalogue: published courses, the newest first unless something is searched for."""
    page = await courses.catalogue(CourseFilter(q=q, instructor_id=instructor_id), params)
    return PaginatedResponse[CourseSummary].of(page)


@router.get("/mine", openapi_extra=AUTHORS)
async def list_my_courses(
    courses: Courses,
    author: Author,
    params: PageParams,
    status_: Annotated[CourseStatus | None, Query(alias="status", description="Only in this state")] = None,
) -> PaginatedResponse[CourseSummary]:
    """The caller's own courses in all states."""
    return PaginatedResponse[CourseSummary].of(await courses.mine(author, status_, params))


@router.post("", status_code=status.HTTP_201_CREATED, openapi_extra=AUTHORS)
async def create_course(courses: Courses, author: Author, new: CourseCreate, response: Response) -> CourseDetail:
    """Begin a draft."""
    course = await courses.create(author, new)
    response.headers["Location"] = f"{router.prefix}/{course.id}"
    set_etag(response, course.version)
    return course


@router.get("/{course_id}", openapi_extra=PUBLIC)
async def get_course(
    courses: Courses, viewer: CurrentIdentity, course_id: CourseId, response: Response
) -> CourseDetail:
    """A course with its outline. A draft or archived course is there only for its instructor and admins."""
    course = await courses.get(viewer, course_id)
    set_etag(response, course.version)
    return course


@router.patch("/{course_id}", responses=problems(409), openapi_extra=AUTHORS)
async def update_course(
    courses: Courses,
    author: Author,
    course_id: CourseId,
    changes: CourseUpdate,
    expected: ExpectedVersion,
    response: Response,
) -> CourseDetail:
    """Change what is named."""
    course = await courses.update(author, course_id, changes, expected_version=expected)
    set_etag(response, course.version)
    return course


@router.put("/{course_id}", responses=problems(409), openapi_extra=AUTHORS)
async def replace_course(
    courses: Courses,
    author: Author,
    course_id: CourseId,
    new: CourseCreate,
    expected: ExpectedVersion,
    response: Response,
) -> CourseDetail:
    """Replace everything that an author sets; what is left out returns to its default."""
    changes = CourseUpdate(**new.model_dump())
    course = await courses.update(author, course_id, changes, expected_version=expected)
    set_etag(response, course.version)
    return course


@router.post("/{course_id}/publish", responses=problems(409), openapi_extra=AUTHORS)
async def publish_course(
    courses: Courses, author: Author, course_id: CourseId, expected: ExpectedVersion, response: Response
) -> CourseDetail:
    """Make the course public. It needs a module with a published lesson: 409 says what is missing."""
    course = await courses.publish(author, course_id, expected_version=expected)
    set_etag(response, course.version)
    return course


@router.post("/{course_id}/archive", openapi_extra=AUTHORS)
async def archive_course(
    courses: Courses, author: Author, course_id: CourseId, expected: ExpectedVersion, response: Response
) -> CourseDetail:
    """Take the course out of the catalogue for good."""
    course = await courses.archive(author, course_id, expected_version=expected)
    set_etag(response, course.version)
    return course


@router.delete("/{course_id}", status_code=status.HTTP_204_NO_CONTENT, openapi_extra=AUTHORS)
async def delete_course(courses: Courses, author: Author, course_id: CourseId, expected: ExpectedVersion) -> None:
    """The same as `archive`: a course is never deleted, certificates refer to it."""
    await courses.archive(author, course_id, expected_version=expected)
