"""The connection to MongoDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bson.codec_options import CodecOptions, DatetimeConversion
from opentelemetry.instrumentation.pymongo import CommandTracer
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ConfigurationError, PyMongoError
from pymongo.write_concern import WriteConcern

from course_service.core.mongodb_pool import PoolWatch
from shared.exceptions.base import UnavailableError
from shared.telemetry.tracing import tracer

DATABASE = "smartcourse"
SELECTION_TIMEOUT_MS = 2000
"""A server that is away is noticed before those who ask give up."""

MAX_CONNECTIONS = 20

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
            maxPoolSize=MAX_CONNECTIONS,
            # Spans of commands, with their names and collections but none of their values.
            event_listeners=[CommandTracer(tracer), PoolWatch(limit=MAX_CONNECTIONS)],
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


@contextmanager
def unavailable_if_away(what: str) -> Iterator[None]:
    """Turn what PyMongo raises into `UnavailableError` (503): `what` can't be read or written."""
    try:
        yield
    except PyMongoError as error:
        raise UnavailableError(f"{what} can't be read or written at the moment: try again soon.") from error
