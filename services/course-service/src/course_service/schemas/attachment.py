"""Files of lessons as JSON."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from shared.schemas.base import Schema


class AttachmentDetail(Schema):
    """A file; its bytes are at `content_url` and never change."""

    id: int
    lesson_id: int
    filename: str
    content_type: str = Field(description="By what is in the file, whatever its sender called it")
    size_bytes: int
    sha256: str
    content_url: str
    uploaded_by_id: int
    created_at: datetime
