"""Files of lessons: who may add, read and remove them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from course_service.core.errors import (
    AttachmentTooLargeError,
    EmptyFileError,
    FileTypeNotAllowedError,
    NoSuchAttachmentError,
    NoSuchLessonError,
    TooManyAttachmentsError,
    UploadTooSlowError,
)
from course_service.core.file_types import HEAD_BYTES, is_allowed, type_of
from course_service.core.filenames import safe_filename
from course_service.models import Attachment, Lesson
from course_service.repositories.attachment import AttachmentRepository
from course_service.repositories.file import FileRepository, StoredFile
from course_service.schemas.attachment import AttachmentDetail
from course_service.services.gate import get_course_to_edit, get_readable_lesson, get_visible_lesson
from shared.database import Database
from shared.exceptions.base import UnavailableError
from shared.identity import Identity, UserIdentity
from shared.utils.datetime import Clock

MAX_ATTACHMENTS = 50
"""Of a lesson."""

MAX_UPLOAD_SECONDS = 900
"""Far less than `orphan_collector.MINIMUM_AGE`: what is still arriving is never collected."""

FIELDS = AttachmentDetail.model_fields.keys() & Attachment.__table__.columns.keys()


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that is arriving: its name as its sender wrote it, and its bytes."""

    filename: str
    parts: AsyncIterator[bytes]


class AttachmentService:
    """The use cases of attachments.

    A file is stored between two transactions: the first finds out whether the author may add it, the second refers to
    it. When that fails, the file stays behind until it is collected.

    Who may read an attachment is who may read its lesson's body; for others all raise what the lesson raises.
    """

    def __init__(self, database: Database, files: FileRepository, clock: Clock, *, max_bytes: int) -> None:
        self._database = database
        self._files = files
        self._clock = clock
        self._max_bytes = max_bytes

    async def attach(self, author: UserIdentity, lesson_id: int, upload: Upload) -> AttachmentDetail:
        """Add a file to a lesson.

        Raises:
            NoSuchLessonError, NotTheInstructorError, CourseArchivedError, TooManyAttachmentsError
            MalformedUploadError, AttachmentTooLargeError, FileTypeNotAllowedError, EmptyFileError, UploadTooSlowError
            UnavailableError: MongoDB is away.
        """
        async with self._database.begin() as session:
            await _check_room(session, author, lesson_id)
            await session.rollback()  # it was a look: the upload is not carried out yet
        filename = safe_filename(upload.filename)
        try:
            async with asyncio.timeout(MAX_UPLOAD_SECONDS):
                content_type, parts = await _judged(upload.parts)
                stored = await self._files.add(
                    self._limited(parts), filename=filename, content_type=content_type, at=self._clock.now()
                )
        except TimeoutError:
            raise UploadTooSlowError(MAX_UPLOAD_SECONDS) from None
        attachment = await self._refer(author, lesson_id, stored, filename, content_type)
        with suppress(UnavailableError):  # the file is in the lesson; the collector settles what is not settled here
            await self._files.settle(stored.id)
        return _detail(attachment)

    async def of_lesson(self, viewer: Identity, lesson_id: int) -> list[AttachmentDetail]:
        """Return a lesson's attachments, in the order they came."""
        async with self._database.read() as session:
            await get_readable_lesson(session, viewer, lesson_id)
            return [_detail(attachment) for attachment in await AttachmentRepository(session).of_lesson(lesson_id)]

    async def get(self, viewer: Identity, attachment_id: int) -> AttachmentDetail:
        """Return an attachment. Raises `NoSuchAttachmentError`."""
        return (await self.get_with_file(viewer, attachment_id))[0]

    async def get_with_file(self, viewer: Identity, attachment_id: int) -> tuple[AttachmentDetail, str]:
        """Return an attachment and its file's id. Raises `NoSuchAttachmentError`."""
        async with self._database.read() as session:
            attachment = await _get(session, attachment_id)
            try:
                await get_readable_lesson(session, viewer, attachment.lesson_id)
            except NoSuchLessonError:
                raise NoSuchAttachmentError(attachment_id) from None
            return _detail(attachment), attachment.file_id

    async def archive(self, author: Identity, attachment_id: int) -> None:
        """Take a file from its lesson; its bytes are kept.

        Raises:
            NoSuchAttachmentError, NotTheInstructorError, CourseArchivedError
        """
        async with self._database.begin() as session:
            attachment = await _get(session, attachment_id)
            try:
                await _get_lesson_to_edit(session, author, attachment.lesson_id)
            except NoSuchLessonError:
                raise NoSuchAttachmentError(attachment_id) from None
            attachment.archived_at = self._clock.now()

    async def _limited(self, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        size_bytes = 0
        async for part in parts:
            size_bytes += len(part)
            if size_bytes > self._max_bytes:
                raise AttachmentTooLargeError(self._max_bytes)
            yield part

    async def _refer(
        self, author: UserIdentity, lesson_id: int, stored: StoredFile, filename: str, content_type: str
    ) -> Attachment:
        attachment = Attachment(
            lesson_id=lesson_id,
            file_id=stored.id,
            filename=filename,
            content_type=content_type,
            size_bytes=stored.size_bytes,
            sha256=stored.sha256,
            uploaded_by_id=author.user_id,
            created_at=self._clock.now(),
        )
        async with self._database.begin() as session:
            await _check_room(session, author, lesson_id)
            await AttachmentRepository(session).add(attachment)
        return attachment


async def _judged(parts: AsyncIterator[bytes]) -> tuple[str, AsyncIterator[bytes]]:
    """Return the file's type, judged by its beginning, and the file whole.

    Raises:
        EmptyFileError, FileTypeNotAllowedError
    """
    head = b""
    while len(head) < HEAD_BYTES and (part := await anext(parts, None)) is not None:
        head += part
    if not head:
        raise EmptyFileError
    content_type = type_of(head[:HEAD_BYTES])
    if not is_allowed(content_type):
        raise FileTypeNotAllowedError(content_type)

    async def whole() -> AsyncIterator[bytes]:
        yield head
        async for part in parts:
            yield part

    return content_type, whole()


async def _check_room(session: AsyncSession, author: Identity, lesson_id: int) -> None:
    """Refuse who may not change the lesson, and one file too many; the course is locked, so that the count is exact."""
    await _get_lesson_to_edit(session, author, lesson_id)
    if await AttachmentRepository(session).count(lesson_id) >= MAX_ATTACHMENTS:
        raise TooManyAttachmentsError(lesson_id, limit=MAX_ATTACHMENTS)


async def _get_lesson_to_edit(session: AsyncSession, author: Identity, lesson_id: int) -> Lesson:
    found = await get_visible_lesson(session, author, lesson_id)
    await get_course_to_edit(session, author, found.course.id)
    return (await get_visible_lesson(session, author, lesson_id)).lesson  # as it is now that its course is locked


async def _get(session: AsyncSession, attachment_id: int) -> Attachment:
    attachment = await AttachmentRepository(session).find(attachment_id)
    if attachment is None:
        raise NoSuchAttachmentError(attachment_id)
    return attachment


def _detail(attachment: Attachment) -> AttachmentDetail:
    fields = {name: getattr(attachment, name) for name in FIELDS}
    return AttachmentDetail(**fields, content_url=f"/api/attachments/{attachment.id}/content")
