"""The connection to MongoDB."""

from __future__ import annotations

from typing import Any

from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ConfigurationError
from pymongo.write_concern import WriteConcern

DATABASE = "smartcourse"
SELECTION_TIMEOUT_MS = 2000
"""A server that is away is noticed before those who ask give up."""

Document = dict[str, Any]


class MongoDB:
    """One client a process, with time-outs: a stopped server costs a request seconds, never its whole patience."""

    def __init__(self, url: str, *, timeout_seconds: float = 5.0) -> None:
        timeout_ms = int(timeout_seconds * 1000)
        self.client: AsyncMongoClient[Document] = AsyncMongoClient(
            url,
            appname="course-service",
            tz_aware=True,
            connectTimeoutMS=timeout_ms,
            serverSelectionTimeoutMS=min(timeout_ms, SELECTION_TIMEOUT_MS),
            timeoutMS=timeout_ms,
            maxPoolSize=20,
        )

    @property
    def database(self) -> AsyncDatabase[Document]:
        """The URL's database, `smartcourse` if it names none."""
        try:
            name = self.client.get_default_database().name
        except ConfigurationError:
            name = DATABASE
        return self.client.get_database(
            name,
            codec_options=CodecOptions(tz_aware=True, datetime_conversion=DatetimeConversion.DATETIME_AUTO),
            write_concern=WriteConcern("majority", j=True),
        )

    async def ping(self) -> None:
        """Raise `PyMongoError` unless the server answers an authenticated command within the time-out."""
        await self.database.command("ping")

    async def close(self) -> None:
        """Close the connections."""
        await self.client.close()
