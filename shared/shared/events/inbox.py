"""What a service has already consumed: the event's id is recorded in the transaction of its effect."""

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.schema import conv

from shared.events.outbox import MigrationOperations


def processed_table(metadata: sa.MetaData, service: str) -> sa.Table:
    """Declare ``<service>_processed_events`` in ``metadata``."""
    name = f"{service}_processed_events"
    table = sa.Table(
        name,
        metadata,
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("processed_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("event_id", name=conv(f"pk_{name}")),
    )
    sa.Index(conv(f"ix_{name}_processed_at"), table.c.processed_at)
    return table


def create_processed_table(op: MigrationOperations, service: str) -> None:
    """Create the table in an Alembic migration."""
    processed_table(sa.MetaData(), service).create(op.get_bind())


def drop_processed_table(op: MigrationOperations, service: str) -> None:
    """Undo ``create_processed_table``."""
    processed_table(sa.MetaData(), service).drop(op.get_bind())


FORGOTTEN_AT_ONCE = 10_000


class Inbox:
    """The record of one service."""

    def __init__(self, service: str) -> None:
        self._processed = processed_table(sa.MetaData(), service)

    async def take(self, session: AsyncSession, event_id: UUID) -> bool:
        """Record the event; False if it was before. Waits for another transaction that is about to record it."""
        statement = insert(self._processed).values(event_id=event_id).on_conflict_do_nothing()
        return (await session.execute(statement.returning(self._processed.c.event_id))).first() is not None

    async def forget(self, session: AsyncSession, *, after_seconds: float) -> bool:
        """Delete what was processed longer ago, up to ``FORGOTTEN_AT_ONCE``; whether there may be more of it."""
        row, age = self._processed.c, sa.func.make_interval(0, 0, 0, 0, 0, 0, after_seconds)
        some = sa.select(row.event_id).where(row.processed_at < sa.func.now() - age).limit(FORGOTTEN_AT_ONCE)
        forgotten = sa.delete(self._processed).where(row.event_id.in_(some)).returning(row.event_id)
        return len((await session.scalars(forgotten)).all()) == FORGOTTEN_AT_ONCE
