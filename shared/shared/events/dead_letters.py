"""Events that a service gave up on: kept in its own database, to be judged by a person and tried again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.schema import conv

from shared.database import Database, WriteSession
from shared.events.broker import Delivery
from shared.events.envelope import Header
from shared.events.handling import DeadLetterError, Handler, Handlers, consuming, describe
from shared.events.inbox import Inbox
from shared.events.outbox import MigrationOperations
from shared.exceptions.base import NotFoundError, UnavailableError
from shared.schemas.pagination import Page, PageQuery, paginate

UNREADABLE = "unreadable"
"""Stands for the type of what is no event."""
LONGEST_REASON = 2000


class DeadLetterNotFoundError(NotFoundError):
    """There never was such a dead letter, or it was replayed or discarded."""

    slug = "dead-letter-not-found"
    title = "There is no such dead letter"

    def __init__(self, letter_id: int) -> None:
        super().__init__(f"Dead letter {letter_id} does not exist.", extra={"dead_letter_id": letter_id})


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One event that was given up: a row, column by column. ``event_id`` is None if it is no event; ``fields`` is the
    entry as it arrived; ``attempts`` counts how often it was handled in vain."""

    id: int
    event_id: UUID | None
    type: str
    stream: str
    position: str
    fields: dict[str, str]
    reason: str
    attempts: int
    buried_at: datetime


def dead_letters_table(metadata: sa.MetaData, service: str) -> sa.Table:
    """Declare ``<service>_dead_letters`` in ``metadata``. An event is in it once, however often it was buried."""
    name = f"{service}_dead_letters"
    table = sa.Table(
        name,
        metadata,
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("event_id", sa.Uuid, comment="null if the entry is no event"),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("position", sa.Text, nullable=False, comment="the entry's in the stream, as the broker writes it"),
        sa.Column("fields", postgresql.JSONB, nullable=False, comment="field → text, as it arrived"),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("buried_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("id", name=conv(f"pk_{name}")),
    )
    row = table.c
    is_event = row.event_id.is_not(None)
    sa.Index(conv(f"uq_{name}_event_id"), row.event_id, unique=True, postgresql_where=is_event)
    sa.Index(conv(f"uq_{name}_entry"), row.stream, row.position, unique=True, postgresql_where=sa.not_(is_event))
    sa.Index(conv(f"ix_{name}_buried_at"), row.buried_at)
    return table


def create_dead_letters_table(op: MigrationOperations, service: str) -> None:
    """Create the table in an Alembic migration. It always creates the first shape; a later one is another helper."""
    dead_letters_table(sa.MetaData(), service).create(op.get_bind())


def drop_dead_letters_table(op: MigrationOperations, service: str) -> None:
    """Undo ``create_dead_letters_table``."""
    dead_letters_table(sa.MetaData(), service).drop(op.get_bind())


class Graveyard:
    """The consumer's side of the table: puts events into it."""

    def __init__(self, service: str) -> None:
        self._letters = dead_letters_table(sa.MetaData(), service)

    async def bury(
        self, session: AsyncSession, delivery: Delivery, *, header: Header | None, why: DeadLetterError
    ) -> None:
        """Record the entry with what is needed to judge it and to try it again; twice makes one letter."""
        row = self._letters.c
        values = {
            "event_id": header.id if header else None,
            "type": _storable(header.type) if header else UNREADABLE,
            "stream": delivery.stream,
            "position": delivery.position,
            "fields": {_storable(name): _storable(value) for name, value in delivery.fields.items()},
            "reason": _reason(why),
            "attempts": why.attempts,
        }
        statement = insert(self._letters).values(values)
        same = [row.event_id] if header else [row.stream, row.position]
        statement = statement.on_conflict_do_update(
            index_elements=same,
            index_where=row.event_id.is_not(None) if header else row.event_id.is_(None),
            set_={
                "reason": statement.excluded.reason,
                "attempts": row.attempts + statement.excluded.attempts,
                "buried_at": sa.func.now(),
            },
        )
        await session.execute(statement)

    async def count(self, session: AsyncSession) -> int:
        return (await session.execute(sa.select(sa.func.count()).select_from(self._letters))).scalar_one()

    async def forget(self, session: AsyncSession, *, after_seconds: float) -> None:
        """Delete what was buried longer ago."""
        age = sa.func.make_interval(0, 0, 0, 0, 0, 0, after_seconds)
        await session.execute(sa.delete(self._letters).where(self._letters.c.buried_at < sa.func.now() - age))


class DeadLetters:
    """What an administrator may do about a service's dead letters."""

    def __init__(self, database: Database, service: str, handlers: Sequence[Handler[Any]]) -> None:
        self._database, self._service = database, service
        self._handlers, self._inbox = Handlers(handlers), Inbox(service)
        self._letters = dead_letters_table(sa.MetaData(), service)

    async def page(self, params: PageQuery) -> Page[DeadLetter]:
        """One page of them, newest first."""
        chosen = sa.select(self._letters).order_by(self._letters.c.id.desc())
        async with self._database.read() as session:
            page = await paginate(session, chosen, params, scalars=False)
        return page.map(lambda row: DeadLetter(*row))

    async def get(self, letter_id: int) -> DeadLetter:
        """One of them.

        Raises:
            DeadLetterNotFoundError: it is not there, or no longer.
        """
        async with self._database.read() as session:
            return await self._fetch(session, letter_id)

    async def replay(self, letter_id: int) -> str:
        """Handle the event and delete its letter, in one transaction; "handled", or "repeated" if it was before.

        Raises:
            DeadLetterNotFoundError: it is not there, or no longer.
            DeadLetterError: it failed again; its letter tells the new reason and one attempt more.
            UnavailableError: something that handling needs is away; that is no failure of the event.
        """
        try:
            async with self._database.begin() as session:
                return await self._handle(session, await self._fetch(session, letter_id, lock=True))
        except (DeadLetterNotFoundError, UnavailableError):
            raise
        except Exception as error:
            failure = error if isinstance(error, DeadLetterError) else DeadLetterError(describe(error))
            await self._record(letter_id, failure)
            raise failure from error

    async def discard(self, letter_id: int) -> None:
        """Delete the letter and count its event as processed, so that publishing it again does not bring it back.

        Raises:
            DeadLetterNotFoundError: it is not there, or no longer.
        """
        async with self._database.begin() as session:
            letter = await self._fetch(session, letter_id, lock=True)
            if letter.event_id is not None:
                await self._inbox.take(session, letter.event_id)
            await self._delete(session, letter_id)

    async def _handle(self, session: WriteSession, letter: DeadLetter) -> str:
        header = self._handlers.header(letter.fields)
        found = self._handlers.find(header, letter.fields)
        if found is None:
            raise DeadLetterError(f"nobody here handles {header.dataschema}")
        handler, event = found
        with consuming(header, self._service):
            outcome = await handler.handle_once(session, self._inbox, event)
        await self._delete(session, letter.id)
        return outcome

    async def _fetch(self, session: AsyncSession, letter_id: int, *, lock: bool = False) -> DeadLetter:
        chosen = sa.select(self._letters).where(self._letters.c.id == letter_id)
        row = (await session.execute(chosen.with_for_update() if lock else chosen)).first()
        if row is None:
            raise DeadLetterNotFoundError(letter_id)
        return DeadLetter(*row)

    async def _delete(self, session: AsyncSession, letter_id: int) -> None:
        await session.execute(sa.delete(self._letters).where(self._letters.c.id == letter_id))

    async def _record(self, letter_id: int, failure: DeadLetterError) -> None:
        row = self._letters.c
        change = {"reason": _reason(failure), "attempts": row.attempts + 1}
        async with self._database.begin() as session:
            await session.execute(sa.update(self._letters).where(row.id == letter_id).values(change))


def _reason(failure: DeadLetterError) -> str:
    return _storable(str(failure))[:LONGEST_REASON]


def _storable(text: str) -> str:
    """PostgreSQL stores no NUL, and a poisonous entry must not be able to keep itself from being buried."""
    return text.replace("\x00", "\ufffd")
