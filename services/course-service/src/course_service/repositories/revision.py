"""Lesson bodies in MongoDB: one immutable document for each revision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId

from course_service.core.cache import LRUCache
from course_service.core.mongodb import Document, MongoDB, unavailable_if_away
from course_service.repositories.unsettled import Unsettled

COLLECTION, UNSETTLED = "lesson_revisions", "lesson_revisions.unsettled"
WHAT = "Lesson bodies"
CACHE_BYTES = 8 * 1024 * 1024

Body = str | dict[str, Any]


@dataclass(frozen=True, slots=True)
class Revision:
    """A body as it was at one time; whoever changes a lesson adds another."""

    lesson_id: int
    author_id: int
    kind: str
    body: Body
    created_at: datetime


class MissingRevisionError(RuntimeError):
    """PostgreSQL points to a revision that MongoDB has not: data was lost, or another database is connected."""

    def __init__(self, revision_id: str) -> None:
        super().__init__(f"revision {revision_id} is not in {COLLECTION}: restore MongoDB to PostgreSQL's time")


class RevisionRepository:
    """Adds and reads revisions; there is no way to change one.

    A revision is noted in `lesson_revisions.unsettled` before it is written, and taken out when it has become a
    lesson's current one (`settle`). One that was current is history, and kept: whoever replaces a revision settles it
    first, so that what is left unsettled and is not current never was.

    Raises `UnavailableError` (503) while MongoDB is away.
    """

    def __init__(self, mongodb: MongoDB) -> None:
        self._collection = mongodb.database[COLLECTION]
        self._unsettled = Unsettled(mongodb.database[UNSETTLED], what=WHAT)
        self._cache: LRUCache[Body] = LRUCache(CACHE_BYTES)

    async def add(self, revision: Revision) -> str:
        """Write a revision, acknowledged as durable, and return its id."""
        document: Document = {
            "_id": ObjectId(),
            "lesson_id": revision.lesson_id,
            "author_id": revision.author_id,
            "kind": revision.kind,
            "body": revision.body,
            "created_at": revision.created_at,
        }
        await self._unsettled.note(document["_id"], at=revision.created_at)
        with unavailable_if_away(WHAT):
            await self._collection.insert_one(document)
        return str(document["_id"])

    async def settle(self, revision_id: str) -> None:
        """Note that a lesson's committed row refers to the revision, or did."""
        await self._unsettled.settle(revision_id)

    async def unsettled(self, *, before: datetime, limit: int) -> list[str]:
        """Return the ids of revisions begun before that time that no row was said to refer to, the oldest first."""
        return await self._unsettled.oldest(before=before, limit=limit)

    async def delete(self, revision_id: str) -> None:
        """Remove a revision that no row has ever referred to."""
        with unavailable_if_away(WHAT):
            await self._collection.delete_one({"_id": ObjectId(revision_id)})
        await self._unsettled.settle(revision_id)

    async def get_body(self, revision_id: str) -> Body:
        """Return the body of a revision. Raises `MissingRevisionError`."""
        cached = self._cache.find(revision_id)
        if cached is not None:
            return cached
        with unavailable_if_away(WHAT):
            document = await self._collection.find_one({"_id": ObjectId(revision_id)}, {"body": True})
        if document is None:
            raise MissingRevisionError(revision_id)
        body: Body = document["body"]
        self._cache.put(revision_id, body, size_bytes=len(repr(body)))
        return body
