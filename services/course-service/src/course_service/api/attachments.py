"""Routes of lessons' files."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response, status

from course_service.api.deps import Attachments, Author, Files, LessonId
from course_service.api.downloads import Download, responses, send
from course_service.api.uploads import REQUEST_BODY, receive_upload
from course_service.config import MAX_ATTACHMENT_CEILING_BYTES
from course_service.schemas.attachment import AttachmentDetail
from course_service.schemas.text import MAX_ID
from shared.access import access
from shared.identity import CurrentIdentity
from shared.openapi import problems

router = APIRouter(prefix="/api", tags=["attachments"])

ENVELOPE_BYTES = 64 * 1024
"""For what multipart/form-data puts around a file."""

AUTHORS = access("instructor", "admin")
UPLOADERS = access("instructor", "admin", rate="heavy", max_body_bytes=MAX_ATTACHMENT_CEILING_BYTES + ENVELOPE_BYTES)
READERS = access("public", rate="public")

AttachmentId = Annotated[int, Path(ge=1, le=MAX_ID)]


@router.post(
    "/lessons/{lesson_id}/attachments",
    status_code=status.HTTP_201_CREATED,
    responses=problems(408, 409, 415),
    openapi_extra=UPLOADERS | REQUEST_BODY,
)
async def create_attachment(
    attachments: Attachments, author: Author, lesson_id: LessonId, request: Request, response: Response
) -> AttachmentDetail:
    """Add a file to a lesson: one part of multipart/form-data, with a filename.

    What the file is, is judged by its content: 415 unless it is PDF, text, an image, audio, video, ZIP, or a document
    of Office (since 2007) or OpenDocument. 413 if it is larger than the service's limit (50 MiB unless it is set
    otherwise).
    """
    attachment = await attachments.attach(author, lesson_id, await receive_upload(request))
    response.headers["Location"] = f"/api/attachments/{attachment.id}"
    return attachment


@router.get("/lessons/{lesson_id}/attachments", responses=problems(401, 403), openapi_extra=READERS)
async def list_attachments(
    attachments: Attachments, viewer: CurrentIdentity, lesson_id: LessonId
) -> list[AttachmentDetail]:
    """The lesson's files, for who may read its body."""
    return await attachments.of_lesson(viewer, lesson_id)


@router.get("/attachments/{attachment_id}", responses=problems(401, 403), openapi_extra=READERS)
async def get_attachment(
    attachments: Attachments, viewer: CurrentIdentity, attachment_id: AttachmentId
) -> AttachmentDetail:
    """What is known of a file, for who may read its lesson's body."""
    return await attachments.get(viewer, attachment_id)


@router.get(
    "/attachments/{attachment_id}/content",
    response_class=Response,
    responses=problems(401, 403) | responses("*/*"),
    openapi_extra=READERS,
)
async def get_attachment_content(
    attachments: Attachments, files: Files, viewer: CurrentIdentity, attachment_id: AttachmentId, request: Request
) -> Response:
    """The file itself, or one range of it, for who may read its lesson's body."""
    attachment, file_id = await attachments.get_with_file(viewer, attachment_id)
    download = Download(file_id, attachment.filename, attachment.content_type, attachment.size_bytes)
    return await send(request, files, download)


@router.delete(
    "/attachments/{attachment_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(409),
    openapi_extra=AUTHORS,
)
async def delete_attachment(attachments: Attachments, author: Author, attachment_id: AttachmentId) -> None:
    """Take the file from its lesson."""
    await attachments.archive(author, attachment_id)
