"""Revoked sessions, held in memory and kept current from one Redis stream.

user-service appends `{sids: "a,b", until: <unix seconds>}` to the stream before it answers a logout, and fills the
stream anew from PostgreSQL if Redis lost it. When it has, it gives the stream the consumer group `complete`; until
then the stream counts as gone for a process that has just started. It is read whole before the first decision, then
followed. If its last id falls behind what was read (Redis lost data, or was restored), it is read whole again. What
was once read as revoked stays revoked until its time has passed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

STREAM: Final = "smartcourse:revocations"
COMPLETE_GROUP: Final = "complete"
_BEGINNING: Final = "0-0"
_BATCH: Final = 1000
_BLOCK_SECONDS: Final = 0.5
_RETRY_SECONDS: Final = 0.1
_SWEEP_SECONDS: Final = 10.0
_logger = logging.getLogger(__name__)


class Revocations:
    """The sessions that are revoked, and how old that knowledge is."""

    def __init__(self, clock: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Start with no knowledge at all."""
        self._until: dict[str, float] = {}
        self._clock, self._monotonic = clock, monotonic
        self._confirmed: float | None = None
        self.is_current = False
        """Whether the stream could be read just now."""

    def __len__(self) -> int:
        """How many sessions are known to be revoked."""
        return len(self._until)

    def __contains__(self, session_id: str) -> bool:
        """Whether the session is revoked."""
        return session_id in self._until

    @property
    def is_loaded(self) -> bool:
        """Whether the stream was read whole at least once."""
        return self._confirmed is not None

    @property
    def age_seconds(self) -> float:
        """How long ago the stream was last seen to hold nothing unread; infinite if never."""
        return float("inf") if self._confirmed is None else self._monotonic() - self._confirmed

    def confirm(self) -> None:
        """Note that everything in the stream has been read as of now."""
        self._confirmed = self._monotonic()
        self.is_current = True

    def lose_touch(self) -> None:
        """Note that the stream can't be read."""
        self.is_current = False

    def add(self, fields: dict[str, str]) -> None:
        """Take in one entry of the stream. An entry that makes no sense is reported and left out."""
        try:
            until = float(fields["until"])
        except (KeyError, ValueError):
            _logger.exception("an entry of %s has no usable 'until' and was left out", STREAM)
            return
        for session_id in filter(None, fields.get("sids", "").split(",")):
            self._until[session_id] = max(until, self._until.get(session_id, 0.0))

    def forget_past(self) -> None:
        """Drop sessions whose tokens have all expired."""
        now = self._clock()
        for session_id in [session_id for session_id, until in self._until.items() if until < now]:
            del self._until[session_id]


class RevocationFollower:
    """Keeps a `Revocations` current; `run` is one task of the process."""

    def __init__(self, redis: Redis, revocations: Revocations) -> None:
        """Follow with `redis`, which must decode answers and wait longer than `_BLOCK_SECONDS` for one."""
        self._redis, self._revocations = redis, revocations
        self._last = _BEGINNING

    async def run(self) -> None:
        """Follow the stream until cancelled, through every outage of Redis."""
        swept = 0.0
        while True:
            try:
                await self.step()
            except (RedisError, OSError) as error:
                if self._revocations.is_current:
                    _logger.warning("revocations can't be read: %s", type(error).__name__)
                self._revocations.lose_touch()
                await asyncio.sleep(_RETRY_SECONDS)
            if time.monotonic() - swept > _SWEEP_SECONDS:
                swept = time.monotonic()
                self._revocations.forget_past()

    async def step(self) -> None:
        """Check that the stream continues what was read, read on, and wait a moment for more.

        Raises:
            RedisError, OSError: Redis is away.
        """
        newest = await self._newest()
        if newest is None:
            if self._revocations.is_current:
                _logger.warning("the stream %s is not whole; waiting for user-service to fill it", STREAM)
            self._revocations.lose_touch()
            self._last = _BEGINNING
            await asyncio.sleep(_RETRY_SECONDS)
            return
        if _order(newest) < _order(self._last):
            _logger.warning("the stream %s went back from %s to %s; reading it whole", STREAM, self._last, newest)
            self._last = _BEGINNING
        while _order(self._last) < _order(newest):
            if not await self._read(block_milliseconds=None):
                self._last = newest  # the rest of it was trimmed or deleted
        self._revocations.confirm()
        if await self._read(block_milliseconds=int(_BLOCK_SECONDS * 1000)) < _BATCH:
            self._revocations.confirm()

    async def _newest(self) -> str | None:
        """Return the position that the stream has reached; None while it is gone.

        Before the first reading None as well while it is not filled. Later an unfilled one is better than none: what
        it had held is known here.
        """
        try:
            groups: list[dict[str, Any]] = await self._redis.xinfo_groups(STREAM)
        except ResponseError as error:
            if "no such key" not in str(error):
                raise
            return None
        if not self._revocations.is_loaded and all(group["name"] != COMPLETE_GROUP for group in groups):
            return None
        information: dict[str, Any] = await self._redis.xinfo_stream(STREAM)
        return str(information["last-generated-id"])

    async def _read(self, *, block_milliseconds: int | None) -> int:
        answer: Any = await self._redis.xread({STREAM: self._last}, count=_BATCH, block=block_milliseconds)
        entries = _entries(answer)
        for position, fields in entries:
            self._revocations.add(fields)
            self._last = position
        return len(entries)


def _entries(answer: Any) -> list[tuple[str, dict[str, str]]]:
    """Return the entries of an XREAD answer about one stream, in RESP2's or RESP3's shape."""
    if not answer:
        return []
    streams = answer.values() if isinstance(answer, dict) else [entries for _, entries in answer]
    batches = next(iter(streams))
    if batches and isinstance(batches[0], list):  # RESP3 nests the entries once more
        batches = [entry for batch in batches for entry in batch]
    return [(position, fields) for position, fields in batches if fields]


def _order(position: str) -> tuple[int, int]:
    milliseconds, _, sequence = position.partition("-")
    return int(milliseconds), int(sequence or 0)
