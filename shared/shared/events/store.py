"""The relay's side of the outbox: what is pending, what was published, what may go."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.events.lease import Lease
from shared.events.outbox import channel, outbox_tables

COUNT_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class Pending:
    """An entry that waits to be published."""

    position: int
    stream: str
    payload: dict[str, str]
    keep_seconds: int | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """``entries`` is exact up to ``COUNT_LIMIT``."""

    entries: int
    oldest_seconds: float


class OutboxStore:
    """Queries on one service's outbox. What only the leader may write is written under ``lease``."""

    def __init__(self, engine: AsyncEngine, service: str, lease: Lease) -> None:
        self._engine, self._service, self._lease = engine, service, lease
        self._outbox, _ = outbox_tables(sa.MetaData(), service)

    async def pending(self, limit: int, *, but: Collection[str] = ()) -> list[Pending]:
        """The oldest entries that have not been published, in order, without those of the streams ``but``."""
        row = self._outbox.c
        chosen = sa.select(row.position, row.stream, row.payload, row.keep_seconds).where(row.published_at.is_(None))
        if but:
            chosen = chosen.where(row.stream.not_in(but))
        async with self._engine.connect() as connection:
            result = await connection.execute(chosen.order_by(row.position).limit(limit))
            return [Pending(*entry) for entry in result]

    async def mark(self, positions: Sequence[int], published_as: Sequence[str]) -> None:
        """Record where the broker put the entries at ``positions``.

        Raises:
            LeaseLostError: they are not marked.
        """
        statement = (
            sa.update(self._outbox)
            .where(self._outbox.c.position == sa.bindparam("entry"))
            .values(published_at=sa.func.now(), published_as=sa.bindparam("put_at"))
        )
        marks = [{"entry": entry, "put_at": at} for entry, at in zip(positions, published_as, strict=True)]
        async with self._engine.begin() as connection:
            await self._lease.confirm(connection)
            await connection.execute(statement, marks)

    async def reached(self) -> dict[str, str]:
        """Stream → the broker's position of the last entry that was published to it and is retained."""
        row = self._outbox.c
        newest_first = (row.published_at.desc(), row.position.desc())
        rank = sa.func.row_number().over(partition_by=row.stream, order_by=newest_first).label("rank")
        published = sa.select(row.stream, row.published_as, rank).where(row.published_at.is_not(None)).subquery()
        last = sa.select(published.c.stream, published.c.published_as).where(published.c.rank == 1)
        async with self._engine.connect() as connection:
            return {entry.stream: entry.published_as for entry in await connection.execute(last)}

    async def restore(self, stream: str) -> int:
        """Make all retained entries of a stream pending again, but for those that would be trimmed at once.

        The oldest come first, ``COUNT_LIMIT`` at a time: no statement takes long, and if it is interrupted the newest
        entry still tells that the stream is behind.

        Raises:
            LeaseLostError: some may be pending, none of them was published.
        """
        row, restored, reopened = self._outbox.c, 0, COUNT_LIMIT
        age_seconds = sa.func.extract("epoch", sa.func.now() - row.created_at)
        is_current = sa.or_(row.keep_seconds.is_(None), age_seconds < row.keep_seconds)
        lost = sa.select(row.position).where(row.stream == stream, row.published_at.is_not(None), is_current)
        oldest = lost.order_by(row.position).limit(COUNT_LIMIT)
        while reopened == COUNT_LIMIT:
            await self._lease.hold()  # it may take longer than the lease lasts
            async with self._engine.begin() as connection:
                await self._lease.confirm(connection)
                reopened = (await connection.execute(self._reopen(row.position.in_(oldest)))).rowcount
            restored += reopened
        return restored

    async def reopen(self, *, since: datetime, stream: str | None) -> int:
        """Make what was published since then pending again, and wake the leader."""
        row = self._outbox.c
        chosen = [row.published_at >= since] + ([row.stream == stream] if stream else [])
        async with self._engine.begin() as connection:
            count = (await connection.execute(self._reopen(*chosen))).rowcount
            await connection.execute(sa.select(sa.func.pg_notify(channel(self._service), "")))
        return count

    async def prune(self, *, retention_seconds: float) -> None:
        """Delete what was published longer ago, up to ``COUNT_LIMIT`` entries at a time."""
        row = self._outbox.c
        age_seconds = sa.func.make_interval(0, 0, 0, 0, 0, 0, retention_seconds)
        some = sa.select(row.position).where(row.published_at < sa.func.now() - age_seconds).limit(COUNT_LIMIT)
        async with self._engine.begin() as connection:
            await self._lease.confirm(connection)
            await connection.execute(sa.delete(self._outbox).where(row.position.in_(some)))

    async def backlog(self) -> Backlog:
        row = self._outbox.c
        waiting = sa.select(row.created_at).where(row.published_at.is_(None)).order_by(row.position)
        some = waiting.limit(COUNT_LIMIT).subquery()
        age_seconds = sa.func.extract("epoch", sa.func.clock_timestamp() - sa.func.min(some.c.created_at))
        async with self._engine.connect() as connection:
            result = await connection.execute(sa.select(sa.func.count(), age_seconds).select_from(some))
            count, oldest = result.one()
        return Backlog(count, float(oldest or 0))

    def _reopen(self, *chosen: sa.ColumnElement[bool]) -> Any:
        return sa.update(self._outbox).where(*chosen).values(published_at=None, published_as=None)
