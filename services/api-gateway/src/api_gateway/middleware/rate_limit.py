"""Rate limits over all processes, without a Redis round trip in the common path.

A process leases permits in blocks of at most a tenth of the limit and spends them from memory. A lease ends with its
part of the sliding window; what was not spent goes back: when idle, on shutdown, or when another process that ran dry
asks for it. Where a limit must be exact to the request (the login class), each request asks Redis.

While Redis is away each process spends only its own share, limit / processes, counted in memory.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Final, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import RedisError

from api_gateway.rates import WINDOW_SECONDS, Policy

_PARTS: Final = 10
_PART_MILLISECONDS: Final = WINDOW_SECONDS * 1000 // _PARTS
_PREFIX: Final = "smartcourse:limit:"
_RECALL: Final = "smartcourse:limit:recall"
_RECALL_WAIT_SECONDS: Final = 0.005
_RECALL_EVERY_SECONDS: Final = 0.2
_IDLE_SECONDS: Final = 0.3
_SWEEP_SECONDS: Final = 0.1
_REFUSAL_SECONDS: Final = 0.05
"""How long a refusal is remembered: briefly, because permits may come back."""
_OUTAGE_SECONDS: Final = 0.5
_MOST_SHARES: Final = 100_000
_logger = logging.getLogger(__name__)


class Verdict(NamedTuple):
    """Whether the request is within its limit, and what the client is told."""

    is_allowed: bool
    policy: Policy
    remaining: int
    reset_seconds: int

    @property
    def header(self) -> str:
        """The `RateLimit` header's value."""
        return f'"{self.policy.name}";r={self.remaining};t={self.reset_seconds}'


class LimiterUnavailableError(Exception):
    """Redis is away and this class of request must not pass without it."""


@dataclass(slots=True)
class _Lease:
    policy: Policy
    permits: int = 0
    part: int = 0
    ends: float = 0.0
    left: int = 0
    resets: float = 0.0
    refused_until: float = 0.0
    recalled: float = -math.inf
    spent: float = 0.0
    refill: asyncio.Task[None] | None = None


@dataclass(slots=True)
class _Share:
    """One process's own count while Redis is away: permits spent by part of the window."""

    parts: dict[int, int] = field(default_factory=dict)

    def take(self, limit: int, now: float) -> bool:
        part = int(now * 1000) // _PART_MILLISECONDS
        self.parts = {number: count for number, count in self.parts.items() if number > part - _PARTS}
        if sum(self.parts.values()) >= limit:
            return False
        self.parts[part] = self.parts.get(part, 0) + 1
        return True


def _seconds(left: float) -> int:
    return max(1, math.ceil(left))


class RateLimiter:
    """Takes permits for keys; `run` is one task of the process, `close` gives everything back."""

    def __init__(self, redis: Redis, *, processes: int) -> None:
        """Count in `redis` together with `processes` - 1 others."""
        self._redis, self._processes = redis, processes
        folder = files("api_gateway.middleware")
        self._acquire = redis.register_script((folder / "acquire.lua").read_text(encoding="utf-8"))
        self._release = redis.register_script((folder / "release.lua").read_text(encoding="utf-8"))
        self._leases: dict[str, _Lease] = {}
        self._shares: dict[str, _Share] = {}
        self._unspent: list[tuple[str, int, int]] = []
        self._away_until = 0.0
        self.redis_calls = 0

    def take_now(self, key: str, policy: Policy) -> Verdict | None:
        """Spend one permit of `key` that is at hand; None if `take` has to ask Redis for more."""
        if policy.is_exact:
            return None
        now = time.monotonic()
        if now < self._away_until:
            return self._from_share(key, policy)
        lease = self._leases.get(key)
        if lease is None:
            return None
        if lease.permits:
            if now < lease.ends:
                lease.permits -= 1
                lease.spent = now
                return Verdict(True, policy, lease.left + lease.permits, _seconds(lease.resets - now))
            self._unspent.append((key, lease.part, lease.permits))
            lease.permits = 0
        return Verdict(False, policy, 0, _seconds(lease.resets - now)) if now < lease.refused_until else None

    async def take(self, key: str, policy: Policy) -> Verdict:
        """Spend one permit of `key`.

        Raises:
            LimiterUnavailableError: the policy is exact and Redis is away.
        """
        if time.monotonic() < self._away_until:
            return self._from_share(key, policy)
        try:
            return await (self._take_exactly(key, policy) if policy.is_exact else self._take_leased(key, policy))
        except (RedisError, OSError) as error:
            if self._away_until == 0.0:
                _logger.warning("limits can't be counted in Redis: %s", type(error).__name__)
            self._away_until = time.monotonic() + _OUTAGE_SECONDS
            return self._from_share(key, policy)

    async def _take_exactly(self, key: str, policy: Policy) -> Verdict:
        granted, _, _, left, wait = await self._ask(key, policy)
        return Verdict(granted > 0, policy, left, _seconds(wait / 1000))

    async def _take_leased(self, key: str, policy: Policy) -> Verdict:
        while (verdict := self.take_now(key, policy)) is None:
            lease = self._leases.get(key)
            if lease is None:
                lease = self._leases[key] = _Lease(policy)
            if lease.refill is None:
                lease.refill = asyncio.create_task(self._refill(key, lease))
            await asyncio.shield(lease.refill)  # all that wait for this key share one call
        return verdict

    async def _refill(self, key: str, lease: _Lease) -> None:
        try:
            await self._lease_more(key, lease)
            now = time.monotonic()
            if not lease.permits and now - lease.recalled > _RECALL_EVERY_SECONDS and self._processes > 1:
                lease.recalled = now
                await self._redis.publish(_RECALL, key)
                await asyncio.sleep(_RECALL_WAIT_SECONDS)
                await self._lease_more(key, lease)
            if not lease.permits:
                lease.refused_until = min(lease.resets, time.monotonic() + _REFUSAL_SECONDS)
        finally:
            lease.refill = None

    async def _lease_more(self, key: str, lease: _Lease) -> None:
        await self._give_back()  # permits of a part that has just ended would otherwise count as spent
        asked = time.monotonic()
        lease.permits, lease.part, remains, lease.left, wait = await self._ask(key, lease.policy)
        lease.ends, lease.resets = asked + remains / 1000, asked + wait / 1000
        lease.spent = asked

    async def _ask(self, key: str, policy: Policy) -> list[int]:
        self.redis_calls += 1
        answer: list[int] = await self._acquire(
            keys=[_PREFIX + key], args=[_PART_MILLISECONDS, policy.limit, policy.block, 2 * self._processes]
        )
        self._away_until = 0.0
        return answer

    def _from_share(self, key: str, policy: Policy) -> Verdict:
        if policy.is_exact:
            raise LimiterUnavailableError
        if len(self._shares) >= _MOST_SHARES:
            self._shares.clear()
        share = self._shares.setdefault(key, _Share())
        limit = max(1, policy.limit // self._processes)
        is_allowed = share.take(limit, time.monotonic())
        remaining = max(0, limit - sum(share.parts.values()))
        return Verdict(is_allowed, policy, remaining, WINDOW_SECONDS // _PARTS)

    async def run(self) -> None:
        """Give idle permits back and answer recalls, until cancelled and through every outage of Redis."""
        await asyncio.gather(self._sweep_for_ever(), self._answer_recalls_for_ever())

    async def close(self) -> None:
        """Give all permits back."""
        for key, lease in self._leases.items():
            self._retire(key, lease)
        await self._give_back()

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            self._sweep()
            try:
                await self._give_back()
            except (RedisError, OSError):
                self._unspent.clear()  # they expire with their window

    def _sweep(self) -> None:
        now = time.monotonic()
        for key, lease in list(self._leases.items()):
            if lease.refill is not None or now - lease.spent < _IDLE_SECONDS or now < lease.refused_until:
                continue
            self._retire(key, lease)
            del self._leases[key]
        if self._shares and self._away_until == 0.0:
            self._shares.clear()

    def _retire(self, key: str, lease: _Lease) -> None:
        if lease.permits:
            self._unspent.append((key, lease.part, lease.permits))
            lease.permits = 0

    async def _give_back(self) -> None:
        unspent, self._unspent = self._unspent, []
        if not unspent:
            return
        self.redis_calls += 1
        async with self._redis.pipeline(transaction=False) as pipeline:
            for key, part, permits in unspent:
                await self._release(keys=[_PREFIX + key], args=[part, permits], client=pipeline)
            await pipeline.execute()

    async def _answer_recalls_for_ever(self) -> None:
        while True:
            try:
                await self._answer_recalls()
            except (RedisError, OSError):
                await asyncio.sleep(_OUTAGE_SECONDS)

    async def _answer_recalls(self) -> None:
        async with self._redis.pubsub() as subscription:
            await subscription.subscribe(_RECALL)
            while True:
                message: dict[str, Any] | None = await subscription.get_message(
                    ignore_subscribe_messages=True, timeout=1.0
                )
                lease = self._leases.get(str(message["data"])) if message else None
                if message and lease is not None and lease.refill is None:
                    self._retire(str(message["data"]), lease)
                    await self._give_back()
