"""Bytes of a file that never changes, sent so that a browser saves them and runs none of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from course_service.core.errors import RangeNotSatisfiableError
from course_service.core.filenames import content_disposition
from course_service.core.ranges import Span, UnsatisfiableError, find_span, is_unchanged, may_continue
from course_service.repositories.file import FileRepository
from shared.openapi import problems

BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}


@dataclass(frozen=True, slots=True)
class Download:
    """A file to send; `file_id` names bytes that never change, and so is their ETag."""

    file_id: str
    filename: str
    content_type: str
    size_bytes: int


def responses(content_type: str, **more: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    """Return what the description says of the answers to a download."""
    content = {content_type: BINARY}
    return {
        200: {"description": "The file", "content": content},
        206: {"description": "The part of it that was asked for", "content": content},
        304: {"description": "The client has it already"},
        **problems(416),
        **{int(status.removeprefix("status_")): answer for status, answer in more.items()},
    }


async def send(request: Request, files: FileRepository, download: Download) -> Response:
    """Answer with the file, with the range of it that is asked for (206), or that the client has it (304).

    Raises:
        RangeNotSatisfiableError: it has no such bytes (416).
        UnavailableError: MongoDB is away.
    """
    etag = f'"{download.file_id}"'
    headers = _headers(download, etag)
    if is_unchanged(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    span = _span(request, download, etag)
    headers["Content-Type"] = download.content_type
    status = 200
    if span is not None:
        status = 206
        headers["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{download.size_bytes}"
    span = span or Span(0, download.size_bytes)
    headers["Content-Length"] = str(span.size_bytes)
    chunks = files.read(download.file_id, span)
    first = await anext(chunks)  # while an error can still become an answer
    return StreamingResponse(_joined(first, chunks), status, headers)


def _span(request: Request, download: Download, etag: str) -> Span | None:
    if not may_continue(request.headers.get("if-range"), etag):
        return None
    try:
        return find_span(request.headers.get("range"), download.size_bytes)
    except UnsatisfiableError:
        raise RangeNotSatisfiableError(download.size_bytes) from None


def _headers(download: Download, etag: str) -> dict[str, str]:
    return {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",  # kept, but asked about: the right to read it can end
        "Content-Disposition": content_disposition(download.filename),
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
    }


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk
