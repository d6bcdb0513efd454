"""One file that arrives as `multipart/form-data`, handed on as it comes: neither disk nor memory holds it whole."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from course_service.core.errors import MalformedUploadError
from course_service.services.attachment import Upload

REQUEST_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                    "additionalProperties": False,
                }
            }
        },
    }
}
"""What the description says of it: FastAPI would collect the file before the route is called."""


async def receive_upload(request: Request) -> Upload:
    """Return the file as soon as its headers are there; its bytes follow while they are read.

    Raises:
        MalformedUploadError: the body is not one part with a filename; also later, from the bytes.
    """
    form = _Form(request.headers.get("content-type"))
    arriving = form.parts(request.stream())
    first = await anext(arriving, None)
    if first is None or form.filename is None:
        raise MalformedUploadError("The body has no part with a filename.")
    return Upload(form.filename, _joined(first, arriving))


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for part in rest:
        yield part


class _Form:
    """Feeds what arrives to python-multipart's parser and collects what that calls back with."""

    def __init__(self, content_type: str | None) -> None:
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise MalformedUploadError("Send the file as multipart/form-data.")
        self.filename: str | None = None
        self._header = self._value = b""
        self._data: deque[bytes] = deque()
        self._is_whole = False
        callbacks: Any = {
            "on_part_begin": self._part_begins,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_ends,
            "on_headers_finished": self._headers_end,
            "on_part_data": lambda data, start, end: self._data.append(data[start:end]),
            "on_end": self._end,
        }
        try:
            self._parser = MultipartParser(options[b"boundary"], callbacks)
        except FormParserError as error:
            raise MalformedUploadError(f"The boundary is not good: {error}.") from None

    async def parts(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the file's bytes; the first of them, which may be none, when its name is known."""
        is_told = False
        try:
            async for chunk in stream:
                self._parser.write(chunk)
                if self.filename is not None and not is_told:
                    is_told = True
                    yield b""
                while self._data:
                    yield self._data.popleft()
        except FormParserError as error:
            raise MalformedUploadError(f"The body can't be read: {error}.") from None
        except ClientDisconnect:
            raise MalformedUploadError("The connection ended before the file did.") from None
        if not self._is_whole:
            raise MalformedUploadError("The body ends before its last boundary.")

    def _part_begins(self) -> None:
        if self.filename is not None:
            raise MalformedUploadError("The body has more than one part: send one file at a time.")

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_ends(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(self._value.decode("latin-1"))
            name = options.get(b"filename")
            self.filename = None if name is None else name.decode("utf-8", "replace")
        self._header = self._value = b""

    def _headers_end(self) -> None:
        if self.filename is None:
            raise MalformedUploadError("The part has no filename: send one file and nothing else.")

    def _end(self) -> None:
        self._is_whole = True
