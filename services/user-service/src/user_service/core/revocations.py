"""The stream from which every gateway learns which sessions are revoked.

An entry is `{sids: "<sid>,<sid>", until: "<unix seconds>"}`: by `until` the last access token of those sessions has
expired by itself. An entry without sids only makes the stream exist.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import ResponseError
from redis.typing import EncodableT

from user_service.config import LONGEST_ACCESS_LIFETIME

STREAM = "smartcourse:revocations"
CLOCK_SKEW = timedelta(seconds=60)
HORIZON = LONGEST_ACCESS_LIFETIME + CLOCK_SKEW
"""No revocation matters longer than that."""
KEY_MEMORY = timedelta(minutes=15)
"""How long a gateway may go by what it was told of an API key. Not a setting: what was told before a lower one came
into force would outlive the revocation."""
SIDS_PER_ENTRY = 500
APPEND_TIMEOUT_SECONDS = 0.5

COMPLETE_GROUP = "complete"
"""A consumer group without consumers. It lives and dies with the stream's key, so its presence says that nothing was
lost since the stream was last filled from the database: also when a fresh stream was begun by a later revocation."""

# The opening entry shows that the stream filled now is the one that was there before the database was read: every
# revocation committed since is published into it. Otherwise it was lost once more, and has to be filled anew.
_FILL = """
if #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then
  return 0
end
for position = 3, #ARGV, 2 do
  redis.call('XADD', KEYS[1], '*', 'sids', ARGV[position], 'until', ARGV[position + 1])
end
if #redis.call('XINFO', 'GROUPS', KEYS[1]) == 0 then
  redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[2], '$')
end
return 1
"""


def entries(sids: Sequence[str], until: datetime) -> list[dict[str, str]]:
    """Put revoked sessions into as many stream entries as keep each one small."""
    return [_entry(sids[start : start + SIDS_PER_ENTRY], until) for start in range(0, len(sids), SIDS_PER_ENTRY)]


def entries_by_time(revoked: Sequence[tuple[str, datetime]]) -> list[dict[str, str]]:
    """The same for sessions with times of their own, earliest first; an entry matters as long as its last does."""
    chunks = (revoked[start : start + SIDS_PER_ENTRY] for start in range(0, len(revoked), SIDS_PER_ENTRY))
    return [_entry([sid for sid, _ in chunk], chunk[-1][1]) for chunk in chunks]


def _entry(sids: Sequence[str], until: datetime) -> dict[str, str]:
    return {"sids": ",".join(sids), "until": str(math.ceil(until.timestamp()))}


class RevocationStream:
    """The stream in Redis, whose client decodes answers. Its methods raise redis.exceptions.RedisError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._fill = redis.register_script(_FILL)

    async def is_complete(self) -> bool:
        """Tell whether the stream exists and holds every revocation that still matters."""
        try:
            groups = await self._redis.xinfo_groups(STREAM)
        except ResponseError:  # no such key
            return False
        return bool(groups)

    async def open(self, now: datetime) -> str:
        """Append an empty entry, making the stream if need be; returns the entry's id."""
        return str(await self._redis.xadd(STREAM, _fields(_entry([], now))))

    async def fill(self, revoked: Sequence[Mapping[str, str]], *, opened: str) -> bool:
        """Append `revoked` and declare the stream complete, in one step.

        `opened` is the id that `open` returned before `revoked` was read. Returns False, having written nothing, if
        the stream was lost in between.
        """
        values = [value for each in revoked for value in (each["sids"], each["until"])]
        return bool(await self._fill(keys=[STREAM], args=[opened, COMPLETE_GROUP, *values]))

    async def append(self, revoked: Sequence[Mapping[str, str]]) -> None:
        """Append `revoked`. Raises TimeoutError as well: nobody waits long for what only makes haste."""
        async with asyncio.timeout(APPEND_TIMEOUT_SECONDS):
            for each in revoked:
                await self._redis.xadd(STREAM, _fields(each))

    async def trim(self, keep: timedelta) -> None:
        """Remove entries that were appended longer ago, by the clock of Redis."""
        seconds, _ = await self._redis.time()
        oldest = f"{(seconds - math.ceil(keep.total_seconds())) * 1000}-0"
        await self._redis.xtrim(STREAM, minid=oldest, approximate=False)


def _fields(entry: Mapping[str, str]) -> dict[EncodableT, EncodableT]:
    # The client's own type, whose keys mypy would otherwise take for another's.
    return cast("dict[EncodableT, EncodableT]", dict(entry))
