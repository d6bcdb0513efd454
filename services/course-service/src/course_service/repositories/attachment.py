"""Queries of attachments."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from course_service.models import Attachment, Certificate


class AttachmentRepository:
    """Attachments that are not archived; who may read one is who may read its lesson's body."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def find(self, attachment_id: int) -> Attachment | None:
        """Return the attachment, or None."""
        query = select(Attachment).where(Attachment.id == attachment_id, Attachment.archived_at.is_(None))
        return await self._session.scalar(query)

    async def of_lesson(self, lesson_id: int) -> Sequence[Attachment]:
        """Return a lesson's attachments in the order they came."""
        query = select(Attachment).where(Attachment.lesson_id == lesson_id, Attachment.archived_at.is_(None))
        return (await self._session.scalars(query.order_by(Attachment.id))).all()

    async def count(self, lesson_id: int) -> int:
        """Return how many attachments a lesson has."""
        query = select(func.count()).where(Attachment.lesson_id == lesson_id, Attachment.archived_at.is_(None))
        return await self._session.scalar(query) or 0

    async def add(self, attachment: Attachment) -> None:
        """Insert `attachment`; it then has its id."""
        self._session.add(attachment)
        await self._session.flush()

    async def referred_to(self, file_ids: Collection[str]) -> set[str]:
        """Return those of the files that a row refers to: an attachment, archived or not, or a certificate."""
        attached = select(Attachment.file_id).where(Attachment.file_id.in_(file_ids))
        certified = select(Certificate.file_id).where(Certificate.file_id.in_(file_ids))
        found = await self._session.execute(attached.union(certified))
        return {file_id for (file_id,) in found}
