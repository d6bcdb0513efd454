"""The work queue: keys, each at most once, each worked on by one worker at a time."""

from __future__ import annotations

import asyncio
import heapq
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

Key = tuple[str, str]
"""Namespace and name."""

FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 60.0
JITTER = 0.2


def jittered(seconds: float) -> float:
    """Return about `seconds`, so that many keys do not come due together."""
    return seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - to spread load, not to keep a secret


@dataclass
class Entry:
    """What is known of a key."""

    due: float | None = None
    running_since: float | None = None
    again: float | None = None
    failures: int = 0


@dataclass
class WorkQueue:
    """Keys with the time at which they are due.

    Adding a key that waits moves it forward, never back. Adding a key that is being worked on has it worked on once
    more afterwards. `settle_seconds` lets events that come together be taken together.
    """

    settle_seconds: float = 0.2
    clock: Callable[[], float] = time.monotonic
    _entries: dict[Key, Entry] = field(default_factory=dict)
    _heap: list[tuple[float, Key]] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def notice(self, key: Key) -> None:
        """Something happened to `key`: have it worked on soon."""
        self.add(key, self.settle_seconds)

    def add(self, key: Key, delay_seconds: float) -> None:
        entry, due = self._entries.setdefault(key, Entry()), self.clock() + delay_seconds
        if entry.running_since is not None:
            entry.again = due if entry.again is None else min(entry.again, due)
        elif entry.due is None or due < entry.due:
            self._schedule(key, entry, due)

    def _schedule(self, key: Key, entry: Entry, due: float) -> None:
        entry.due = due
        heapq.heappush(self._heap, (due, key))
        self._changed.set()

    async def get(self) -> Key:
        """Wait for a key that is due and take it; `done`, `retry` or `forget` gives it back."""
        while True:
            if (wait := self._next_wait()) is not None and wait <= 0:
                _, key = heapq.heappop(self._heap)
                entry = self._entries[key]
                entry.due, entry.running_since = None, self.clock()
                return key
            self._changed.clear()
            try:
                async with asyncio.timeout(wait):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _next_wait(self) -> float | None:
        """Return the seconds until the first key is due, None if there is none; outdated entries are dropped."""
        while self._heap:
            due, key = self._heap[0]
            entry = self._entries.get(key)
            if entry and entry.due == due:
                return due - self.clock()
            heapq.heappop(self._heap)
        return None

    def done(self, key: Key, *, again_in_seconds: float) -> None:
        """`key` was worked on well; look at it again after a while, or sooner if something happened meanwhile."""
        self._entries[key].failures = 0
        self._give_back(key, self.clock() + jittered(again_in_seconds))

    def retry(self, key: Key) -> float:
        """Working on `key` failed; try again after a delay that doubles each time. Returns the delay in seconds."""
        entry = self._entries[key]
        delay = jittered(min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(entry.failures, 20)))
        entry.failures += 1
        entry.again = None  # an event is no reason to hammer at what fails
        self._give_back(key, self.clock() + delay)
        return delay

    def forget(self, key: Key) -> None:
        """`key` is gone, unless something happened meanwhile."""
        entry = self._entries[key]
        if entry.again is None:
            del self._entries[key]
        else:
            self._give_back(key, entry.again)

    def _give_back(self, key: Key, due: float) -> None:
        entry = self._entries[key]
        if entry.again is not None:
            due = min(due, entry.again)
        entry.running_since, entry.again = None, None
        self._schedule(key, entry, due)

    def depth(self) -> int:
        """Return how many keys are due and wait for a worker."""
        now = self.clock()
        return sum(1 for entry in self._entries.values() if entry.due is not None and entry.due <= now)

    def stalled_seconds(self) -> float:
        """Return how long the key that is worst off has waited past its time, or been worked on."""
        now = self.clock()
        return max(
            (
                now - since
                for entry in self._entries.values()
                for since in (entry.due, entry.running_since)
                if since is not None
            ),
            default=0.0,
        )


@dataclass(frozen=True)
class Queues:
    """One queue for each of our kinds."""

    courses: WorkQueue
    backups: WorkQueue
    restores: WorkQueue

    @classmethod
    def empty(cls, settle_seconds: float) -> Queues:
        return cls(*(WorkQueue(settle_seconds) for _ in range(3)))

    def depth(self) -> int:
        """Return how many keys are due and wait for a worker."""
        return sum(queue.depth() for queue in (self.courses, self.backups, self.restores))

    def stalled_seconds(self) -> float:
        """Return how long the key that is worst off in any of them has waited past its time, or been worked on."""
        return max(queue.stalled_seconds() for queue in (self.courses, self.backups, self.restores))
