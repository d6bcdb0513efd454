"""What routes ask for."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Depends, Header, Path, Request, Response

from course_service.schemas.text import MAX_ID
from course_service.services.course import CourseService
from course_service.services.lesson import LessonPath, LessonService
from course_service.services.module import ModuleService
from shared.exceptions.base import BadRequestError
from shared.identity import Role, UserIdentity, require_roles

ENTITY_TAG = re.compile(r'(?:W/)?"(\d{1,9})"')


def _courses(request: Request) -> CourseService:
    service: CourseService = request.app.state.courses
    return service


def _modules(request: Request) -> ModuleService:
    service: ModuleService = request.app.state.modules
    return service


def _lessons(request: Request) -> LessonService:
    service: LessonService = request.app.state.lessons
    return service


def _expected_version(
    if_match: Annotated[
        str | None, Header(description="The ETag of the version to change; 412 if there is a newer one.")
    ] = None,
) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    tag = ENTITY_TAG.fullmatch(if_match.strip())
    if tag is None:
        raise BadRequestError('If-Match names one version as its ETag does, for example "3".')
    return int(tag[1])


def set_etag(response: Response, version: int) -> None:
    """Say which version the answer shows, for a later `If-Match`."""
    response.headers["ETag"] = f'"{version}"'


Courses = Annotated[CourseService, Depends(_courses)]
Modules = Annotated[ModuleService, Depends(_modules)]
Lessons = Annotated[LessonService, Depends(_lessons)]
Author = Annotated[UserIdentity, Depends(require_roles(Role.INSTRUCTOR, Role.ADMIN))]
ExpectedVersion = Annotated[int | None, Depends(_expected_version)]
CourseId = Annotated[int, Path(ge=1, le=MAX_ID)]
ModuleId = Annotated[int, Path(ge=1, le=MAX_ID)]


def _lesson_path(
    course_id: CourseId, module_id: ModuleId, lesson_id: Annotated[int, Path(ge=1, le=MAX_ID)]
) -> LessonPath:
    return LessonPath(course_id=course_id, module_id=module_id, lesson_id=lesson_id)


LessonAt = Annotated[LessonPath, Depends(_lesson_path)]
