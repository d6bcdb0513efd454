"""The relay: takes entries from a service's outbox to the broker, in order, at least once."""

import itertools
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.events import metrics
from shared.events.backoff import backoff_seconds
from shared.events.broker import BrokerUnavailableError, Publisher, StreamBehindError
from shared.events.cancellation import is_cancelled, sleep
from shared.events.envelope import STREAM_PREFIX
from shared.events.lease import Lease, LeaseLostError
from shared.events.outbox import channel, outbox_tables
from shared.events.publishing import record_published
from shared.events.store import OutboxStore, Pending
from shared.events.wakeup import Wakeup

log = structlog.get_logger(__name__)

HOUR_SECONDS = 3_600
DAY_SECONDS = 24 * HOUR_SECONDS


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """``lease_seconds`` must exceed the time one batch takes, the broker's time-outs included.

    What a consumer remembers of processed events (``ConsumerSettings.remember_seconds``) must exceed
    ``retention_seconds``: what is retained may be published again. The stream itself holds what was acknowledged for
    ``stream_keep_seconds`` only, for it lies in memory.
    """

    batch_size: int = 200
    lease_seconds: float = 15.0
    poll_seconds: float = 2.0
    first_backoff_seconds: float = 0.25
    longest_backoff_seconds: float = 5.0
    retention_seconds: float = 7 * DAY_SECONDS
    stream_keep_seconds: int = HOUR_SECONDS
    stream_abandon_seconds: int = 7 * DAY_SECONDS
    housekeeping_seconds: float = 60.0
    observe_seconds: float = 5.0


class OutboxRelay:
    """Publishes for one service. Any number of processes may run it; the holder of the lease works, the rest wait.

    An entry is read, appended to the broker outside any transaction, and then marked as published in a transaction
    that is valid only under the lease. Whatever fails in between is done again: entries may be published twice,
    never lost, and their first appearance is in order. When the broker's stream has lost entries (its end is before
    a position that was reached), all retained entries of that stream are published again. Streams of different
    brokers do not wait for one another.
    """

    def __init__(
        self, *, engine: AsyncEngine, broker: Publisher, service: str, settings: RelaySettings | None = None
    ) -> None:
        self._broker, self._service, self._settings = broker, service, settings or RelaySettings()
        _, table = outbox_tables(sa.MetaData(), service)
        owner, seconds = str(uuid4()), self._settings.lease_seconds
        self._lease = Lease(engine, table, name="relay", owner=owner, seconds=seconds)
        self._store = OutboxStore(engine, service, self._lease)
        self._wakeup = Wakeup(engine, channel(service))
        self._reached: dict[str, str] | None = None  # stream → the broker's position; None while somebody else leads
        self._housekeeping_due = self._observation_due = 0.0

    async def run(self) -> None:
        """Publish until cancelled, through absences of the broker and of the database."""
        failures = 0
        try:
            while not is_cancelled():
                try:
                    await self._turn()
                    failures = 0
                except LeaseLostError:
                    self._follow()
                except Exception as error:  # noqa: BLE001 - a relay that ended would hold back every later event
                    failures += 1
                    await self._pause_after(error, failures)
        finally:
            await self._stop()

    async def republish(self, *, since: datetime, stream: str | None = None) -> int:
        """Publish again what was published since then and is retained; return how many entries that is."""
        return await self._store.reopen(since=since, stream=stream)

    async def _turn(self) -> None:
        """Look at the outbox once; if there was nothing to publish, wait for something."""
        await self._wakeup.listen()
        if not await self._lease.hold():
            self._follow()
            await self._wakeup.wait(self._settings.poll_seconds)
            return
        if self._reached is None:
            self._reached = await self._store.reached()
            metrics.OUTBOX_LEADER.labels(self._service).set(1)
        await self._observe()
        await self._keep_house(self._reached)  # first: a broker that is full takes nothing until it was trimmed
        if not await self._publish_pending(self._reached) and not await self._restore_what_was_lost(self._reached):
            await self._wakeup.wait(self._settings.poll_seconds)

    async def _publish_pending(self, reached: dict[str, str]) -> bool:
        """Publish a batch; whether there was one. A stream whose broker is away holds back its own entries only.

        Raises:
            BrokerUnavailableError: a stream's, after the others' entries were published.
        """
        away: dict[str, BrokerUnavailableError] = {}
        while entries := await self._store.pending(self._settings.batch_size, but=away):
            try:
                for stream, run in itertools.groupby(entries, key=lambda entry: entry.stream):
                    await self._publish(stream, list(run), reached)
            except BrokerUnavailableError as error:
                away[stream] = error
                continue
            except StreamBehindError as lost:
                await self._restore(lost, reached)  # what is published anew comes first
            break
        for failure in away.values():
            raise failure
        return bool(entries)

    async def _publish(self, stream: str, entries: Sequence[Pending], reached: dict[str, str]) -> None:
        for keep_seconds, run in itertools.groupby(entries, key=lambda entry: entry.keep_seconds):
            batch = list(run)
            payloads = [entry.payload for entry in batch]
            began_ns = time.time_ns()
            positions = await self._broker.append(
                stream, payloads, after=reached.get(stream), keep_seconds=keep_seconds
            )
            record_published(stream, payloads, began_ns=began_ns)
            await self._store.mark([entry.position for entry in batch], positions)
            reached[stream] = positions[-1]
            metrics.OUTBOX_PUBLISHED.labels(self._service, stream).inc(len(batch))

    async def _restore_what_was_lost(self, reached: dict[str, str]) -> bool:
        """Notice a loss although there is nothing to publish; True if there was one."""
        for stream, position in list(reached.items()):
            try:
                await self._broker.append(stream, [], after=position)
            except StreamBehindError as lost:
                await self._restore(lost, reached)
                return True
        return False

    async def _restore(self, lost: StreamBehindError, reached: dict[str, str]) -> None:
        count = await self._store.restore(lost.stream)
        reached.pop(lost.stream)
        metrics.OUTBOX_RESTORED.labels(self._service, lost.stream).inc(count)
        log.warning("stream lost, publishing again", stream=lost.stream, entries=count, reason=str(lost))

    async def _keep_house(self, reached: dict[str, str]) -> None:
        """Prune what need not be retained, here and in the event streams."""
        if time.monotonic() < self._housekeeping_due:
            return
        settings = self._settings
        self._housekeeping_due = time.monotonic() + settings.housekeeping_seconds  # also if it fails: events come first
        await self._store.prune(retention_seconds=settings.retention_seconds)
        for stream in reached:
            if stream.startswith(STREAM_PREFIX):
                trimmed = await self._broker.trim(
                    stream, keep_seconds=settings.stream_keep_seconds, abandon_seconds=settings.stream_abandon_seconds
                )
                if trimmed.abandoned:
                    metrics.OUTBOX_ABANDONED.labels(self._service, stream).inc(trimmed.abandoned)
                    log.error("events abandoned that were not acknowledged", stream=stream, entries=trimmed.abandoned)

    async def _observe(self) -> None:
        if time.monotonic() < self._observation_due:
            return
        backlog = await self._store.backlog()
        metrics.OUTBOX_PENDING.labels(self._service).set(backlog.entries)
        metrics.OUTBOX_OLDEST_SECONDS.labels(self._service).set(backlog.oldest_seconds)
        self._observation_due = time.monotonic() + self._settings.observe_seconds

    async def _pause_after(self, error: Exception, failures: int) -> None:
        metrics.OUTBOX_FAILURES.labels(self._service).inc()
        pause_seconds = backoff_seconds(
            failures,
            first_seconds=self._settings.first_backoff_seconds,
            longest_seconds=self._settings.longest_backoff_seconds,
        )
        log.warning(
            "relay failed, trying again",
            service=self._service,
            failures=failures,
            pause_seconds=round(pause_seconds, 2),
            error=f"{type(error).__name__}: {error}",
        )
        await sleep(pause_seconds)

    def _follow(self) -> None:
        self._reached = None
        # Whoever leads tells the backlog now; what was last seen here would stand for ever.
        for gauge in (metrics.OUTBOX_LEADER, metrics.OUTBOX_PENDING, metrics.OUTBOX_OLDEST_SECONDS):
            gauge.labels(self._service).set(0)
        self._observation_due = 0.0

    async def _stop(self) -> None:
        self._follow()
        with suppress(Exception):  # the lease runs out by itself
            await self._lease.release()
        with suppress(Exception):  # the server ends the connection
            await self._wakeup.aclose()
