"""The deliverer: takes what waits to its carrier, at least once."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

import structlog
from opentelemetry import trace

from notification_service.core import metrics
from notification_service.core.carrying import (
    Carrier,
    CarrierUnavailableError,
    RejectedError,
    RetryLaterError,
    TargetGoneError,
)
from notification_service.repositories.delivery import Claimed, DeliveryRepository, wakeup_channel
from notification_service.repositories.subscription import SubscriptionRepository
from notification_service.schemas.delivery import DeliveryState
from shared.database import Database, WriteSession
from shared.events.backoff import backoff_seconds
from shared.events.cancellation import is_cancelled, sleep
from shared.events.handling import describe
from shared.events.tracing import context_of
from shared.events.wakeup import Wakeup

log = structlog.get_logger(__name__)
tracer = trace.get_tracer(__name__)


@dataclass(frozen=True, slots=True)
class DelivererSettings:
    """``at_once`` deliveries are under way at most. ``claim_seconds`` must exceed ``send_seconds``: a deliverer that
    is still sending must not be overtaken.

    Backoff is a delivery's, after a failure of its own; a pause is the deliverer's, while nothing can be carried.
    ``finish_seconds``: what is under way when the process is asked to end gets so long.
    """

    at_once: int = 8
    poll_seconds: float = 5.0
    send_seconds: float = 30.0
    claim_seconds: float = 90.0
    attempts: int = 10
    first_backoff_seconds: float = 30.0
    longest_backoff_seconds: float = 6 * 3600.0
    first_pause_seconds: float = 1.0
    longest_pause_seconds: float = 15.0
    finish_seconds: float = 10.0


class Outcome(StrEnum):
    """How an attempt ended."""

    SENT = "sent"
    RETRIED = "retried"
    UNAVAILABLE = "unavailable"
    GONE = "gone"
    CANCELLED = "cancelled"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be recorded of an attempt. ``after_seconds``: when the other side wants to be asked again."""

    outcome: Outcome
    reason: str | None = None
    after_seconds: float | None = None


class Deliverer:
    """Serves one channel. Any number of processes may run it: they share what is due.

    A delivery is claimed in one short transaction, carried outside any, and settled in another. Whoever dies in
    between loses the claim in time, and the delivery is carried again under the same id. An absent carrier is no
    failure of the deliveries: they are given back and all wait, however long it takes. One that takes long holds up
    no other.
    """

    def __init__(self, *, database: Database, carrier: Carrier, settings: DelivererSettings | None = None) -> None:
        self._database, self._carrier = database, carrier
        self._settings = settings or DelivererSettings()
        self._deliveries, self._subscriptions = DeliveryRepository(), SubscriptionRepository()
        self._wakeup = Wakeup(database.engine, wakeup_channel(carrier.channel))
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Deliver until cancelled, through absences of the carrier and of the database."""
        failures = 0
        try:
            while not is_cancelled():
                try:
                    if await self._turn():
                        failures = 0
                except Exception as error:  # noqa: BLE001 - a deliverer that ended would hold back everything
                    failures += 1
                    await self._pause_after(error, failures)
        finally:
            await self._finish()
            await self._wakeup.aclose()

    async def _turn(self) -> bool:
        """Begin what is due as far as there is room, then wait for more or for room. Whether all is well: something
        has come to its end, or there is nothing to do."""
        await self._wakeup.listen()
        has_ended = await self._collect()
        room = self._settings.at_once - len(self._under_way)
        if room > 0:
            async with self._database.begin() as session:
                claimed = await self._deliveries.claim(
                    session, self._carrier.channel, limit=room, seconds=self._settings.claim_seconds
                )
            for each in claimed:
                self._begin(each)
        is_idle = not self._under_way
        await self._wakeup.wait(self._settings.poll_seconds)
        return has_ended or is_idle

    def _begin(self, claimed: Claimed) -> None:
        task = asyncio.create_task(self._deliver(claimed))
        task.add_done_callback(lambda _: self._wakeup.wake())
        self._under_way.add(task)

    async def _collect(self) -> bool:
        """Let go of what has ended; whether there was any. Raises the first failure, once all the rest has ended too:
        what has failed one may be failing the others."""
        ended = {task for task in self._under_way if task.done()}
        if any(task.exception() for task in ended):
            await asyncio.wait(self._under_way)
            ended = set(self._under_way)
        self._under_way -= ended
        for failure in filter(None, [task.exception() for task in ended]):
            raise failure
        return bool(ended)

    async def _finish(self) -> None:
        """End what is under way in order, if it does not take too long: what was sent and not recorded would be sent
        again."""
        deadline = time.monotonic() + self._settings.finish_seconds
        while (running := {task for task in self._under_way if not task.done()}) and (
            left := deadline - time.monotonic()
        ) > 0:
            with suppress(asyncio.CancelledError):  # it is cancelled again and again until it has ended
                await asyncio.wait(running, timeout=left)
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _deliver(self, claimed: Claimed) -> None:
        """Raises CarrierUnavailableError, after the delivery was given back."""
        channel, started = self._carrier.channel, time.perf_counter()
        with tracer.start_as_current_span(
            f"deliver {channel}",
            context=context_of(claimed.traceparent),
            kind=trace.SpanKind.PRODUCER,
            attributes={"messaging.message.id": str(claimed.parcel.id), "smartcourse.attempt": claimed.attempts},
        ) as span:
            verdict = await self._attempt(claimed)
            span.set_attribute("smartcourse.outcome", verdict.outcome)
            metrics.DELIVERY_SECONDS.labels(channel).observe(time.perf_counter() - started)
            await self._settle(claimed, verdict)
            metrics.DELIVERY_ATTEMPTS.labels(channel, verdict.outcome).inc()
            self._report(claimed, verdict)
        if verdict.outcome is Outcome.UNAVAILABLE:
            raise CarrierUnavailableError(verdict.reason)

    async def _attempt(self, claimed: Claimed) -> Verdict:
        if not claimed.is_wanted:
            return Verdict(Outcome.CANCELLED, "the account is closed, or the browser is another person's now")
        if claimed.attempts > self._settings.attempts:
            return Verdict(Outcome.DEAD, f"{self._settings.attempts} attempts ended without an outcome")
        try:
            async with asyncio.timeout(self._settings.send_seconds):
                await self._carrier.carry(claimed.parcel)
        except CarrierUnavailableError as error:
            return Verdict(Outcome.UNAVAILABLE, str(error))
        except TargetGoneError as error:
            return Verdict(Outcome.GONE, str(error))
        except RejectedError as error:
            return Verdict(Outcome.DEAD, str(error))
        except RetryLaterError as error:
            return self._again(claimed, str(error), after_seconds=error.after_seconds)
        except TimeoutError:
            return self._again(claimed, f"it took more than {self._settings.send_seconds:g} s")
        except Exception as error:
            log.exception("carrier failed unexpectedly", delivery_id=str(claimed.parcel.id))
            return self._again(claimed, f"unforeseen {type(error).__name__}")
        return Verdict(Outcome.SENT)

    def _again(self, claimed: Claimed, reason: str, *, after_seconds: float | None = None) -> Verdict:
        if claimed.attempts >= self._settings.attempts:
            return Verdict(Outcome.DEAD, f"{claimed.attempts} attempts failed, the last: {reason}")
        return Verdict(Outcome.RETRIED, reason, after_seconds)

    async def _settle(self, claimed: Claimed, verdict: Verdict) -> None:
        async with self._database.begin() as session:
            match verdict.outcome:
                case Outcome.SENT:
                    await self._deliveries.finish(session, claimed, DeliveryState.SENT)
                case Outcome.CANCELLED | Outcome.DEAD:
                    state = DeliveryState(verdict.outcome.value)
                    await self._deliveries.finish(session, claimed, state, reason=verdict.reason)
                case Outcome.UNAVAILABLE:
                    await self._deliveries.release(session, claimed, reason=verdict.reason or "")
                case Outcome.RETRIED:
                    seconds = max(verdict.after_seconds or 0.0, self._backoff(claimed.attempts))
                    await self._deliveries.postpone(session, claimed, seconds=seconds, reason=verdict.reason or "")
                case Outcome.GONE:
                    await self._forget_target(session, claimed)

    async def _forget_target(self, session: WriteSession, claimed: Claimed) -> None:
        """Its deliveries, this one included, go with the subscription."""
        target = claimed.parcel.target
        if target is not None:
            await self._subscriptions.delete_gone(session, endpoint=target.endpoint, p256dh=target.p256dh)

    def _report(self, claimed: Claimed, verdict: Verdict) -> None:
        write = log.error if verdict.outcome is Outcome.DEAD else log.info
        write(
            f"delivery {verdict.outcome}",
            channel=self._carrier.channel,
            delivery_id=str(claimed.parcel.id),
            attempt=claimed.attempts,
            reason=verdict.reason,
        )

    def _backoff(self, attempts: int) -> float:
        return backoff_seconds(
            attempts,
            first_seconds=self._settings.first_backoff_seconds,
            longest_seconds=self._settings.longest_backoff_seconds,
        )

    async def _pause_after(self, error: Exception, failures: int) -> None:
        seconds = backoff_seconds(
            failures,
            first_seconds=self._settings.first_pause_seconds,
            longest_seconds=self._settings.longest_pause_seconds,
        )
        log.warning(
            "deliverer failed, trying again",
            channel=self._carrier.channel,
            failures=failures,
            pause_seconds=round(seconds, 2),
            reason=describe(error),
        )
        await sleep(seconds)
