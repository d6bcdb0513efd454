"""The transactional outbox: an event is a row written in the transaction that makes it true.

``add`` after the rows the event speaks of have been written: their locks then give the events of one subject the
order of the commits. Events of transactions that do not wait for one another have no order between them.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.schema import conv

from shared.events.envelope import Event, EventData

EVENT_FIELD = "event"
"""Name of the stream entry's field that holds an event as CloudEvents JSON."""


class MigrationOperations(Protocol):
    """The one method of ``alembic.op`` that is used here."""

    def get_bind(self) -> sa.Connection: ...


def channel(service: str) -> str:
    """The PostgreSQL notification channel that wakes the relay of ``service``."""
    return f"{service}_outbox"


def outbox_tables(metadata: sa.MetaData, service: str) -> tuple[sa.Table, sa.Table]:
    """Declare ``<service>_outbox`` and ``<service>_outbox_lease`` in ``metadata``."""
    name = f"{service}_outbox"
    outbox = sa.Table(
        name,
        metadata,
        sa.Column("position", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("payload", postgresql.JSONB, nullable=False, comment="field → text, as appended to the stream"),
        sa.Column("keep_seconds", sa.Integer, comment="older entries of the stream go when this one is appended"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()),
        sa.Column("published_at", sa.DateTime(timezone=True)),
        sa.Column("published_as", sa.Text, comment="the entry's position in the broker's stream"),
        sa.PrimaryKeyConstraint("position", name=conv(f"pk_{name}")),
    )
    pending = outbox.c.published_at.is_(None)
    sa.Index(conv(f"ix_{name}_pending"), outbox.c.position, postgresql_where=pending)
    sa.Index(conv(f"ix_{name}_published"), outbox.c.published_at, postgresql_where=sa.not_(pending))
    lease = sa.Table(
        f"{name}_lease",
        metadata,
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=conv(f"pk_{name}_lease")),
    )
    return outbox, lease


def create_outbox_tables(op: MigrationOperations, service: str) -> None:
    """Create the outbox of ``service`` in an Alembic migration: ``create_outbox_tables(op, "user")``.

    It always creates the tables' first shape; a later change of shape is a helper of its own.
    """
    metadata = sa.MetaData()
    metadata.create_all(op.get_bind(), tables=outbox_tables(metadata, service), checkfirst=False)


def drop_outbox_tables(op: MigrationOperations, service: str) -> None:
    """Undo ``create_outbox_tables``."""
    metadata = sa.MetaData()
    metadata.drop_all(op.get_bind(), tables=outbox_tables(metadata, service), checkfirst=False)


async def add(session: AsyncSession, event: Event[Any]) -> None:
    """Put ``event`` in its service's outbox; it leaves if, and only if, the caller's transaction commits.

    Pending changes of ``session`` are flushed first, so that the row locks order the events of one subject.
    """
    data: EventData = event.data
    fields = {EVENT_FIELD: event.model_dump_json(exclude_none=True)}
    kind = data.event_type
    await add_stream_entry(session, service=kind.service, stream=kind.stream, fields=fields)


async def add_stream_entry(
    session: AsyncSession,
    *,
    service: str,
    stream: str,
    fields: Mapping[str, str],
    keep_seconds: int | None = None,
) -> None:
    """Append raw ``fields`` to ``stream`` by way of the outbox of ``service``: for streams that are not events.

    ``keep_seconds``: on appending it, the relay removes the stream's entries older than that (by the broker's
    clock); None keeps them all.
    """
    await session.flush()
    outbox, _ = outbox_tables(sa.MetaData(), service)
    row = {"stream": stream, "payload": dict(fields), "keep_seconds": keep_seconds}
    await session.execute(sa.insert(outbox).values(row))
    # Sent by PostgreSQL at commit, once per transaction however many rows it adds.
    await session.execute(sa.select(sa.func.pg_notify(channel(service), "")))
