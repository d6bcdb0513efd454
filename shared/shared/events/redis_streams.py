"""The broker port over Redis Streams (Redis 7)."""

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from redis import exceptions as redis_errors
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from shared.events.broker import (
    BrokerError,
    BrokerUnavailableError,
    Delivery,
    NoSuchGroupError,
    StreamBehindError,
    Trimmed,
)
from shared.events.cancellation import kept_cancellation
from shared.telemetry.pools import watch_redis

CONNECT_TIMEOUT_SECONDS = 2.0
ANSWER_TIMEOUT_SECONDS = 4.0
LONGEST_WAIT_SECONDS = 2.0

_PASSING = (
    redis_errors.ConnectionError,
    redis_errors.TimeoutError,
    redis_errors.BusyLoadingError,
    redis_errors.ReadOnlyError,
    redis_errors.OutOfMemoryError,
    OSError,
)
_APPEND = (Path(__file__).parent / "append.lua").read_text(encoding="utf-8")


class RedisBroker:
    """Publish to and consume from Redis Streams.

    It has a client of its own: calls are never repeated behind the caller's back, answers have the shapes of RESP2,
    and a wait for entries does not run into another user's time-out.
    """

    def __init__(self, url: str) -> None:
        self._redis: Any = Redis.from_url(
            url,
            decode_responses=True,
            encoding_errors="replace",
            protocol=2,
            socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
            socket_timeout=ANSWER_TIMEOUT_SECONDS,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
            client_name="smartcourse-events",
        )
        watch_redis("redis-events", self._redis)
        self._append = self._redis.register_script(_APPEND)
        self._claim_cursor: dict[tuple[str, str], str] = {}

    async def aclose(self) -> None:
        await self._redis.aclose()

    async def ping(self) -> None:
        async with _translated():
            await self._redis.ping()

    async def append(
        self,
        stream: str,
        entries: Sequence[Mapping[str, str]],
        *,
        after: str | None = None,
        keep_seconds: int | None = None,
    ) -> list[str]:
        arguments: list[str | int] = [after or "", "" if keep_seconds is None else keep_seconds]
        for entry in entries:
            arguments.append(len(entry))
            for field, value in entry.items():
                arguments += [field, value]
        try:
            async with _translated():
                positions: list[str] = await self._append(keys=[stream], args=arguments)
        except BrokerError as error:
            _, found, last = str(error).rpartition("STREAMBEHIND ")
            if found:
                raise StreamBehindError(stream, expected=after or "", found=last.split()[0]) from None
            raise
        return positions

    async def trim(self, stream: str, *, keep_seconds: int, abandon_seconds: int) -> Trimmed:
        async with _translated():
            if not await self._redis.exists(stream):
                return Trimmed()
            seconds, _ = await self._redis.time()
            groups = await self._redis.xinfo_groups(stream)
            # Without a group nothing is settled: the consumer has yet to come.
            settled = f"{(seconds - keep_seconds) * 1000}-0" if groups else "0-0"
            for group in groups:
                oldest = (await self._redis.xpending(stream, group["name"]))["min"]
                settled = min(settled, oldest or _next(group["last-delivered-id"]), key=_parts)
            return Trimmed(
                settled=await self._redis.xtrim(stream, minid=settled, approximate=False),
                abandoned=await self._redis.xtrim(
                    stream, minid=f"{(seconds - abandon_seconds) * 1000}-0", approximate=False
                ),
            )

    async def subscribe(self, stream: str, group: str) -> None:
        try:
            async with _translated():
                await self._redis.xgroup_create(stream, group, id="0", mkstream=True)
        except BrokerError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def read(
        self, streams: Sequence[str], *, group: str, member: str, count: int, wait_seconds: float
    ) -> list[Delivery]:
        wait_ms = max(1, math.ceil(min(wait_seconds, LONGEST_WAIT_SECONDS) * 1000))
        async with _translated():
            answer = await self._redis.xreadgroup(
                group, member, dict.fromkeys(streams, ">"), count=count, block=wait_ms
            )
        return [
            Delivery(stream, position, fields or {}) for stream, entries in answer or () for position, fields in entries
        ]

    async def claim(self, stream: str, *, group: str, member: str, idle_seconds: float, count: int) -> list[Delivery]:
        start = self._claim_cursor.get((stream, group), "0-0")
        async with _translated():
            following, entries, *_ = await self._redis.xautoclaim(
                stream, group, member, min_idle_time=int(idle_seconds * 1000), start_id=start, count=count
            )
            self._claim_cursor[stream, group] = following
            if not entries:
                return []
            first, last = entries[0][0], entries[-1][0]
            pending = await self._redis.xpending_range(
                stream, group, min=first, max=last, count=10 * count, consumername=member
            )
        attempts = {row["message_id"]: int(row["times_delivered"]) for row in pending}
        return [Delivery(stream, position, fields or {}, attempts.get(position, 1)) for position, fields in entries]

    async def acknowledge(self, stream: str, group: str, positions: Sequence[str]) -> None:
        if positions:
            async with _translated():
                await self._redis.xack(stream, group, *positions)

    async def waiting(self, stream: str, group: str) -> int:
        async with _translated():
            for each in await self._redis.xinfo_groups(stream):
                if each["name"] == group:
                    unread = each["lag"]  # None after entries were deleted out of turn
                    if unread is None:
                        unread = await self._redis.xlen(stream) - each["pending"]
                    return int(each["pending"]) + max(0, int(unread))
        raise NoSuchGroupError(f"{stream} has no group {group}")

    async def leave(self, stream: str, group: str, member: str) -> None:
        async with _translated():
            owed = await self._redis.xpending_range(stream, group, min="-", max="+", count=1, consumername=member)
            if not owed:
                await self._redis.xgroup_delconsumer(stream, group, member)

    async def forget_absent(self, stream: str, group: str, *, idle_seconds: float) -> None:
        async with _translated():
            members = await self._redis.xinfo_consumers(stream, group)
        for member in members:
            if member["idle"] > idle_seconds * 1000:
                await self.leave(stream, group, member["name"])


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    """Errors of redis-py as errors of the port, and its lost cancellations found."""
    try:
        with kept_cancellation():
            yield
    except _PASSING as error:
        raise BrokerUnavailableError(f"{type(error).__name__}: {error}") from error
    except redis_errors.ResponseError as error:
        if str(error).startswith(("NOGROUP", "UNBLOCKED", "no such key")):
            raise NoSuchGroupError(str(error)) from error
        if str(error).startswith(("LOADING", "MASTERDOWN", "MISCONF", "READONLY", "OOM", "TRYAGAIN", "BUSY ")):
            raise BrokerUnavailableError(str(error)) from error
        raise BrokerError(str(error)) from error
    except redis_errors.RedisError as error:
        raise BrokerError(f"{type(error).__name__}: {error}") from error


def _parts(position: str) -> tuple[int, int]:
    milliseconds, _, sequence = position.partition("-")
    return int(milliseconds), int(sequence or 0)


def _next(position: str) -> str:
    milliseconds, sequence = _parts(position)
    return f"{milliseconds}-{sequence + 1}"
