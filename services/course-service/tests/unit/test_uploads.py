"""Reading multipart/form-data however the network cuts it up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from fastapi import Request

from course_service.api.uploads import receive_upload
from course_service.core.errors import MalformedUploadError

CONTENT = b"\r\n--not the boundary\r\n\0\xff" * 3
HEAD = (
    b'--B0undary\r\nContent-Disposition: form-data; name="file"; filename="a\xc3\xa9.bin"\r\nContent-Type: x/y\r\n\r\n'
)
FORM = HEAD + CONTENT + b"\r\n--B0undary--\r\n"
TYPE = "multipart/form-data; boundary=B0undary"


def request(parts: Sequence[bytes], content_type: str | None = TYPE, *, breaks_off: bool = False) -> Request:
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages.append({"type": "http.disconnect"} if breaks_off else {"type": "http.request", "body": b""})
    waiting = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(waiting)

    headers = [] if content_type is None else [(b"content-type", content_type.encode())]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive)


async def whole(parts: AsyncIterator[bytes]) -> bytes:
    return b"".join([part async for part in parts])


@pytest.mark.parametrize("size", [*range(1, 40), len(FORM)])
async def test_a_file_arrives_whole_however_it_is_cut(size: int) -> None:
    upload = await receive_upload(request([FORM[at : at + size] for at in range(0, len(FORM), size)]))
    assert upload.filename == "aé.bin"
    assert await whole(upload.parts) == CONTENT


async def test_the_name_is_there_before_the_bytes_are() -> None:
    upload = await receive_upload(request([HEAD, b"first", b"second"], breaks_off=True))
    assert upload.filename == "aé.bin"
    with pytest.raises(MalformedUploadError, match="connection ended"):
        await whole(upload.parts)


async def test_an_empty_file_has_no_bytes() -> None:
    upload = await receive_upload(request([HEAD + b"\r\n--B0undary--\r\n"]))
    assert await whole(upload.parts) == b""


FIELD = b'--B0undary\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n'
BROKEN: dict[str, tuple[bytes, str | None]] = {
    "no form": (FORM, "application/json"),
    "no content type": (FORM, None),
    "no boundary": (FORM, "multipart/form-data"),
    "a boundary that is too long": (FORM, "multipart/form-data; boundary=" + "x" * 300),
    "nothing": (b"", TYPE),
    "not its boundary": (b"--Other\r\n\r\n", TYPE),
    "a field without a filename": (FIELD + b"--B0undary--\r\n", TYPE),
    "a field before the file": (FIELD + FORM, TYPE),
    "two files": (HEAD + CONTENT + b"\r\n" + FORM, TYPE),
    "an end before the last boundary": (HEAD + CONTENT, TYPE),
    "no part at all": (b"--B0undary--\r\n", TYPE),
    "endless headers": (b"--B0undary\r\n" + b"X: " + b"y" * 100_000, TYPE),
}


@pytest.mark.parametrize("what", BROKEN)
async def test_what_is_not_one_file_is_refused(what: str) -> None:
    body, content_type = BROKEN[what]
    with pytest.raises(MalformedUploadError):
        await whole((await receive_upload(request([body], content_type))).parts)
