"""The consumer: brings events to a service's handlers, each event's effect once."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import structlog

from shared.database import Database
from shared.events import metrics
from shared.events.backoff import backoff_seconds
from shared.events.broker import Broker, BrokerError, Delivery, NoSuchGroupError
from shared.events.cancellation import is_cancelled, sleep
from shared.events.dead_letters import UNREADABLE, Graveyard
from shared.events.envelope import Event, Header
from shared.events.handling import DeadLetterError, Handler, Handlers, consuming, describe
from shared.events.inbox import Inbox
from shared.events.tracing import continuing
from shared.exceptions.base import UnavailableError
from shared.utils.datetime import utc_now

log = structlog.get_logger(__name__)

DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class ConsumerSettings:
    """``claim_idle_seconds`` exceeds the longest a handler takes; ``attempts`` are made by one process on end,
    ``deliveries`` are of an event that ends processes; a settled entry waits for its acknowledgement no longer than
    ``acknowledge_seconds`` and the handling of one more; ``remember_seconds`` exceeds the outbox's retention."""

    batch_size: int = 16
    wait_seconds: float = 2.0
    attempts: int = 6
    deliveries: int = 5
    first_backoff_seconds: float = 0.5
    longest_backoff_seconds: float = 10.0
    claim_seconds: float = 5.0
    claim_idle_seconds: float = 30.0
    acknowledge_seconds: float = 1.0
    observe_seconds: float = 5.0
    dead_keep_seconds: float = 90 * DAY_SECONDS
    remember_seconds: float = 30 * DAY_SECONDS
    housekeeping_seconds: float = 3600.0


class EventConsumer:
    """Consumes for one service. Any number of processes may run it: they share the work of the group ``<service>``.

    Entries are taken in order and acknowledged, in batches, after the handler's transaction is committed; the event's
    id in that transaction makes a second delivery harmless. A failed attempt is repeated with growing pauses, the
    following entries waiting behind it, and ends in ``<service>_dead_letters`` with its reason. An absent database is
    no failure of the event: it is waited for. What a process leaves unacknowledged, another takes over.
    """

    def __init__(
        self,
        *,
        database: Database,
        broker: Broker,
        service: str,
        handlers: Sequence[Handler[Any]],
        settings: ConsumerSettings | None = None,
    ) -> None:
        self._database, self._broker, self._group = database, broker, service
        self._handlers, self._inbox, self._graveyard = Handlers(handlers), Inbox(service), Graveyard(service)
        self._settings = settings or ConsumerSettings()
        self._member = str(uuid4())
        self._is_subscribed = False
        metrics.EVENTS_CONSUMING.labels(self._group).set(0)
        self._claim_due = self._housekeeping_due = self._observation_due = 0.0

    async def run(self) -> None:
        """Consume until cancelled, through absences and losses of the broker and of the database."""
        failures = 0
        try:
            while not is_cancelled():
                try:
                    await self._turn()
                    failures = 0
                except NoSuchGroupError:
                    self._is_subscribed = False
                except (BrokerError, UnavailableError) as error:
                    self._is_subscribed = False
                    failures += 1
                    metrics.EVENTS_CONSUMING.labels(self._group).set(0)
                    await self._pause(failures, describe(error))
        finally:
            metrics.EVENTS_CONSUMING.labels(self._group).set(0)
            await self._leave()

    async def _turn(self) -> None:
        streams = self._handlers.streams
        if not self._is_subscribed:
            for stream in streams:
                await self._broker.subscribe(stream, self._group)
            self._is_subscribed = True
            metrics.EVENTS_CONSUMING.labels(self._group).set(1)
        await self._take_over()
        await self._keep_house()
        await self._observe()
        arrived = await self._broker.read(
            streams,
            group=self._group,
            member=self._member,
            count=self._settings.batch_size,
            wait_seconds=self._settings.wait_seconds,
        )
        await self._settle(arrived)

    async def _take_over(self) -> None:
        """Settle what others left, one entry at a time: a delivery is counted for the one that ended them only."""
        if time.monotonic() < self._claim_due:
            return
        for stream in self._handlers.streams:
            while left := await self._broker.claim(
                stream, group=self._group, member=self._member, idle_seconds=self._settings.claim_idle_seconds, count=1
            ):
                await self._settle(left)
        self._claim_due = time.monotonic() + self._settings.claim_seconds

    async def _settle(self, deliveries: Sequence[Delivery]) -> None:
        """Bring each to its outcome, in order, and acknowledge those that have one, also if the rest is interrupted."""
        settled: list[Delivery] = []
        due = time.monotonic() + self._settings.acknowledge_seconds
        try:
            for delivery in deliveries:
                await self._settle_one(delivery)
                settled.append(delivery)
                if time.monotonic() > due:
                    await self._acknowledge(settled)
                    settled, due = [], time.monotonic() + self._settings.acknowledge_seconds
        finally:
            await self._acknowledge(settled)

    async def _acknowledge(self, settled: Sequence[Delivery]) -> None:
        for stream in self._handlers.streams:
            positions = [delivery.position for delivery in settled if delivery.stream == stream]
            if positions:
                await self._broker.acknowledge(stream, self._group, positions)

    async def _settle_one(self, delivery: Delivery) -> None:
        try:
            header = self._handlers.header(delivery.fields)
        except DeadLetterError as error:
            await self._bury(delivery, None, error)
            metrics.EVENTS_CONSUMED.labels(self._group, UNREADABLE, "dead").inc()
            return
        with continuing(header.traceparent):
            try:
                outcome = await self._outcome(delivery, header)
            except DeadLetterError as error:
                await self._bury(delivery, header, error)
                outcome = "dead"
        metrics.EVENTS_CONSUMED.labels(self._group, header.type, outcome).inc()

    async def _outcome(self, delivery: Delivery, header: Header) -> str:
        if delivery.attempt > self._settings.deliveries:
            reason = f"delivered {delivery.attempt} times without an outcome"
            raise DeadLetterError(reason, attempts=delivery.attempt)
        found = self._handlers.find(header, delivery.fields)
        return await self._attempt(header, *found) if found else "ignored"

    async def _attempt(self, header: Header, handler: Handler[Any], event: Event[Any]) -> str:
        failures = absences = 0
        while True:
            try:
                return await self._handle(header, handler, event)
            except UnavailableError as error:
                absences += 1
                await self._pause(absences, describe(error))
            except Exception as error:
                failures += 1
                metrics.EVENTS_RETRIED.labels(self._group, header.type).inc()
                if failures >= self._settings.attempts:
                    reason = f"{failures} attempts failed, the last with {describe(error)}"
                    raise DeadLetterError(reason, attempts=failures) from error
                await self._pause(failures, describe(error), event=header)

    async def _handle(self, header: Header, handler: Handler[Any], event: Event[Any]) -> str:
        with consuming(header, self._group):
            async with self._database.begin() as session:
                outcome = await handler.handle_once(session, self._inbox, event)
        if outcome == "handled":
            metrics.EVENTS_LAG.labels(self._group).observe(max(0.0, (utc_now() - event.time).total_seconds()))
        return outcome

    async def _bury(self, delivery: Delivery, header: Header | None, why: DeadLetterError) -> None:
        """Put the entry among the dead letters; an absent database is waited for here too."""
        absences = 0
        while True:
            try:
                async with self._database.begin() as session:
                    await self._graveyard.bury(session, delivery, header=header, why=why)
            except UnavailableError as error:
                absences += 1
                await self._pause(absences, describe(error), event=header)
            else:
                break
        log.error(
            "event is a dead letter",
            group=self._group,
            stream=delivery.stream,
            position=delivery.position,
            event_id=str(header.id) if header else None,
            reason=str(why),
        )

    async def _keep_house(self) -> None:
        if time.monotonic() < self._housekeeping_due:
            return
        self._housekeeping_due = time.monotonic() + self._settings.housekeeping_seconds  # also if it fails
        async with self._database.begin() as session:
            has_more = await self._inbox.forget(session, after_seconds=self._settings.remember_seconds)
        if has_more:
            self._housekeeping_due = 0.0
        async with self._database.begin() as session:
            await self._graveyard.forget(session, after_seconds=self._settings.dead_keep_seconds)
        for stream in self._handlers.streams:
            await self._broker.forget_absent(stream, self._group, idle_seconds=self._settings.housekeeping_seconds)

    async def _observe(self) -> None:
        if time.monotonic() < self._observation_due:
            return
        async with self._database.begin() as session:
            metrics.DEAD_LETTERS.labels(self._group).set(await self._graveyard.count(session))
        for stream in self._handlers.streams:
            metrics.EVENTS_WAITING.labels(self._group, stream).set(await self._broker.waiting(stream, self._group))
        self._observation_due = time.monotonic() + self._settings.observe_seconds

    async def _pause(self, failures: int, reason: str, *, event: Header | None = None) -> None:
        seconds = backoff_seconds(
            failures,
            first_seconds=self._settings.first_backoff_seconds,
            longest_seconds=self._settings.longest_backoff_seconds,
        )
        log.warning(
            "consumer failed, trying again",
            group=self._group,
            event_id=str(event.id) if event else None,
            failures=failures,
            pause_seconds=round(seconds, 2),
            reason=reason,
        )
        await sleep(seconds)

    async def _leave(self) -> None:
        with suppress(BrokerError):
            for stream in self._handlers.streams:
                await self._broker.leave(stream, self._group, self._member)
