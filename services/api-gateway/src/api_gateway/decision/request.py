"""A GET of one service, without a client library: what the decision process asks of services is rare and small."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

_LONGEST_ANSWER: Final = 65_536


async def get(host: str, port: int, target: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    """Return the answer's status and body. How long that may take is for the caller to bound.

    Raises:
        OSError: nobody answers there.
        ValueError: what comes back is not HTTP, or longer than an answer of ours.
    """
    reader, writer = await asyncio.open_connection(host, port)
    try:
        lines = [f"GET {target} HTTP/1.1", f"Host: {host}:{port}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        writer.write("\r\n".join([*lines, "\r\n"]).encode("ascii"))
        await writer.drain()
        head, _, body = (await _read_whole(reader)).partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1."):
            raise ValueError("the answer is not HTTP/1")
        return int(head.split(b" ", 2)[1]), body
    finally:
        writer.close()


async def _read_whole(reader: asyncio.StreamReader) -> bytes:
    try:
        await reader.readexactly(_LONGEST_ANSWER)
    except asyncio.IncompleteReadError as whole:
        return whole.partial
    raise ValueError(f"the answer is longer than {_LONGEST_ANSWER} bytes")
