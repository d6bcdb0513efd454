"""Files in MongoDB, in GridFS's own form, so that any tool for it reads them."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from bson import ObjectId
from pymongo import ASCENDING

from course_service.core.mongodb import Document, MongoDB, unavailable_if_away
from course_service.core.ranges import Span
from course_service.repositories.unsettled import Unsettled
from shared.exceptions.base import UnavailableError

CHUNK_BYTES = 255 * 1024
FILES, CHUNKS, UNSETTLED = "fs.files", "fs.chunks", "fs.unsettled"
WHAT = "Files"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that was written whole."""

    id: str
    size_bytes: int
    sha256: str


class MissingFileError(RuntimeError):
    """PostgreSQL points to a file that MongoDB has not: data was lost, or another database is connected."""

    def __init__(self, file_id: str) -> None:
        super().__init__(f"file {file_id} is not in {FILES}: restore MongoDB to PostgreSQL's time")


class FileRepository:
    """Adds and reads files; there is no way to change one.

    A file is noted in `fs.unsettled` before its first byte is written, and taken out when the row that refers to it
    is committed (`settle`).

    PyMongo's own GridFS is not used for writing: it collects 48 MB before it sends any.

    Raises `UnavailableError` (503) while MongoDB is away.
    """

    def __init__(self, mongodb: MongoDB) -> None:
        self._files = mongodb.database[FILES]
        self._chunks = mongodb.database[CHUNKS]
        self._unsettled = Unsettled(mongodb.database[UNSETTLED], what=WHAT)
        self._is_indexed = False

    async def add(self, parts: AsyncIterator[bytes], *, filename: str, content_type: str, at: datetime) -> StoredFile:
        """Write a file as its parts arrive, holding one chunk of it at a time; acknowledged as durable.

        When a part can't be had, what was written is removed, and the error goes on.
        """
        file_id = ObjectId()
        await self._index()
        await self._unsettled.note(file_id, at=at)
        try:
            size_bytes, sha256 = await self._write(file_id, parts)
            document: Document = {
                "_id": file_id,
                "length": size_bytes,
                "chunkSize": CHUNK_BYTES,
                "uploadDate": at,
                "filename": filename,
                "metadata": {"contentType": content_type, "sha256": sha256},
            }
            with unavailable_if_away(WHAT):
                await self._files.insert_one(document)
        except BaseException:
            with suppress(UnavailableError):  # what stays behind is collected later
                await self.delete(str(file_id))
            raise
        return StoredFile(str(file_id), size_bytes, sha256)

    async def settle(self, file_id: str) -> None:
        """Note that a committed row refers to the file."""
        await self._unsettled.settle(file_id)

    async def unsettled(self, *, before: datetime, limit: int) -> list[str]:
        """Return the ids of files begun before that time that no row was said to refer to, the oldest first."""
        return await self._unsettled.oldest(before=before, limit=limit)

    async def delete(self, file_id: str) -> None:
        """Remove a file that no row refers to, as much of it as was written."""
        _id = ObjectId(file_id)
        with unavailable_if_away(WHAT):
            await self._files.delete_one({"_id": _id})
            await self._chunks.delete_many({"files_id": _id})
        await self._unsettled.settle(file_id)

    async def find_size(self, file_id: str) -> int | None:
        """Return how many bytes the file has, or None if it is not there, or not whole."""
        _id = ObjectId(file_id)
        with unavailable_if_away(WHAT):
            document = await self._files.find_one({"_id": _id}, {"length": True})
            chunks = await self._chunks.count_documents({"files_id": _id})
        if document is None or chunks * CHUNK_BYTES < document["length"]:
            return None
        return int(document["length"])

    async def read(self, file_id: str, span: Span) -> AsyncIterator[bytes]:
        """Yield these bytes of the file, a chunk at a time; no cursor stays open while a slow reader takes its time.

        Raises `MissingFileError`.
        """
        for number in range(span.start // CHUNK_BYTES, -(-span.end // CHUNK_BYTES)):
            with unavailable_if_away(WHAT):
                chunk = await self._chunks.find_one({"files_id": ObjectId(file_id), "n": number}, {"data": True})
            if chunk is None:
                raise MissingFileError(file_id)
            offset = number * CHUNK_BYTES
            yield chunk["data"][max(span.start - offset, 0) : span.end - offset]

    async def _write(self, file_id: ObjectId, parts: AsyncIterator[bytes]) -> tuple[int, str]:
        digest, size_bytes, number = hashlib.sha256(), 0, 0
        pending = bytearray()
        async for part in parts:
            digest.update(part)
            size_bytes += len(part)
            pending += part
            while len(pending) >= CHUNK_BYTES:
                await self._write_chunk(file_id, number, bytes(pending[:CHUNK_BYTES]))
                del pending[:CHUNK_BYTES]
                number += 1
        if pending:
            await self._write_chunk(file_id, number, bytes(pending))
        return size_bytes, digest.hexdigest()

    async def _write_chunk(self, file_id: ObjectId, number: int, data: bytes) -> None:
        with unavailable_if_away(WHAT):
            await self._chunks.insert_one({"files_id": file_id, "n": number, "data": data})

    async def _index(self) -> None:
        if not self._is_indexed:
            with unavailable_if_away(WHAT):
                await self._chunks.create_index([("files_id", ASCENDING), ("n", ASCENDING)], unique=True)
            self._is_indexed = True
