"""What was written to MongoDB before the row that is to refer to it."""

from __future__ import annotations

from datetime import datetime

from bson import ObjectId
from pymongo import ASCENDING
from pymongo.asynchronous.collection import AsyncCollection

from course_service.core.mongodb import Document, unavailable_if_away


class Unsettled:
    """Notes of ids, one from before something is written until the row that refers to it is committed.

    So whatever is interrupted in between is found without looking at everything.
    Raises `UnavailableError` (503) while MongoDB is away, saying that `what` can't be read or written.
    """

    def __init__(self, collection: AsyncCollection[Document], *, what: str) -> None:
        self._collection = collection
        self._what = what
        self._is_indexed = False

    async def note(self, id_: ObjectId, *, at: datetime) -> None:
        """Note what is about to be written."""
        with unavailable_if_away(self._what):
            if not self._is_indexed:
                await self._collection.create_index([("started_at", ASCENDING)])
                self._is_indexed = True
            await self._collection.insert_one({"_id": id_, "started_at": at})

    async def settle(self, id_: str) -> None:
        """Note that a committed row refers to it."""
        with unavailable_if_away(self._what):
            await self._collection.delete_one({"_id": ObjectId(id_)})

    async def oldest(self, *, before: datetime, limit: int) -> list[str]:
        """Return the ids noted before that time that no row was said to refer to, the oldest first."""
        with unavailable_if_away(self._what):
            found = self._collection.find({"started_at": {"$lt": before}}).sort("started_at", ASCENDING).limit(limit)
            return [str(document["_id"]) for document in await found.to_list()]
