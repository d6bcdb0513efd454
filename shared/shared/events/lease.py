"""Leadership by a row: who may act for a service, and until when."""

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine


class LeaseLostError(Exception):
    """Somebody else leads, or nobody: what was about to be written must not be."""

    def __init__(self, name: str, owner: str) -> None:
        super().__init__(f"{owner} no longer holds the lease {name}")


class Lease:
    """One row of a lease table. Times are the database's, so that clocks need not agree.

    ``owner`` must be new with every process: it is also the fencing token that ``confirm`` checks.
    """

    def __init__(self, engine: AsyncEngine, table: sa.Table, *, name: str, owner: str, seconds: float) -> None:
        self._engine, self._table = engine, table
        self._name, self._owner, self._seconds = name, owner, seconds

    async def hold(self) -> bool:
        """Take or renew the lease; False while somebody else has it. Writes only once a third of it is spent."""
        row, now = self._table.c, sa.func.clock_timestamp()
        found = sa.select(row.owner == self._owner, row.until > now, row.until > now + _interval(self._seconds * 2 / 3))
        async with self._engine.begin() as connection:
            current = (await connection.execute(found.where(row.name == self._name))).first()
            if current is not None:
                is_mine, is_valid, is_fresh = current
                if is_valid and (is_fresh or not is_mine):
                    return bool(is_mine)
            return await self._take(connection)

    async def _take(self, connection: AsyncConnection) -> bool:
        row, now = self._table.c, sa.func.clock_timestamp()
        until = now + _interval(self._seconds)
        statement = insert(self._table).values(name=self._name, owner=self._owner, until=until)
        statement = statement.on_conflict_do_update(
            index_elements=[row.name],
            set_={"owner": self._owner, "until": until},
            where=sa.or_(row.owner == self._owner, row.until <= now),
        )
        return (await connection.execute(statement.returning(row.owner))).first() is not None

    async def confirm(self, connection: AsyncConnection) -> None:
        """Make the transaction of ``connection`` valid only under this lease: nobody can take it until it ends.

        Raises:
            LeaseLostError: it has run out or is another's.
        """
        row = self._table.c
        held = sa.and_(row.name == self._name, row.owner == self._owner, row.until > sa.func.clock_timestamp())
        if (await connection.execute(sa.select(row.name).where(held).with_for_update(read=True))).first() is None:
            raise LeaseLostError(self._name, self._owner)

    async def release(self) -> None:
        """Give it up, so that the next one need not wait for its end."""
        row = self._table.c
        async with self._engine.begin() as connection:
            await connection.execute(sa.delete(self._table).where(row.name == self._name, row.owner == self._owner))


def _interval(seconds: float) -> sa.Function[timedelta]:
    return sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds, type_=sa.Interval)
