"""Keys and answers in PostgreSQL: who may carry a request out, that it was, and what was answered.

A row is `started` by who carries the request out, in a transaction of its own. The use case's transaction makes it
`committed` together with what it writes, so that one can't be without the other, and the answer makes it `answered`.
Whoever began must renew a lease; when it has run out, a row that is still `started` is anybody's, for nothing of it was
committed, and the former owner's transaction fails when it comes to its commit.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database import Database
from shared.events.cancellation import is_cancelled, sleep
from shared.idempotency.errors import OwnershipLostError
from shared.idempotency.request import KeyedRequest
from shared.idempotency.table import State, idempotency_table
from shared.utils.datetime import Clock

LIFETIME = timedelta(hours=24)
SWEEP_BATCH = 1000
SWEEP_PERIOD_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered; ``headers`` are those that may be sent again."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a key.

    ``is_free``: the request may be carried out, as if there were no record. ``is_over``: else nothing more will become
    of it; without an answer it was carried out all the same.
    """

    fingerprint: bytes | None
    is_free: bool
    is_over: bool
    answer: Answer | None


@dataclass(slots=True)
class Claim:
    """The right to carry a request out, as long as the lease is renewed."""

    request: KeyedRequest
    owner: UUID = field(default_factory=uuid4)
    is_settled: bool = False
    """Whether the request is over: what still runs of it writes for itself."""


class IdempotencyStore:
    """The keys of one service. Leases are by the database's clock, so that clocks need not agree; days by ``clock``."""

    def __init__(self, database: Database, service: str, *, clock: Clock, lease_seconds: float = 30.0) -> None:
        self._database, self._clock = database, clock
        self._table = idempotency_table(sa.MetaData(), service)
        self._lease = sa.func.make_interval(0, 0, 0, 0, 0, 0, lease_seconds, type_=sa.Interval)
        self.lease_seconds = lease_seconds

    async def claim(self, request: KeyedRequest) -> Claim | None:
        """Begin the request; None if somebody has, or it was carried out."""
        claim, row, now = Claim(request), self._table.c, self._clock.now()
        values: dict[str, Any] = {
            "user_id": request.user_id,
            "fingerprint": request.fingerprint,
            "state": State.STARTED,
            "owner": claim.owner,
            "lease_until": self._lease_until,
            "status": None,
            "headers": None,
            "body": None,
            "created_at": now,
            "expires_at": now + LIFETIME,
        }
        statement = insert(self._table).values(key_hash=request.key_hash, **values)
        statement = statement.on_conflict_do_update(
            index_elements=[row.key_hash], set_=values, where=self._is_free(now)
        )
        async with self._database.begin() as session:
            is_ours = (await session.execute(statement.returning(row.owner))).first() is not None
        return claim if is_ours else None

    async def find(self, request: KeyedRequest) -> Record | None:
        """What is known of the request's key."""
        row = self._table.c
        is_over = sa.or_(row.state == State.ANSWERED, self._is_dead)
        columns = (row.fingerprint, self._is_free(self._clock.now()), is_over, row.status, row.headers, row.body)
        async with self._database.read() as session:
            found = (await session.execute(sa.select(*columns).where(row.key_hash == request.key_hash))).first()
        if found is None:
            return None
        fingerprint, is_free, is_over, status, headers, body = found
        answer = None if status is None else Answer(status, [(name, value) for name, value in headers], body)
        return Record(fingerprint, is_free, is_over, answer)

    async def renew(self, claim: Claim) -> None:
        """Go on being alive."""
        async with self._database.begin() as session:
            await self._update(session, claim, {"lease_until": self._lease_until})

    async def stamp(self, session: AsyncSession, claim: Claim) -> None:
        """Record, in the transaction that carries the request out and is about to commit, that it was carried out.

        Raises:
            OwnershipLostError: a repeat was begun in its place.
        """
        if claim.is_settled:
            return
        await session.flush()  # what the use case still has to write comes before the row that repeats wait for
        change = {"state": State.COMMITTED, "fingerprint": claim.request.fingerprint}
        if not await self._update(session, claim, change):
            raise OwnershipLostError

    async def settle(self, claim: Claim, answer: Answer | None, *, is_final: bool) -> None:
        """Keep the answer of a request that was carried out, or of any if ``is_final``; None can't be kept.

        Without one, what was not carried out may be begun anew, and what was is known to have no answer.
        """
        claim.is_settled = True
        async with self._database.begin() as session:
            if answer is not None:
                change = {
                    "state": State.ANSWERED,
                    "fingerprint": claim.request.fingerprint,
                    "status": answer.status,
                    "headers": answer.headers,
                    "body": answer.body,
                }
                is_kept = sa.true() if is_final else self._table.c.state == State.COMMITTED
                if await self._update(session, claim, change, is_kept):
                    return
            row = self._table.c
            delete = sa.delete(self._table).where(*self._own(claim), row.state == State.STARTED).returning(row.owner)
            if (await session.execute(delete)).first() is None:
                await self._update(session, claim, {"lease_until": sa.func.clock_timestamp()})

    async def sweep(self) -> int:
        """Delete expired rows, up to ``SWEEP_BATCH``, and return how many."""
        row = self._table.c
        some = sa.select(row.key_hash).where(row.expires_at <= self._clock.now()).limit(SWEEP_BATCH)
        statement = sa.delete(self._table).where(row.key_hash.in_(some.with_for_update(skip_locked=True)))
        async with self._database.begin() as session:
            return len((await session.execute(statement.returning(row.user_id))).all())

    async def keep_swept(self) -> None:
        """Sweep now and then, until cancelled; any number of processes may do so."""
        while not is_cancelled():
            while await self.sweep() == SWEEP_BATCH:
                pass
            await sleep(SWEEP_PERIOD_SECONDS)

    @property
    def _lease_until(self) -> sa.ColumnElement[datetime]:
        return sa.func.clock_timestamp(type_=sa.DateTime(timezone=True)) + self._lease

    def _is_free(self, now: datetime) -> sa.ColumnElement[bool]:
        row = self._table.c
        return sa.or_(row.expires_at <= now, sa.and_(row.state == State.STARTED, self._is_dead))

    @property
    def _is_dead(self) -> sa.ColumnElement[bool]:
        return self._table.c.lease_until <= sa.func.clock_timestamp()

    def _own(self, claim: Claim) -> tuple[sa.ColumnElement[bool], ...]:
        return self._table.c.key_hash == claim.request.key_hash, self._table.c.owner == claim.owner

    async def _update(
        self, session: AsyncSession, claim: Claim, change: Mapping[str, Any], *conditions: sa.ColumnElement[bool]
    ) -> bool:
        statement = sa.update(self._table).where(*self._own(claim), *conditions).values(dict(change))
        return (await session.execute(statement.returning(self._table.c.owner))).first() is not None
