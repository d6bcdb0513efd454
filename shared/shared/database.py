"""PostgreSQL: one engine a process, a transaction a use case.

``begin()`` is for use cases that write and commits on leaving; ``read()`` cannot write. They give sessions of
different types, so that a function says which one it needs.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Annotated, TypeVar, cast

import asyncpg
from fastapi import Depends, Request
from pydantic import SecretStr
from sqlalchemy import QueuePool, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from shared.config.settings import DatabaseSettings, sqlalchemy_url
from shared.exceptions.base import UnavailableError
from shared.telemetry.pools import WAIT_SECONDS, watch_pool

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
CONNECT_TIMEOUT_SECONDS = 5.0
RETRY_AFTER_SECONDS = 2
POOL = "postgres"


class DatabaseUnavailableError(UnavailableError):
    """PostgreSQL cannot be reached, is overloaded, or took too long."""

    slug = "database-unavailable"
    title = "The database does not answer"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, retry_after_seconds=RETRY_AFTER_SECONDS)


class ReadSession(AsyncSession):
    """A session in a READ ONLY transaction."""


class WriteSession(AsyncSession):
    """A session in a transaction that is committed on leaving."""


AnySession = TypeVar("AnySession", ReadSession, WriteSession)


before_commit: ContextVar[Callable[[WriteSession], Awaitable[None]] | None] = ContextVar("before_commit", default=None)
"""Called in each transaction of the present request that is about to commit, to write what must be true with it."""


class Database:
    """A pool of connections. It outlives restarts of the server: a dead connection is replaced when it is asked for."""

    def __init__(
        self,
        source: DatabaseSettings | str | SecretStr | URL,
        *,
        application_name: str = "smartcourse",
        pool_size: int = 5,
        max_overflow: int = 10,
        pool_timeout_seconds: float = 5.0,
        statement_timeout_seconds: float = 15.0,
    ) -> None:
        if isinstance(source, DatabaseSettings):
            pool_size, max_overflow = source.database_pool_size, source.database_max_overflow
            pool_timeout_seconds = source.database_pool_timeout_seconds
            statement_timeout_seconds = source.database_statement_timeout_seconds
            source = source.database_url
        milliseconds = str(int(statement_timeout_seconds * 1000))
        self._pool_size, self._max_overflow = pool_size, max_overflow
        self.engine = create_async_engine(
            sqlalchemy_url(source),
            pool_size=pool_size,
            max_overflow=max_overflow,
            pool_timeout=pool_timeout_seconds,
            pool_pre_ping=True,
            hide_parameters=True,  # they would be in error messages, and so in logs
            connect_args={
                "timeout": CONNECT_TIMEOUT_SECONDS,
                "server_settings": {
                    "application_name": application_name,
                    "statement_timeout": milliseconds,
                    "idle_in_transaction_session_timeout": milliseconds,
                    "timezone": "UTC",
                },
            },
        )

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[WriteSession]:
        """A transaction: committed on leaving, rolled back on an error. Raises DatabaseUnavailableError (503).

        One that has locked rows only to look at them ends with ``session.rollback()``: leaving then commits nothing.
        """
        async with self._session(WriteSession, read_only=False) as session:
            yield session

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        """A READ ONLY transaction. Raises DatabaseUnavailableError (503)."""
        async with self._session(ReadSession, read_only=True) as session:
            yield session

    async def ping(self) -> None:
        """Raise DatabaseUnavailableError unless the server answers a query."""
        async with self.read() as session:
            await session.execute(text("SELECT 1"))

    def watch_pool(self) -> None:
        """Publish the state of the pool as metrics; those of the database that said so last are seen."""
        # Read through the engine: its pool is another one after `dispose`.
        pool = cast("Callable[[], QueuePool]", lambda: self.engine.pool)
        watch_pool(
            POOL,
            used=lambda: pool().checkedout(),
            idle=lambda: pool().checkedin(),
            size=self._pool_size,
            limit=self._pool_size + self._max_overflow,
        )

    async def dispose(self) -> None:
        """Close the connections."""
        await self.engine.dispose()

    @asynccontextmanager
    async def _session(self, kind: type[AnySession], *, read_only: bool) -> AsyncIterator[AnySession]:
        options = {"postgresql_readonly": True} if read_only else {}
        async with kind(self.engine, expire_on_commit=False) as session:
            try:
                with WAIT_SECONDS.labels(POOL).time():
                    await session.connection(execution_options=options)
            except _CONNECTING as error:
                raise DatabaseUnavailableError("The database cannot be reached at the moment.") from error
            try:
                yield session
                if isinstance(session, WriteSession) and session.in_transaction() and (stamp := before_commit.get()):
                    await stamp(session)
                await session.commit()
            except DBAPIError as error:
                if error.connection_invalidated:
                    raise DatabaseUnavailableError("The connection to the database was lost.") from error
                if getattr(error.orig, "sqlstate", None) in _TOO_LATE:
                    raise DatabaseUnavailableError("The database took too long.") from error
                raise


_CONNECTING = (OSError, PoolTimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, DBAPIError)
"""What goes wrong while a connection is made; OSError includes TimeoutError."""

_TOO_LATE = {"57014", "55P03", "25P03"}
"""query_canceled (statement_timeout), lock_not_available, idle_in_transaction_session_timeout"""


async def database_of(request: Request) -> Database:
    """The database that ``create_app`` was given."""
    database: Database = request.app.state.database
    return database


CurrentDatabase = Annotated[Database, Depends(database_of)]
