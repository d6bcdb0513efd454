"""What routes ask for."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Depends, Header, Path, Request, Response

from course_service.repositories.file import FileRepository
from course_service.schemas.text import MAX_ID
from course_service.services.attachment import AttachmentService
from course_service.services.certificate import CertificateService
from course_service.services.course import CourseService
from course_service.services.enrollment import EnrollmentService
from course_service.services.lesson import LessonPath, LessonService
from course_service.services.module import ModuleService
from course_service.services.progress import ProgressService
from course_service.services.quiz import QuizService
from shared.exceptions.base import BadRequestError
from shared.identity import Role, UserIdentity, require_roles

ENTITY_TAG = re.compile(r'(?:W/)?"(\d{1,9})"')


async def _courses(request: Request) -> CourseService:
    service: CourseService = request.app.state.courses
    return service


async def _modules(request: Request) -> ModuleService:
    service: ModuleService = request.app.state.modules
    return service


async def _lessons(request: Request) -> LessonService:
    service: LessonService = request.app.state.lessons
    return service


async def _enrollments(request: Request) -> EnrollmentService:
    service: EnrollmentService = request.app.state.enrollments
    return service


async def _progress(request: Request) -> ProgressService:
    service: ProgressService = request.app.state.progress
    return service


async def _quizzes(request: Request) -> QuizService:
    service: QuizService = request.app.state.quizzes
    return service


async def _certificates(request: Request) -> CertificateService:
    service: CertificateService = request.app.state.certificates
    return service


async def _attachments(request: Request) -> AttachmentService:
    service: AttachmentService = request.app.state.attachments
    return service


async def _files(request: Request) -> FileRepository:
    files: FileRepository = request.app.state.files
    return files


async def _expected_version(
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
Enrollments = Annotated[EnrollmentService, Depends(_enrollments)]
ProgressOf = Annotated[ProgressService, Depends(_progress)]
Quizzes = Annotated[QuizService, Depends(_quizzes)]
Admin = Annotated[UserIdentity, Depends(require_roles(Role.ADMIN))]
Certificates = Annotated[CertificateService, Depends(_certificates)]
Attachments = Annotated[AttachmentService, Depends(_attachments)]
Files = Annotated[FileRepository, Depends(_files)]
Author = Annotated[UserIdentity, Depends(require_roles(Role.INSTRUCTOR, Role.ADMIN))]
ExpectedVersion = Annotated[int | None, Depends(_expected_version)]
CourseId = Annotated[int, Path(ge=1, le=MAX_ID)]
ModuleId = Annotated[int, Path(ge=1, le=MAX_ID)]
LessonId = Annotated[int, Path(ge=1, le=MAX_ID)]
EnrollmentId = Annotated[int, Path(ge=1, le=MAX_ID)]


async def _lesson_path(course_id: CourseId, module_id: ModuleId, lesson_id: LessonId) -> LessonPath:
    return LessonPath(course_id=course_id, module_id=module_id, lesson_id=lesson_id)


LessonAt = Annotated[LessonPath, Depends(_lesson_path)]
