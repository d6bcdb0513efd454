"""Counts failed logins of each account, exactly, over all replicas.

An attempt is admitted before its password is looked at and settled afterwards. While the failures and the attempts
under way together reach the limit, further attempts wait for a verdict: no more than `limit` passwords fail within
the window however many arrive at once, and simultaneous correct logins of one account are not refused.
"""

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import uuid4

from redis.asyncio import Redis
from redis.exceptions import RedisError
from redis.typing import EncodableT

from shared.exceptions.base import UnavailableError
from user_service.core.errors import TooManyAttempts

POLL_SECONDS = 0.05
PATIENCE_SECONDS = 5.0
STALE_MILLISECONDS = 30_000
"""An attempt not settled by then belonged to a process that died; it counts as a failure."""

_ADMIT = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local failures, under_way = KEYS[1], KEYS[2]
local limit, window, stale, attempt = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
for _, lost in ipairs(redis.call('ZRANGEBYSCORE', under_way, '-inf', now - stale)) do
  redis.call('ZREM', under_way, lost)
  redis.call('ZADD', failures, now, lost)
end
redis.call('ZREM', under_way, attempt)
redis.call('ZREMRANGEBYSCORE', failures, '-inf', now - window)
redis.call('PEXPIRE', failures, window)
local failed = redis.call('ZCARD', failures)
if failed >= limit then
  local oldest = redis.call('ZRANGE', failures, failed - limit, failed - limit, 'WITHSCORES')
  return {'locked', oldest[2] + window - now}
end
if failed + redis.call('ZCARD', under_way) >= limit then
  return {'wait', 0}
end
redis.call('ZADD', under_way, now, attempt)
redis.call('PEXPIRE', under_way, window + stale)
return {'admitted', 0}
"""

_SETTLE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZREM', KEYS[2], ARGV[2])
if ARGV[3] == 'failed' then
  redis.call('ZADD', KEYS[1], now, ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
else
  redis.call('ZREM', KEYS[1], ARGV[2])
end
return 1
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An admitted attempt that is yet to be settled."""

    id: str
    keys: tuple[str, str]


class LoginAttempts:
    """The failure limit of every account. Without Redis nobody can log in: the count is never guessed.

    `redis` decodes answers.
    """

    def __init__(self, redis: Redis, *, limit: int, window_seconds: int) -> None:
        self._limit = limit
        self._window_milliseconds = window_seconds * 1000
        self._admit = redis.register_script(_ADMIT)
        self._settle = redis.register_script(_SETTLE)

    async def judge(self, account: str, verify: Callable[[], Awaitable[bool]]) -> bool:
        """Run `verify` as one attempt on `account` (a normalised email address) and count it if it returns False.

        Raises TooManyAttempts (429) if the account has failed too often, UnavailableError (503) without Redis. An
        error raised by `verify` is no verdict and is not counted.
        """
        attempt = await self._admitted(account)
        try:
            passed = await verify()
        except Exception:
            await self._settled(attempt, failed=False)
            raise
        await self._settled(attempt, failed=not passed)
        return passed

    async def _admitted(self, account: str) -> Attempt:
        attempt = Attempt(id=uuid4().hex, keys=_keys(account))
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while True:
            verdict, milliseconds = await self._ask(attempt)
            if verdict == "admitted":
                return attempt
            if verdict == "locked":
                raise TooManyAttempts(retry_after_seconds=max(1, -(-milliseconds // 1000)))
            if asyncio.get_running_loop().time() >= deadline:
                raise TooManyAttempts(retry_after_seconds=1)
            await asyncio.sleep(POLL_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - spreads load, guards nothing

    async def _ask(self, attempt: Attempt) -> tuple[str, int]:
        args: list[EncodableT] = [self._limit, self._window_milliseconds, STALE_MILLISECONDS, attempt.id]
        try:
            verdict, milliseconds = await self._admit(keys=attempt.keys, args=args)
        except (RedisError, OSError) as error:
            raise _not_counting() from error
        return verdict, int(float(milliseconds))

    async def _settled(self, attempt: Attempt, *, failed: bool) -> None:
        args: list[EncodableT] = [self._window_milliseconds, attempt.id, "failed" if failed else "passed"]
        try:
            await self._settle(keys=attempt.keys, args=args)
        except (RedisError, OSError) as error:
            raise _not_counting() from error


def _keys(account: str) -> tuple[str, str]:
    # Hashed, so that Redis holds no address.
    name = hashlib.sha256(account.encode()).hexdigest()[:32]
    return f"smartcourse:login:{name}:failures", f"smartcourse:login:{name}:under-way"


def _not_counting() -> UnavailableError:
    return UnavailableError("Failed logins cannot be counted at the moment.", retry_after_seconds=5)
